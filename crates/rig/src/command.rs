//! Commands of the system that end by themselves: `ip`, `iptables`, `sysctl`.

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

/// A command that failed, with its own words.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("{line}: {source}")]
    Start {
        /// The command line.
        line: String,
        /// What the system said.
        source: io::Error,
    },
    /// It said no.
    #[error("{line}: {said}")]
    Failed {
        /// The command line.
        line: String,
        /// What it wrote to its standard error.
        said: String,
    },
}

/// Runs a command line of plain words; gives its output.
pub(crate) fn run(line: &str) -> Result<String, CommandError> {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::null());
    finish(line, command.output())
}

/// Runs many `ip` commands in one process, in a namespace or in the machine's own.
pub(crate) fn ip_batch(namespace: Option<&str>, commands: &[String]) -> Result<(), CommandError> {
    let within = namespace
        .map(|name| format!("-n {name} "))
        .unwrap_or_default();
    let line = format!("ip {within}-batch - <<< {}", commands.join("; "));
    let mut command = Command::new("ip");
    if let Some(namespace) = namespace {
        command.args(["-n", namespace]);
    }
    feed(&line, command.args(["-batch", "-"]), &commands.join("\n")).map(drop)
}

/// Runs a shell script inside a namespace; it ends with the first command that fails.
pub(crate) fn script_in(namespace: &str, script: &str) -> Result<String, CommandError> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "sh", "-e"]);
    feed(&format!("in {namespace}: {script}"), &mut command, script)
}

fn feed(line: &str, command: &mut Command, input: &str) -> Result<String, CommandError> {
    let started = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let output = started.and_then(|mut child| {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    });
    finish(line, output)
}

fn finish(line: &str, output: io::Result<Output>) -> Result<String, CommandError> {
    let line = line.to_owned();
    let output = match output {
        Ok(output) => output,
        Err(source) => return Err(CommandError::Start { line, source }),
    };
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(CommandError::Failed {
            line,
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_told_with_its_words() {
        let error = run("ls /no-such-directory").unwrap_err().to_string();
        assert!(error.starts_with("ls /no-such-directory: "), "{error}");
        assert!(error.contains("No such file"), "{error}");
        assert!(matches!(
            run("no-such-program x"),
            Err(CommandError::Start { .. })
        ));
    }
}
