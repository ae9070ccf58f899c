//! One run of a bench: what it ran on, and what the runs before it found.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

/// What every result carries: when, of which version and build, on how many cores.
pub fn facts(pilothouse: &Path, quick: bool) -> Map<String, Value> {
    let seconds = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |time| time.as_secs());
    let build = pilothouse.parent().and_then(Path::file_name);
    let build = build.map_or("?".into(), |name| name.to_string_lossy().into_owned());
    let version = output(Command::new(pilothouse).arg("--version"));
    let commit = output(Command::new("git").args(["describe", "--always", "--dirty"]));
    let value = json!({
        "time": seconds, "version": version, "commit": commit, "build": build, "cores": cores(),
        "quick": quick,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The last figure of each key, from the lines of earlier runs.
pub fn previous(text: &str) -> BTreeMap<String, f64> {
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter_map(|line| Some((line["key"].as_str()?.to_owned(), line["value"].as_f64()?)))
        .collect()
}

fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_key_is_the_previous_run() {
        let text = "{\"key\":\"a\",\"value\":1.5}\nnot json\n{\"key\":\"b\",\"value\":null}\n{\"key\":\"a\",\"value\":2}\n";
        assert_eq!(previous(text), BTreeMap::from([("a".to_owned(), 2.0)]));
    }
}
