//! `--diff`: what a server serves, against what the files would.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use envoy::Kind;
use serde_json::Value;

use super::translate::Resources;
use super::{DIFFERENT, Failure};

/// A server on this network answers at once, or not at all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Writes the differences; returns the exit code.
pub(super) fn run(
    url: &str,
    node: &str,
    ours: Resources,
    wants: impl Fn(Kind) -> bool,
) -> Result<u8, Failure> {
    let dump = fetch(url, node)?;
    let mut theirs = served(&dump);
    theirs.retain(|(kind, _), _| wants(*kind));
    let mut out = std::io::stdout().lock();
    let mut found = 0;
    let keys: BTreeSet<&(Kind, String)> = ours.keys().chain(theirs.keys()).collect();
    for key in keys {
        let lines = match (theirs.get(key), ours.get(key)) {
            // Of secrets a server shows the name alone.
            (Some(_), Some(_)) if key.0 == Kind::Secret => continue,
            (Some(a), Some(b)) if a == b => continue,
            (Some(a), Some(b)) => {
                let mut lines = Vec::new();
                compare(Some(a), Some(b), "", &mut lines);
                lines
            }
            (Some(_), None) => vec!["  - served, and would not be".to_owned()],
            (None, _) => vec!["  + not served, and would be".to_owned()],
        };
        found += 1;
        writeln!(out, "{} {:?}", key.0, key.1)?;
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    eprintln!(
        "{found} of {} resources differ",
        ours.len().max(theirs.len())
    );
    Ok(if found == 0 { 0 } else { DIFFERENT })
}

fn fetch(url: &str, node: &str) -> Result<Value, Failure> {
    let refuse =
        |why: String| Failure::Server(format!("{url} does not tell what it serves: {why}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let page = format!("{}/debug/config_dump", url.trim_end_matches('/'));
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build();
        let client = client.map_err(|error| refuse(error.to_string()))?;
        let asked = client.get(page).query(&[("proxyID", node)]).send().await;
        let answer = asked.map_err(|error| refuse(error.to_string()))?;
        let (status, body) = (answer.status(), answer.text().await);
        let body = body.map_err(|error| refuse(error.to_string()))?;
        match status.is_success() {
            true => serde_json::from_str(&body).map_err(|error| refuse(error.to_string())),
            false => Err(refuse(format!("{status}: {}", body.trim()))),
        }
    })
}

/// The resources of a config dump.
fn served(dump: &Value) -> Resources {
    let mut found = Resources::new();
    let lists = [
        (Kind::Cluster, "dynamic_active_clusters", "/cluster", "name"),
        (
            Kind::Endpoint,
            "dynamic_endpoint_configs",
            "/endpoint_config",
            "cluster_name",
        ),
        (
            Kind::Listener,
            "dynamic_listeners",
            "/active_state/listener",
            "name",
        ),
        (
            Kind::Route,
            "dynamic_route_configs",
            "/route_config",
            "name",
        ),
        (Kind::Secret, "dynamic_active_secrets", "", "name"),
    ];
    let configs = dump["configs"].as_array().into_iter().flatten();
    for config in configs {
        for (kind, list, pointer, name) in lists {
            for entry in config[list].as_array().into_iter().flatten() {
                let Some(mut value) = entry.pointer(pointer).cloned() else {
                    continue;
                };
                if let Value::Object(fields) = &mut value {
                    fields.remove("@type");
                }
                let name = value[name].as_str().unwrap_or_default().to_owned();
                found.insert((kind, name), value);
            }
        }
    }
    found
}

/// `-` is what is served, `+` what would be.
fn compare(served: Option<&Value>, ours: Option<&Value>, at: &str, lines: &mut Vec<String>) {
    match (served, ours) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                compare(a.get(key), b.get(key), &format!("{at}.{key}"), lines);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for i in 0..a.len().max(b.len()) {
                compare(a.get(i), b.get(i), &format!("{at}[{i}]"), lines);
            }
        }
        (a, b) if a == b => {}
        (a, b) => {
            let at = at.trim_start_matches('.');
            lines.extend(a.map(|value| format!("  - {at}: {value}")));
            lines.extend(b.map(|value| format!("  + {at}: {value}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_told_by_its_path() {
        let (a, b) = (
            json!({"a": [1, {"b": 2}], "c": 3}),
            json!({"a": [1, {"b": 4}, 5]}),
        );
        let mut lines = Vec::new();
        compare(Some(&a), Some(&b), "", &mut lines);
        assert_eq!(
            lines,
            ["  - a[1].b: 2", "  + a[1].b: 4", "  + a[2]: 5", "  - c: 3"]
        );
    }

    #[test]
    fn what_a_dump_shows_is_what_was_dumped() {
        let dump = json!({"configs": [
            {"dynamic_active_clusters": [{"version_info": "1", "cluster": {"@type": "t", "name": "c", "type": "EDS"}}]},
            {"dynamic_listeners": [{"name": "l", "active_state": {"listener": {"@type": "t", "name": "l"}}}]},
        ]});
        let found = served(&dump);
        assert_eq!(
            found[&(Kind::Cluster, "c".to_owned())],
            json!({"name": "c", "type": "EDS"})
        );
        assert_eq!(
            found[&(Kind::Listener, "l".to_owned())],
            json!({"name": "l"})
        );
    }
}
