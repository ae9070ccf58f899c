//! One program that ends with the test process, however that ends.
//!
//! A shell stands between: it waits for the end of its input, which the kernel closes with us.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = r#"log=$1; dir=$2; shift 2; exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- & pid=$!
echo $pid; exec >/dev/null 2>&1
(cat <&3; kill -CONT $pid; kill -9 $pid) & watcher=$!
wait $pid; kill $watcher
[ -z "$dir" ] || rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }"#;

pub(super) struct Part {
    guard: Child,
    pub(super) pid: u32,
}

impl Part {
    /// Starts a program that logs into a file. With `dir`, that is removed after its end.
    pub(super) fn start(log: &Path, dir: Option<&Path>, words: &[String]) -> Part {
        let mut guard = Command::new("sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(log)
            .arg(dir.unwrap_or(Path::new("")))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let told = BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line);
        told.unwrap();
        Part {
            guard,
            pid: line.trim().parse().unwrap(),
        }
    }

    /// Sends a signal by name.
    pub(super) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid.to_string()])
            .status();
        assert!(sent.unwrap().success(), "kill -{name} {}", self.pid);
    }
}

/// SIGKILL.
impl Drop for Part {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
