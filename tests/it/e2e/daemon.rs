//! `pilothouse discovery` as a process, started as old installations start Pilot.

use std::process::Stdio;

use demo::bootstrap::{AdsMode, Bootstrap, Interception, Role};
use demo::envoy::Launch;
use demo::{Binary, Block, EnvoyProcess, TaskAddresses};
use simulator::{Agent, Simulator};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::*;

/// `--drainTime` by default, and some time for a busy machine.
const DRAINED: Duration = Duration::from_secs(10);

/// The launch line of an old installation, with addresses of this block in place of all addresses.
fn discovery(block: &Block, marathon: &str) -> Command {
    let ip = block.master();
    let mut command = Command::new(pilothouse());
    command
        .arg("discovery")
        .args(["--httpAddr", &format!("{ip}:15007")])
        .args([
            "--grpcAddr",
            &format!("{ip}:15010"),
            "--monitoringAddr",
            &format!("{ip}:9093"),
        ])
        .args(["--registries", "Mesos", "--domain", "marathon.slave.mesos"])
        .args([
            "--mesosVIPDomain",
            "marathon.slave.mesos",
            "--mesosMaster",
            marathon,
        ])
        // The log has to be what operators see.
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn marathon(block: &Block) -> Simulator {
    let agent = Agent {
        bridge: block.bridge(1),
        ..Agent::at(block.agent(1))
    };
    let listen = (block.master(), 8080).into();
    let options = simulator::Options {
        listen,
        agents: vec![agent],
        ..Default::default()
    };
    Simulator::start(options).await.unwrap()
}

async fn answers(url: &str, status: u16) {
    eventually(&format!("{url} answers {status}"), async || {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client
            .get(url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().as_u16() == status)
    })
    .await;
}

/// Exit code and log after SIGTERM.
async fn terminated(process: Child) -> (Option<i32>, String) {
    signal("TERM", process.id().unwrap());
    let output = timeout(DRAINED, process.wait_with_output())
        .await
        .expect("ends in the drain time")
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test]
async fn the_old_launch_line_serves_an_envoy_and_ends_cleanly() {
    let block = Block::claim().unwrap();
    let marathon = marathon(&block).await;
    marathon.post_pod(demo::samples::pods().remove(1)).unwrap();
    marathon.settled().await;
    let task = marathon.tasks_of("/details").remove(0);
    // An old flag that means nothing any more is dropped with a warning.
    let process = discovery(&block, &marathon.url())
        .args(["--resync", "60s"])
        .spawn()
        .unwrap();
    for port in [15007, 9093] {
        answers(&format!("http://{}:{port}/ready", block.master()), 200).await;
    }

    let dir = tempfile::tempdir().unwrap();
    let mut envoy = envoy(&block, &task, dir.path()).await;
    envoy.ready(PATIENCE).await.unwrap();
    let clusters = envoy.admin().config_dump().await.unwrap().to_string();
    assert!(clusters.contains("outbound|9080||details.marathon.slave.mesos"));

    let (code, log) = terminated(process).await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("--resync") && log.contains("ignored"), "{log}");
    assert!(
        !log.contains("ending it now"),
        "streams ended by themselves: {log}"
    );
    assert!(envoy.admin().ready().await.unwrap(), "the Envoy serves on");
    envoy.stop().await.unwrap();
    marathon.shutdown().await;
}

/// The sidecar of a task that the simulator only pretends to run.
async fn envoy(block: &Block, task: &simulator::TaskView, dir: &std::path::Path) -> EnvoyProcess {
    let Some(std::net::IpAddr::V4(container)) = task.container_ip else {
        panic!("{task:?}");
    };
    let bootstrap = Bootstrap {
        certificates: None,
        role: Role::Sidecar,
        address: container,
        interception: Interception::Addresses(TaskAddresses::of(container).unwrap()),
        instance_id: task.instance_id.clone(),
        task_id: task.id.clone(),
        app_id: task.run_spec_id.clone(),
        cluster: "details-v1".into(),
        agent: block.agent(1),
        domain: "marathon.slave.mesos".into(),
        discovery: vec![(block.master(), 15010).into()],
        ads: AdsMode::Delta,
    };
    let launch = Launch {
        name: "details".into(),
        binary: Binary::find().unwrap(),
        bootstrap: bootstrap.document(),
        admin: bootstrap.admin(),
        dir: dir.to_owned(),
        log_level: "warning".into(),
    };
    EnvoyProcess::spawn(launch).await.unwrap()
}

#[tokio::test]
async fn without_marathon_it_says_what_is_pending_and_still_ends_cleanly() {
    let block = Block::claim().unwrap();
    let process = discovery(&block, &format!("http://{}:8080", block.master()))
        .spawn()
        .unwrap();
    answers(&format!("http://{}:15007/ready", block.master()), 503).await;
    let (code, log) = terminated(process).await;
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn an_unknown_flag_is_an_error_that_names_it() {
    let output = Command::new(pilothouse())
        .args(["discovery", "--registrys", "Mesos"])
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("--registrys") && text.contains("--registries"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_flag() {
    let block = Block::claim().unwrap();
    let _taken = std::net::TcpListener::bind((block.master(), 15007)).unwrap();
    let output = timeout(PATIENCE, discovery(&block, "http://127.0.0.1:1").output())
        .await
        .expect("ends")
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("--httpAddr") && text.contains(":15007"),
        "{text}"
    );
}
