//! The Marathon source in step with a Marathon that lives: the simulator.

use std::collections::BTreeSet;
use std::time::Duration;

use ::watch::State;
use ::watch::marathon::{Marathon, Options, Timing};
use api::marathon::Workload;
use serde_json::{Value, json};
use simulator::{Launch, Simulator, TaskView};

use crate::sources::ear::Ear;

fn pod(id: &str, version: &str, instances: u32) -> Value {
    json!({
        "id": id,
        "labels": {"istio": "reviews", "version": version},
        "containers": [{
            "name": "reviews",
            "exec": {"command": {"shell": "serve"}},
            "resources": {"cpus": 0.1, "mem": 32},
            "endpoints": [{"name": "http-9080", "containerPort": 9080, "hostPort": 0, "protocol": ["tcp"]}]
        }],
        "networks": [{"mode": "container/bridge"}],
        "scaling": {"kind": "fixed", "instances": instances}
    })
}

fn app(id: &str, version: &str, instances: u32) -> Value {
    json!({
        "id": id,
        "cmd": "serve",
        "cpus": 0.1,
        "mem": 32,
        "instances": instances,
        "labels": {"istio": "details", "version": version},
        "container": {"type": "MESOS", "portMappings": [{"containerPort": 9080, "hostPort": 0, "name": "http"}]},
        "networks": [{"mode": "container/bridge"}]
    })
}

async fn simulator() -> Simulator {
    let options = simulator::Options {
        heartbeat: Duration::from_millis(200),
        ..simulator::Options::default()
    };
    Simulator::start(options).await.unwrap()
}

async fn settled(simulator: &Simulator) {
    let settled = tokio::time::timeout(Duration::from_secs(20), simulator.settled());
    assert!(settled.await.is_ok(), "{:#?}", simulator.tasks());
}

/// Nothing but events may tell of changes: no safety resync within a test.
fn listen(simulator: &Simulator, change: impl FnOnce(&mut Timing)) -> Ear {
    let mut options = Options::new([simulator.url().parse().unwrap()]);
    options.timing.resync = Duration::from_secs(3600);
    options.timing.backoff = (Duration::from_millis(1), Duration::from_millis(50));
    options.timing.confirm = Duration::from_millis(50);
    change(&mut options.timing);
    let marathon = Marathon::new(options, "marathon").unwrap();
    Ear::listen(marathon.status(), |tx, status, shutdown| {
        marathon.run(tx, status, shutdown)
    })
}

async fn with_both() -> (Simulator, Ear) {
    let simulator = simulator().await;
    simulator.post_app(app("/shop/details", "v1", 1)).unwrap();
    simulator.post_pod(pod("/reviews", "v1", 1)).unwrap();
    settled(&simulator).await;
    let mut ear = listen(&simulator, |_| {});
    ear.until_list(1).await;
    assert_eq!(
        ear.words(),
        ["init", "init+ /shop/details", "init+ /reviews", "done"]
    );
    (simulator, ear)
}

/// Running instances and their host ports, as the ear knows them.
fn heard(ear: &Ear, id: &str) -> BTreeSet<(String, u16)> {
    let workload = ear.workloads.now.values().find(|w| &*w.key().id == id);
    match workload {
        Some(Workload::App(w)) => {
            let running = w.app.tasks.iter().filter(|t| t.state == "TASK_RUNNING");
            running.map(|t| (t.id.clone(), t.ports[0])).collect()
        }
        Some(Workload::Pod(w)) => {
            let containers = w.status.instances.iter().flat_map(|i| &i.containers);
            let running = containers.filter(|c| c.status == "TASK_RUNNING");
            let port =
                |c: &api::marathon::ContainerStatus| c.endpoints[0].allocated_host_port.unwrap();
            running
                .map(|c| (c.container_id.clone().unwrap(), port(c)))
                .collect()
        }
        None => BTreeSet::new(),
    }
}

/// The same, as the simulator knows them.
fn truth(simulator: &Simulator, id: &str) -> BTreeSet<(String, u16)> {
    let running = |t: &TaskView| t.state == "TASK_RUNNING";
    let tasks = simulator.tasks_of(id).into_iter().filter(running);
    tasks
        .map(|t| (t.id, t.ports[0].host_port.unwrap()))
        .collect()
}

/// Waits until the ear knows what the simulator knows of both workloads.
async fn in_step(ear: &mut Ear, simulator: &Simulator, what: &str) {
    settled(simulator).await;
    ear.until(what, |ear| {
        ["/shop/details", "/reviews"].iter().all(|id| {
            let known = ear.workloads.now.keys().any(|key| &*key.id == *id);
            let true_tasks = truth(simulator, id);
            heard(ear, id) == true_tasks && (known || true_tasks.is_empty())
        })
    })
    .await;
}

fn versions(ear: &Ear, id: &str) -> Vec<String> {
    let label = |labels: &std::collections::BTreeMap<String, String>| labels["version"].clone();
    match ear.workloads.now.values().find(|w| &*w.key().id == id) {
        Some(Workload::App(w)) => w.versions.iter().map(|v| label(&v.labels)).collect(),
        Some(Workload::Pod(w)) => w.versions.iter().map(|v| label(&v.labels)).collect(),
        None => vec![],
    }
}

#[tokio::test]
async fn create_scale_crash_and_delete_are_followed_by_events_alone() {
    let (simulator, mut ear) = with_both().await;
    simulator.post_pod(pod("/late", "v1", 1)).unwrap();
    ear.until("a pod is created", |ear| heard(ear, "/late").len() == 1)
        .await;
    for id in ["/shop/details", "/reviews"] {
        simulator.scale(id, 3).unwrap();
        in_step(&mut ear, &simulator, "scaled up").await;
        assert_eq!(heard(&ear, id).len(), 3);
        let task = simulator.tasks_of(id).remove(0).id;
        let before = truth(&simulator, id);
        simulator.crash_task(&task).unwrap();
        in_step(&mut ear, &simulator, "crashed").await;
        assert_ne!(heard(&ear, id), before);
        simulator.scale(id, 1).unwrap();
        in_step(&mut ear, &simulator, "scaled down").await;
        simulator.delete(id).unwrap();
        ear.until("deleted", |ear| {
            ear.workloads.now.keys().all(|key| &*key.id != id)
        })
        .await;
    }
    let words = ear.words();
    assert!(
        words.iter().all(|w| w.starts_with(['+', '-'])),
        "no second list: {words:?}"
    );
}

#[tokio::test]
async fn a_rolling_restart_shows_old_instances_with_their_own_version() {
    let (simulator, mut ear) = with_both().await;
    simulator.set_launch(Launch::Manual);
    simulator.put_app(app("/shop/details", "v2", 1)).unwrap();
    simulator.put_pod(pod("/reviews", "v2", 1)).unwrap();
    ear.until("old beside new", |ear| {
        versions(ear, "/shop/details") == ["v1"] && versions(ear, "/reviews") == ["v1"]
    })
    .await;
    // The new versions may be known before their instances are launched.
    let staging = |s: &Simulator, id: &str| {
        let tasks = s.tasks_of(id);
        tasks.iter().any(|task| task.state == "TASK_STAGING")
    };
    let both = simulator.until(|s| {
        ["/shop/details", "/reviews"]
            .iter()
            .all(|id| staging(s, id))
    });
    let launched = tokio::time::timeout(Duration::from_secs(20), both);
    assert!(launched.await.is_ok(), "{:#?}", simulator.tasks());
    for task in simulator.tasks() {
        if task.state == "TASK_STAGING" {
            simulator.set_task_state(&task.id, "TASK_RUNNING").unwrap();
        }
    }
    ear.until("only new", |ear| {
        ["/shop/details", "/reviews"].iter().all(|id| {
            let live = truth(&simulator, id);
            versions(ear, id).is_empty() && live.len() == 1 && heard(ear, id) == live
        })
    })
    .await;
}

#[tokio::test]
async fn a_restart_replaces_every_instance() {
    let (simulator, mut ear) = with_both().await;
    for id in ["/shop/details", "/reviews"] {
        let before = truth(&simulator, id);
        simulator.restart(id).unwrap();
        in_step(&mut ear, &simulator, "restarted").await;
        assert!(heard(&ear, id).is_disjoint(&before));
    }
}

#[tokio::test]
async fn while_marathon_is_away_nothing_is_said_and_its_return_is_a_complete_list() {
    let (simulator, mut ear) = with_both().await;
    let before = ear.workloads.now.clone();
    simulator.pause().await;
    ear.until_status("away", |s| matches!(s.state, State::Retrying { .. }))
        .await;
    simulator.scale("/reviews", 2).unwrap();
    settled(&simulator).await;
    assert_eq!((ear.words(), &ear.workloads.now), (vec![], &before));
    simulator.resume().await.unwrap();
    ear.until_list(2).await;
    in_step(&mut ear, &simulator, "returned").await;
    ear.until_status("in step", |s| s.state == State::Streaming)
        .await;
    // The new stream works.
    simulator.scale("/reviews", 1).unwrap();
    in_step(&mut ear, &simulator, "scaled down").await;
}

#[tokio::test]
async fn a_marathon_that_is_away_at_the_start_is_waited_for() {
    let simulator = simulator().await;
    simulator.post_pod(pod("/reviews", "v1", 2)).unwrap();
    settled(&simulator).await;
    simulator.pause().await;
    let mut ear = listen(&simulator, |_| {});
    ear.until_status("retrying", |s| matches!(s.state, State::Retrying { .. }))
        .await;
    assert!(!ear.status().synced);
    simulator.resume().await.unwrap();
    ear.until_list(1).await;
    in_step(&mut ear, &simulator, "the first list").await;
}

#[tokio::test]
async fn a_frozen_stream_is_noticed_and_what_it_hid_is_read() {
    let simulator = simulator().await;
    simulator.post_pod(pod("/reviews", "v1", 1)).unwrap();
    settled(&simulator).await;
    let mut ear = listen(&simulator, |timing| timing.idle = Duration::from_secs(1));
    ear.until_list(1).await;
    simulator.freeze_events(true);
    simulator.scale("/reviews", 2).unwrap();
    in_step(&mut ear, &simulator, "what the stream hid").await;
    let error = ear.status().last_error.unwrap();
    assert!(error.contains("silent"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_changes_ends_in_step_whatever_was_read_meanwhile() {
    let simulator = simulator().await;
    for n in 0..20 {
        simulator.post_pod(pod(&format!("/p{n}"), "v1", 1)).unwrap();
    }
    settled(&simulator).await;
    // Changes go on while the first list is read.
    let mut ear = listen(&simulator, |_| {});
    for round in 0..30 {
        let id = format!("/p{}", round % 20);
        simulator.scale(&id, 1 + round % 3).unwrap();
        settled(&simulator).await;
        if round == 15 {
            simulator.drop_streams();
        }
    }
    ear.until("in step", |ear| {
        (0..20).all(|n| {
            let id = format!("/p{n}");
            let live = truth(&simulator, &id);
            !live.is_empty() && heard(ear, &id) == live
        })
    })
    .await;
}
