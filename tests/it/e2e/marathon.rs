//! Marathon in trouble while clients send requests: a new leader that knows no health, an agent that
//! is lost, an event stream that is silent without an end. No request fails that had somewhere to go,
//! and at the end the control plane knows what runs.

use std::collections::BTreeSet;

use demo::client::Votes;
use serde_json::{Value, json};
use simulator::Failover;

use super::*;

/// Reviews without a proxy, whose health Marathon itself checks and a new leader forgets.
const CHECKED: &str = "/reviews-checked";

fn checked() -> Value {
    json!({
        "id": CHECKED, "instances": 2, "labels": {"istio": "reviews", "version": "v1"},
        "networks": [{"mode": "container/bridge"}],
        "container": {"type": "MESOS", "portMappings": [
            {"containerPort": 9080, "hostPort": 0, "name": "http-9080"}]},
        "healthChecks": [{"protocol": "HTTP", "path": "/health", "portIndex": 0}],
    })
}

/// The rows of a page.
async fn rows(mesh: &Mesh, path: &str) -> Vec<Value> {
    let (status, body) = mesh.pages().get(path).await.unwrap();
    assert!(status.is_success(), "{path}: {status}");
    serde_json::from_str(&body).unwrap()
}

/// How many endpoints of a service have that health.
async fn count(mesh: &Mesh, service: &str, health: &str) -> usize {
    let path = format!("/debug/registryz?host={service}.marathon.slave.mesos");
    let rows = rows(mesh, &path).await;
    let instances = rows[0]["instances"].as_array().cloned().unwrap_or_default();
    instances.iter().filter(|i| i["health"] == health).count()
}

/// How often everything was read, and who leads.
async fn source(mesh: &Mesh) -> Value {
    let rows = rows(mesh, "/debug/sources").await;
    let found = rows.into_iter().find(|row| row["name"] == "marathon");
    found.unwrap()
}

/// Which instances of reviews answer.
async fn answering(client: &Client) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..80 {
        let page = client.whole_page(None).await.unwrap();
        seen.insert(page.reviews.shown().unwrap().origin.instance.clone());
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_knows_no_health_changes_nothing() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    mesh.marathon().post_app(checked()).unwrap();
    eventually("both tasks run", async || {
        let tasks = mesh.marathon().tasks_of(CHECKED);
        tasks.iter().filter(|t| t.state == "TASK_RUNNING").count() == 2
    })
    .await;
    let tasks = mesh.marathon().tasks_of(CHECKED);
    for task in &tasks {
        mesh.marathon().set_health(&task.id, Some(true)).unwrap();
    }
    settled(&mesh).await;
    mesh.marathon()
        .set_health(&tasks[1].id, Some(false))
        .unwrap();
    eventually("one is unhealthy", async || {
        count(&mesh, "reviews", "UNHEALTHY").await == 1
    })
    .await;
    settled(&mesh).await;
    let before = answering(&client).await;
    assert_eq!(
        before.len(),
        4,
        "three pods and the healthy task: {before:?}"
    );

    let load = load(&client).await;
    load.step("leader failover");
    let lists = source(&mesh).await["resyncs"].as_u64().unwrap();
    let how = Failover {
        leaderless: 500,
        unready: 2,
        ..Failover::default()
    };
    mesh.marathon().fail_over(&how).await.unwrap();
    let unknown = mesh.marathon().tasks_of(CHECKED);
    assert!(unknown.iter().all(|task| task.healthy.is_none()), "wiped");
    eventually("everything was read again", async || {
        let now = source(&mesh).await;
        now["resyncs"].as_u64() > Some(lists) && now["state"] == "streaming"
    })
    .await;
    assert_eq!(count(&mesh, "reviews", "HEALTHY").await, 4);
    assert_eq!(count(&mesh, "reviews", "UNHEALTHY").await, 1);
    load.more(30).await;
    assert_eq!(answering(&client).await, before);

    load.step("the checks have run again");
    mesh.marathon().refill_health();
    settled(&mesh).await;
    assert_eq!(answering(&client).await, before);
    unharmed(load).await;
    end(mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_agent_is_left_alone_until_it_is_replaced() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    let lost = mesh.workloads_of("/reviews-v2").remove(0);
    let load = load(&client).await;
    load.step("an agent is lost");
    mesh.marathon().lose_agent(&lost.agent.to_string()).unwrap();
    let there = mesh
        .workloads()
        .into_iter()
        .filter(|w| w.agent == lost.agent);
    let reviews = there.filter(|w| w.app.starts_with("/reviews")).count();
    assert!(reviews < 3, "some of reviews is elsewhere");
    eventually("its instances are degraded", async || {
        count(&mesh, "reviews", "DEGRADED").await == reviews
    })
    .await;
    settled(&mesh).await;
    // What nothing can replace is still used, and what others can is not: it may die.
    let killed = mesh.workloads().into_iter();
    let killed = killed.filter(|w| w.agent == lost.agent && w.app.starts_with("/reviews"));
    for workload in killed {
        workload.kill_envoy().await.unwrap();
    }
    load.more(60).await;
    let answering = answering(&client).await;
    assert_eq!(answering.len(), 3 - reviews, "{answering:?}");
    unharmed(load).await;

    let agent = lost.agent.to_string();
    mesh.marathon().give_up_agent(&agent).unwrap();
    mesh.marathon().expunge_agent(&agent).unwrap();
    // Marathon's tasks, the control plane's instances and the Envoys agree.
    settled(&mesh).await;
    assert!(mesh.workloads().iter().all(|w| w.agent != lost.agent));
    assert_eq!(count(&mesh, "reviews", "HEALTHY").await, 3);
    // The gateway may be elsewhere now.
    let client = self::client(&mesh).await;
    let votes = Votes::cast(&client, None, 40).await;
    assert!(votes.failures.is_empty() && votes.of("v2") > 0, "{votes}");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_silent_without_an_end_is_left_for_another() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    let load = load(&client).await;
    load.step("the event stream is frozen");
    let lists = source(&mesh).await["resyncs"].as_u64().unwrap();
    mesh.marathon().freeze_events(true);
    mesh.marathon().scale("/reviews-v2", 2).unwrap();
    // Nobody is told; the silence itself is what shows it, after half a minute.
    let deadline = Instant::now() + PATIENCE * 2;
    while source(&mesh).await["resyncs"].as_u64() <= Some(lists) {
        assert!(Instant::now() < deadline, "{:#}", source(&mesh).await);
        load.more(5).await;
    }
    settled(&mesh).await;
    assert_eq!(count(&mesh, "reviews", "HEALTHY").await, 4);
    assert_eq!(answering(&client).await.len(), 4);

    load.step("it thaws");
    mesh.marathon().freeze_events(false);
    mesh.marathon().scale("/reviews-v2", 1).unwrap();
    settled(&mesh).await;
    assert_eq!(count(&mesh, "reviews", "HEALTHY").await, 3);
    load.more(20).await;
    unharmed(load).await;
    end(mesh).await;
}
