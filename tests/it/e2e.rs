//! End to end: a simulated Marathon, real YAML files, real Envoys, real requests.
//!
//! The harness is the crate `demo`, so what people see in the demo is what is tested. Nothing here
//! sleeps for a fixed time: every wait has a condition and a deadline.

mod daemon; // `pilothouse discovery` as a process
mod edge; // gateways: TLS, redirects, TCP
mod edits; // files change while clients send requests
pub(crate) mod engine; // replicas agree, refusals stay where they are, edits go on
mod entries; // service entries and sidecars
mod faults; // a part is wrong or away, the rest goes on
mod marathon; // Marathon is in trouble itself
mod mtls; // mutual TLS: who gets through, what is told, files that are missing or replaced
mod tcp; // raw TCP through a sidecar
mod traffic; // the traffic chapters, and the demo as people run it
mod workloads; // Marathon moves instances while clients send requests

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use demo::Mesh;
use demo::client::{Client, Load};
use demo::mesh::{Options, PATIENCE};

/// Requests a second of a load that must not notice anything.
const RATE: u32 = 50;

/// A mesh that works.
async fn started(options: Options) -> Mesh {
    let mesh = Mesh::start(options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    settled(&mesh).await;
    mesh
}

/// Waits until a mesh works as a whole (again).
async fn settled(mesh: &Mesh) {
    let mut last = String::new();
    let ready = mesh
        .ready(PATIENCE * 2, |progress| last = format!("{progress:?}"))
        .await;
    ready.unwrap_or_else(|error| panic!("{error}\nlast: {last}"));
}

/// A client at the gateway, once that lets people in.
async fn client(mesh: &Mesh) -> Client {
    let client = Client::new(mesh.gateway().expect("the mesh has a gateway")).unwrap();
    eventually("the gateway serves whole pages", async || {
        client.whole_page(None).await.is_ok()
    })
    .await;
    client
}

/// A load through the gateway that has begun to get answers.
async fn load(client: &Client) -> Load {
    let load = Load::start(client.clone(), RATE);
    load.more(5).await;
    load
}

/// Ends a load of which no request may have failed.
async fn unharmed(load: Load) {
    let tally = load.finish().await;
    assert!(tally.requests > 0, "the load has sent nothing");
    assert_eq!(tally.failed, 0, "{tally}");
}

/// No Envoy has refused anything; then everything ends.
async fn end(mesh: Mesh) {
    for (envoy, rejected) in mesh.rejected().await {
        assert_eq!(rejected.total(), 0, "{envoy}: {rejected:?}");
    }
    mesh.stop().await;
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The binary, beside the directory of this test's own. `make test` builds it first.
pub(crate) fn pilothouse() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let binary = own.ancestors().nth(2).unwrap().join("pilothouse");
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build --workspace`",
        binary.display()
    );
    binary
}

/// The command lines of the Envoys whose files are in this directory.
fn envoys_of(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let texts = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    texts
        .filter(|line| line.contains("bootstrap.json") && line.contains(dir))
        .collect()
}

/// Sends a signal by name to a process of ours.
fn signal(name: &str, pid: u32) {
    let sent = std::process::Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status();
    assert!(sent.unwrap().success(), "kill -{name} {pid}");
}
