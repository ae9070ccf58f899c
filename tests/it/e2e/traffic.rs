//! The traffic chapters of the guide, as `pilothouse demo --check` and as a library.

use std::process::Stdio;

use demo::AdsMode;
use demo::check::{STEPS, check};
use demo::mesh::Options;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::*;

/// The check is made for less than a minute; a busy machine may take longer.
const LONG: Duration = Duration::from_secs(180);

/// The command that people run, with Envoys on the delta protocol.
#[tokio::test]
async fn demo_check_passes_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("demo");
    let run = Command::new(pilothouse())
        .args(["demo", "--check", "--ads", "delta", "--dir"])
        .arg(&dir)
        .kill_on_drop(true)
        .output();
    let output = timeout(LONG, run).await.expect("ends in time").unwrap();
    let (out, log) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{log}");
    let passed = out.lines().filter(|line| line.ends_with(" PASS")).count();
    assert_eq!(passed, STEPS.len() + 3, "{out}\n{log}");
    assert!(out.contains("update_rejected 0 on 7 Envoys"), "{out}");
    assert!(!dir.exists(), "{} is still there", dir.display());
    assert_eq!(envoys_of(&dir), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_passes_with_state_of_the_world() {
    let options = Options {
        ads: AdsMode::Sotw,
        config: Vec::new(),
        ..Options::default()
    };
    let mesh = started(options).await;
    let report = check(&mesh, |_| {}).await.unwrap();
    assert!(report.passed(), "{report}");
    end(mesh).await;
}

#[tokio::test]
async fn ctrl_c_ends_the_demo_without_a_trace() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("demo");
    let mut demo = Command::new(pilothouse())
        .args(["demo", "--dir"])
        .arg(&dir)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut told = String::new();
    let hints = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            told.push_str(&line);
            told.push('\n');
            if line.starts_with("Ctrl-C") {
                return;
            }
        }
        panic!("the demo ended by itself:\n{told}");
    };
    timeout(LONG, hints).await.expect("hints in time");
    assert!(
        told.contains("/productpage") && told.contains("cp "),
        "{told}"
    );
    assert_eq!(envoys_of(&dir).len(), 7, "seven Envoys");

    // An edit is followed, and its time is told.
    let rule = dir.join("config/reviews.yaml");
    std::fs::copy(dir.join("samples/reviews-v3.yaml"), rule).unwrap();
    let line = timeout(PATIENCE, lines.next_line())
        .await
        .expect("a line in time")
        .unwrap()
        .unwrap();
    assert!(
        line.starts_with("edit acknowledged by every Envoy after "),
        "{line}"
    );

    signal("INT", demo.id().unwrap());
    let status = timeout(PATIENCE, demo.wait())
        .await
        .expect("ends in time")
        .unwrap();
    assert!(status.success(), "{status}");
    assert!(!dir.exists(), "{} is still there", dir.display());
    assert_eq!(envoys_of(&dir), Vec::<String>::new());
}

/// A check that cannot fail would be worth nothing: here productpage gets no details.
#[tokio::test]
async fn a_failed_step_is_told_by_the_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("demo");
    let demo = Command::new(pilothouse())
        .args(["demo", "--check", "--dir"])
        .arg(&dir)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("the directory is there", async || dir.join("lock").exists()).await;
    eventually("the configuration is there", async || {
        std::fs::write(dir.join("config/details.yaml"), NO_DETAILS).is_ok()
    })
    .await;
    let output = timeout(LONG, demo.wait_with_output())
        .await
        .expect("ends in time")
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(
        out.contains("FAIL default routing") && out.contains("details is missing"),
        "{out}"
    );
    assert!(out.contains("PASS no gateway yet"), "{out}");
    assert!(!dir.exists(), "{} is still there", dir.display());
}

const NO_DETAILS: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: details
spec:
  hosts: [details.marathon.slave.mesos]
  http:
  - fault: {abort: {percentage: {value: 100}, httpStatus: 503}}
    route:
    - destination: {host: details.marathon.slave.mesos}
";

/// What a test leaves behind that panics.
#[tokio::test]
async fn a_dropped_mesh_leaves_nothing_behind() {
    let pods = demo::samples::pods()
        .into_iter()
        .filter(|pod| pod["id"] != "/productpage");
    let options = Options {
        pods: pods.take(2).collect(),
        ..Options::default()
    };
    let mesh = started(options).await;
    let root = mesh.files().root().to_owned();
    assert_eq!(envoys_of(&root).len(), 2);
    drop(mesh);
    eventually("the Envoys are gone", async || envoys_of(&root).is_empty()).await;
    assert!(!root.exists(), "{} is still there", root.display());
}
