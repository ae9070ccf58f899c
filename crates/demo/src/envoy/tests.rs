//! The real Envoy as a child: start, look inside, crash, return, and never stay behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::*;
use crate::bootstrap::tests::sample;
use crate::{AdsMode, Block, Role};

const DEADLINE: Duration = Duration::from_secs(20);

fn launch(block: &Block, dir: &Path, bootstrap: Value) -> Launch {
    Launch {
        name: "reviews-v1".into(),
        binary: Binary::find().unwrap(),
        bootstrap,
        admin: sample(block, Role::Sidecar, AdsMode::Delta).admin(),
        dir: dir.to_path_buf(),
        log_level: "info".into(),
    }
}

fn waiting_for_ads(block: &Block) -> Value {
    sample(block, Role::Sidecar, AdsMode::Delta).document()
}

/// Without dynamic resources nothing is missing, so Envoy gets ready.
fn self_sufficient(block: &Block) -> Value {
    let mut document = waiting_for_ads(block);
    document
        .as_object_mut()
        .unwrap()
        .remove("dynamic_resources");
    document
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_envoy_starts_answers_and_stops() {
    let (block, dir) = (Block::claim().unwrap(), tempfile::tempdir().unwrap());
    let launch = launch(&block, dir.path(), self_sufficient(&block));
    let mut envoy = EnvoyProcess::spawn(launch).await.unwrap();
    envoy.ready(DEADLINE).await.unwrap();

    let admin = envoy.admin().clone();
    assert_eq!(admin.stat("server.live").await.unwrap(), Some(1));
    assert_eq!(admin.stat("server.liv").await.unwrap(), None);
    assert_eq!(admin.stat("server_live").await.unwrap(), None);
    let of_xds = admin
        .stats(r"^cluster\.xds-grpc\.membership_")
        .await
        .unwrap();
    assert_eq!(of_xds["cluster.xds-grpc.membership_total"], 1);
    let dump = admin.config_dump().await.unwrap().to_string();
    assert!(dump.contains("OUTBOUND_ADDRESS"), "{dump}");

    envoy.stop().await.unwrap();
    assert_eq!(envoy.pid(), None);
    assert!(TcpStream::connect(admin.addr()).await.is_err());
    envoy.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_control_plane_it_waits_and_says_so() {
    let (block, dir) = (Block::claim().unwrap(), tempfile::tempdir().unwrap());
    let launch = launch(&block, dir.path(), waiting_for_ads(&block));
    let mut envoy = EnvoyProcess::spawn(launch).await.unwrap();
    let admin = envoy.admin().clone();
    eventually("a failed attempt to reach the control plane", async || {
        let failures = admin
            .stat("cluster.xds-grpc.upstream_cx_connect_fail")
            .await;
        failures.is_ok_and(|count| count > Some(0))
    })
    .await;
    assert!(!admin.ready().await.unwrap());
    assert_eq!(admin.rejected().await.unwrap(), Rejected::default());
    let error = envoy.ready(Duration::ZERO).await.unwrap_err().to_string();
    assert!(error.contains("is the control plane up?"), "{error}");
}

#[tokio::test]
async fn a_killed_envoy_comes_back_on_the_same_addresses() {
    let (block, dir) = (Block::claim().unwrap(), tempfile::tempdir().unwrap());
    let launch = launch(&block, dir.path(), self_sufficient(&block));
    let mut envoy = EnvoyProcess::spawn(launch).await.unwrap();
    envoy.ready(DEADLINE).await.unwrap();
    let first = envoy.pid();
    envoy.kill().await.unwrap();
    assert_eq!(envoy.pid(), None);
    envoy.respawn().await.unwrap();
    envoy.ready(DEADLINE).await.unwrap();
    assert_ne!(envoy.pid(), first);
}

#[tokio::test]
async fn a_bad_bootstrap_is_reported_with_envoys_own_words() {
    let (block, dir) = (Block::claim().unwrap(), tempfile::tempdir().unwrap());
    let mut bad = self_sufficient(&block);
    bad["no_such_field"] = true.into();
    let mut envoy = EnvoyProcess::spawn(launch(&block, dir.path(), bad))
        .await
        .unwrap();
    let error = envoy.ready(DEADLINE).await.unwrap_err();
    assert!(matches!(error, EnvoyError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("no_such_field"), "{error}");
}

#[tokio::test]
async fn a_dropped_envoy_is_gone() {
    let (block, dir) = (Block::claim().unwrap(), tempfile::tempdir().unwrap());
    let launch = launch(&block, dir.path(), self_sufficient(&block));
    let mut envoy = EnvoyProcess::spawn(launch).await.unwrap();
    envoy.ready(DEADLINE).await.unwrap();
    let admin = envoy.admin().addr();
    drop(envoy);
    eventually("the admin port is closed", async || {
        TcpStream::connect(admin).await.is_err()
    })
    .await;
}

const HELPER: &str = "PILOTHOUSE_TEST_HOLDS_AN_ENVOY";

/// Not a test of its own: the process that `an_envoy_dies_with_a_killed_parent` kills.
#[tokio::test]
#[ignore = "helper of an_envoy_dies_with_a_killed_parent"]
async fn holds_an_envoy_until_killed() {
    // The directory is the parent's, which lives to remove it.
    let Some(dir) = std::env::var_os(HELPER) else {
        return;
    };
    let block = Block::claim().unwrap();
    let launch = launch(&block, Path::new(&dir), self_sufficient(&block));
    let mut envoy = EnvoyProcess::spawn(launch).await.unwrap();
    envoy.ready(DEADLINE).await.unwrap();
    println!("\nadmin {}", envoy.admin().addr());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn an_envoy_dies_with_a_killed_parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([
            "envoy::tests::holds_an_envoy_until_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(HELPER, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let mut admins = lines.map_while(Result::ok).filter_map(|line| {
        let address = line.strip_prefix("admin ")?;
        address.parse::<std::net::SocketAddr>().ok()
    });
    let admin = admins.next().expect("the helper says where its Envoy is");
    assert!(TcpStream::connect(admin).await.is_ok());
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the orphan is gone", async || {
        TcpStream::connect(admin).await.is_err()
    })
    .await;
}
