//! Agents that are lost, found or gone, and what they are called.

use serde_json::json;
use simulator::{Simulator, TaskView};

use crate::marathon::client::{Events, brief, briefs, get_json, soon, start};
use crate::marathon::sequences::{LAUNCH, app, pod, sequence, settled};

const LOST: &str = "10.0.0.1";

fn on_lost(tasks: &[TaskView]) -> Vec<TaskView> {
    let there = tasks.iter().filter(|t| t.agent_hostname == LOST);
    there.cloned().collect()
}

/// Two instances on two agents, one of them unreachable.
async fn half_lost() -> (Simulator, TaskView, Events) {
    let sim = start().await;
    sim.post_app(app(2)).expect("accepted");
    let lost = on_lost(&settled(&sim).await).remove(0);
    let events = Events::open(&sim).await;
    sim.lose_agent(LOST).expect("known");
    (sim, lost, events)
}

#[tokio::test]
async fn a_lost_agent_is_replaced_and_forgotten() {
    let (sim, lost, mut events) = half_lost().await;
    let shown = get_json(&sim, "/v2/apps/web/tasks").await;
    assert_eq!(shown["tasks"][0]["state"], "TASK_UNREACHABLE");
    assert_eq!(shown["tasks"][0]["ports"].as_array().map(Vec::len), Some(1));
    sim.give_up_agent(LOST).expect("lost");
    settled(&sim).await;
    let shown = get_json(&sim, "/v2/apps/web/tasks").await;
    assert_eq!(shown["tasks"][0]["ports"], json!([]), "given up: no ports");
    assert_eq!(sim.tasks().len(), 3);
    assert_eq!(sim.tasks()[2].agent_hostname, "10.0.0.2");
    sim.expunge_agent(LOST).expect("lost");
    soon(sim.until(|s| s.tasks().len() == 2)).await;
    assert!(sim.tasks().iter().all(|t| t.id != lost.id));
    sim.scale("/web", 0).expect("accepted");
    let expected = sequence(&[
        &[
            "status_update TASK_UNREACHABLE",
            "instance_changed Unreachable",
        ],
        &["instance_changed UnreachableInactive"],
        &LAUNCH,
        &["status_update TASK_GONE", "instance_changed Gone"],
        &["api_post"],
    ]);
    assert_eq!(briefs(&events.until("api_post_event").await), expected);
}

#[tokio::test]
async fn a_returning_agent_costs_the_replacement_its_life() {
    let (sim, lost, mut events) = half_lost().await;
    sim.give_up_agent(LOST).expect("lost");
    settled(&sim).await;
    let replacement = sim.tasks().remove(2);
    events.until("instance_changed_event").await;
    sim.find_agent(LOST).expect("lost");
    soon(sim.until(|s| s.tasks().len() == 2)).await;
    let ids: Vec<String> = sim.tasks().into_iter().map(|t| t.id).collect();
    assert!(ids.contains(&lost.id) && !ids.contains(&replacement.id));
    assert!(sim.tasks().iter().all(|t| t.state == "TASK_RUNNING"));
    let mut of_both = Vec::new();
    while of_both.last().map(String::as_str) != Some("status_update TASK_KILLED") {
        let event = events.next().await.expect("open");
        if event["taskId"] == lost.id.as_str() || event["taskId"] == replacement.id.as_str() {
            of_both.push(brief(&event));
        }
    }
    let end = ["TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"].map(|s| format!("status_update {s}"));
    assert_eq!(of_both[of_both.len() - 3..], end);
}

#[tokio::test]
async fn an_agent_that_comes_back_in_time_changes_nothing() {
    let (sim, lost, _events) = half_lost().await;
    sim.find_agent(LOST).expect("lost");
    let after = settled(&sim).await;
    assert_eq!(on_lost(&after)[0].id, lost.id);
    assert_eq!(after.len(), 2);
    assert!(sim.find_agent(LOST).is_err(), "not lost");
    assert!(sim.lose_agent("nowhere").is_err());
}

#[tokio::test]
async fn a_disabled_strategy_waits_for_ever() {
    let sim = start().await;
    let mut patient = app(2);
    patient["unreachableStrategy"] = "disabled".into();
    sim.post_app(patient).expect("accepted");
    let mut reviews = pod(2);
    reviews["scheduling"] = json!({ "unreachableStrategy": "disabled" });
    sim.post_pod(reviews).expect("accepted");
    let before = settled(&sim).await;
    sim.lose_agent(LOST).expect("known");
    sim.give_up_agent(LOST).expect("lost");
    settled(&sim).await;
    assert_eq!(sim.tasks().len(), before.len());
    let status = get_json(&sim, "/v2/pods/reviews::status").await;
    let states = [0, 1].map(|i| status["instances"][i]["status"].clone());
    assert!(states.contains(&json!("DEGRADED")) && states.contains(&json!("STABLE")));
}

#[tokio::test]
async fn what_is_lost_can_be_deleted_and_restarted() {
    let (sim, lost, _events) = half_lost().await;
    sim.give_up_agent(LOST).expect("lost");
    settled(&sim).await;
    sim.restart("/web").expect("accepted");
    settled(&sim).await;
    assert!(
        sim.tasks()
            .iter()
            .all(|t| t.id != lost.id && t.agent_hostname != LOST)
    );
    assert_eq!(sim.tasks().len(), 2);
    sim.delete("/web").expect("accepted");
    soon(sim.until(|s| s.tasks().is_empty())).await;
}

#[tokio::test]
async fn agents_can_have_names() {
    let sim = start().await;
    sim.post_app(app(2)).expect("accepted");
    settled(&sim).await;
    sim.rename_agent(LOST, "agent-1.example").expect("known");
    let tasks = get_json(&sim, "/v2/apps/web/tasks").await;
    assert_eq!(tasks["tasks"][0]["host"], "agent-1.example");
    assert_eq!(sim.tasks()[0].agent_ip.to_string(), LOST);
}

#[tokio::test]
async fn host_ports_can_be_reused_at_once() {
    let sim = start().await;
    sim.reuse_ports(true);
    sim.post_app(app(1)).expect("accepted");
    let before = settled(&sim).await.remove(0);
    sim.scale("/web", 0).expect("accepted");
    settled(&sim).await;
    sim.scale("/web", 1).expect("accepted");
    let after = settled(&sim).await.remove(0);
    assert_ne!(after.id, before.id);
    assert_eq!(after.agent_ip, before.agent_ip);
    assert_eq!(after.ports[0].host_port, before.ports[0].host_port);
}
