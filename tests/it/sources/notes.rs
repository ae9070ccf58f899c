//! What the Marathon source adds to Marathon's own word: the health that vanished, and addresses.

use api::marathon::{Task, Workload};
use serde_json::{Value, json};

use crate::sources::ear::Ear;
use crate::sources::fake::Fake;
use crate::sources::source::with_apps;

fn checked(results: Value) -> Value {
    json!({
        "id": "/a", "labels": {"istio": "a"}, "healthChecks": [{"gracePeriodSeconds": 5, "intervalSeconds": 2}],
        "tasks": [{"id": "t", "host": "10.0.0.1", "state": "TASK_RUNNING", "startedAt": "2024-05-02T00:00:00Z",
            "ports": [31000], "healthCheckResults": results}],
    })
}

fn task(ear: &Ear) -> Option<&Task> {
    ear.workloads.now.values().find_map(|w| match w {
        Workload::App(w) => w.app.tasks.first(),
        Workload::Pod(_) => None,
    })
}

/// The health as the index understands it.
fn health(ear: &Ear) -> Option<bool> {
    let task = task(ear)?;
    task.healthy().or(task.remembered)
}

#[tokio::test]
async fn row13_a_new_leader_without_results_changes_no_verdict() {
    let failed = json!([{"alive": false, "lastFailure": "2024-05-02T00:01:00Z"}]);
    for (verdict, results) in [(true, json!([{"alive": true}])), (false, failed)] {
        let (fake, mut ear) = with_apps(vec![checked(results)]).await;
        assert_eq!(health(&ear), Some(verdict));
        fake.script().apps[0] = checked(json!([]));
        // The old leader closes all streams.
        fake.send(b"");
        ear.until_list(2).await;
        assert_eq!(health(&ear), Some(verdict));
    }
}

#[tokio::test]
async fn row13_a_young_task_without_results_waits_for_its_first_check() {
    let (fake, mut ear) = with_apps(vec![json!({"id": "/a"})]).await;
    let mut young = checked(json!([]));
    young["tasks"][0]["startedAt"] = json!(jiff::Timestamp::now().to_string());
    fake.script().apps[0] = young.clone();
    fake.touch("/a");
    ear.until("the task", |ear| task(ear).is_some()).await;
    assert_eq!(health(&ear), Some(false));
    // No event comes when it is old enough: the source itself looks again.
    ear.until("trusted", |ear| health(ear) == Some(true)).await;
}

#[tokio::test]
async fn row34_an_agent_with_a_name_gets_its_address() {
    let mut named = checked(json!([]));
    named["tasks"][0]["host"] = json!("localhost");
    let fake = Fake::start(vec![named], vec![]).await;
    let mut ear = crate::sources::source::listen(crate::sources::source::options(&[&fake.url]));
    ear.until_list(1).await;
    let address = task(&ear).unwrap().agent_address.unwrap();
    assert!(address.is_loopback(), "{address}");
}
