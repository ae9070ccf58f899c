//! The mesh on a small DC/OS cluster of network namespaces: real iptables, Envoys under their own
//! user, DNS, etcd, kube-apiserver and kubectl. Only Marathon is simulated.

mod chapter; // from the Markdown of the guide to steps
mod checks; // what Marathon asks itself, at a proxy
mod expect; // what is seen, against what should be
mod failover; // Marathon's leader goes, and tasks change meanwhile
mod faults; // parts are killed, stopped, away; traffic goes on
mod guide; // docs/guide, word for word
mod own; // definitions of an operator: images and commands
mod refusal; // Envoys refuse what an object makes of their configuration
mod stage; // Bookinfo under load, and what can be seen of it
mod store; // etcd is silent, or has forgotten

use std::path::{Path, PathBuf};

use rig::{Options, Rig, Store};

/// A rig without pods.
async fn started() -> Rig {
    let options = Options {
        index: None,
        own: pilothouse(),
        store: Store::Kube,
    };
    let rig = Rig::start(options).await.unwrap();
    rig.listening().await.unwrap();
    rig
}

/// What the control plane said last.
fn log_of(rig: &Rig) -> String {
    let log = rig.layout().directory().join("master/pilothouse.log");
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let tail: Vec<&str> = log.lines().rev().take(20).collect();
    format!("the control plane, last line first:\n{}", tail.join("\n"))
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().expect("the tests are in the workspace");
    root.into()
}

/// The binary of the build that this test belongs to.
fn pilothouse() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("pilothouse");
    let why = "build the workspace first";
    assert!(built.exists(), "{}: {why}", built.display());
    built
}
