//! The control API over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::Simulator;

use crate::marathon::client::{
    Answer, call, get, get_from, get_json, send_to, soon, start, start_with,
};
use crate::marathon::sequences::{app, settled};

async fn control(sim: &Simulator, method: &str, path: &str, body: Value) -> Answer {
    let answer = call(sim, method, path, body).await;
    assert!(
        answer.status < 300,
        "{path}: {} {}",
        answer.status,
        answer.text
    );
    answer
}

#[tokio::test]
async fn tasks_are_shown_and_changed() {
    let sim = start().await;
    let mut web = app(1);
    web["healthChecks"] = json!([{ "protocol": "HTTP" }]);
    sim.post_app(web).expect("accepted");
    let task = settled(&sim).await.remove(0);
    let shown = get_json(&sim, "/sim/tasks").await;
    assert_eq!(
        (&shown[0]["id"], &shown[0]["agentIp"]),
        (&json!(task.id), &json!("10.0.0.1"))
    );
    assert_eq!(
        shown[0]["ports"][0]["hostPort"],
        json!(task.ports[0].host_port)
    );
    let path = format!("/sim/tasks/{}", task.id);
    control(&sim, "PUT", &path, json!({ "healthy": false })).await;
    assert_eq!(sim.tasks()[0].healthy, Some(false));
    control(&sim, "PUT", &path, json!({ "state": "TASK_UNREACHABLE" })).await;
    assert_eq!(sim.tasks()[0].state, "TASK_UNREACHABLE");
    control(&sim, "PUT", &path, json!({ "state": "TASK_RUNNING" })).await;
    control(&sim, "POST", &format!("{path}/crash"), json!({})).await;
    settled(&sim).await;
    assert_eq!(sim.tasks()[0].incarnation, 2);
    let path = format!("/sim/tasks/{}", sim.tasks()[0].id);
    control(&sim, "POST", &format!("{path}/kill"), json!({})).await;
    soon(sim.until(|s| s.tasks()[0].incarnation == 3)).await;
    for (method, body) in [("PUT", json!({ "healthy": "x" })), ("POST", json!({}))] {
        let answer = call(&sim, method, "/sim/tasks/none", body).await;
        assert!((400..500).contains(&answer.status), "{}", answer.text);
    }
}

#[tokio::test]
async fn agents_settings_and_faults_are_within_reach() {
    let sim = start().await;
    sim.post_app(app(2)).expect("accepted");
    settled(&sim).await;
    control(&sim, "POST", "/sim/agents/10.0.0.1/lose", json!({})).await;
    control(&sim, "POST", "/sim/agents/10.0.0.1/give-up", json!({})).await;
    settled(&sim).await;
    assert_eq!(get_json(&sim, "/sim").await["agents"][0]["lost"], true);
    control(&sim, "POST", "/sim/agents/10.0.0.1/expunge", json!({})).await;
    control(&sim, "POST", "/sim/agents/10.0.0.1/find", json!({})).await;
    control(
        &sim,
        "PUT",
        "/sim/agents/10.0.0.1",
        json!({ "hostname": "a1" }),
    )
    .await;
    assert_eq!(get_json(&sim, "/sim").await["agents"][0]["hostname"], "a1");

    control(
        &sim,
        "PUT",
        "/sim/settings",
        json!({ "launch": "manual", "reusePorts": true }),
    )
    .await;
    sim.restart("/web").expect("accepted");
    soon(sim.until(|s| s.tasks().iter().any(|t| t.state == "TASK_STAGING"))).await;
    control(
        &sim,
        "PUT",
        "/sim/settings",
        json!({ "launch": "immediate" }),
    )
    .await;
    settled(&sim).await;

    let fault = json!({ "path": "/v2", "times": 1, "effect": { "status": 500 } });
    control(&sim, "POST", "/sim/faults", fault.clone()).await;
    assert_eq!(get_json(&sim, "/sim/faults").await, json!([fault]));
    assert_eq!(get(&sim, "/v2/apps").await.status, 500);
    assert_eq!(get_json(&sim, "/sim/faults").await, json!([]));
    control(
        &sim,
        "PUT",
        "/sim/events",
        json!({ "drop": 0.5, "shred": true }),
    )
    .await;
    assert_eq!(get_json(&sim, "/sim/events").await["drop"], 0.5);
    let wrong = call(&sim, "PUT", "/sim/settings", json!({ "lunch": "manual" })).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text);
    assert_eq!(get(&sim, "/sim/nothing").await.status, 404);
    assert_eq!(get(&sim, "/simulated").await.status, 404);
}

#[tokio::test]
async fn a_failover_is_one_request() {
    let sim = start_with(|o| {
        o.standbys = vec![o.listen];
        o.leader_wait = Duration::ZERO;
    })
    .await;
    let answer = control(&sim, "POST", "/sim/failover", json!({ "to": 1 })).await;
    assert_eq!(answer.status, 202);
    soon(sim.until(|s| s.leader() == Some(1))).await;
    let second = sim.addr_of(1);
    assert_eq!(
        get_from(second, "/v2/leader").await.json()["leader"],
        second.to_string()
    );
    let head = "Accept: */*\r\n";
    let abdicate = send_to(second, "POST", "/sim/abdicate", head, Some(json!({}))).await;
    assert_eq!(abdicate.status, 202);
    soon(sim.until(|s| s.leader().is_none())).await;
    let body = Some(json!({ "member": 0, "unready": 1 }));
    assert_eq!(
        send_to(sim.addr(), "POST", "/sim/elect", head, body)
            .await
            .status,
        202
    );
    soon(sim.until(|s| s.leader() == Some(0))).await;
    assert_eq!(
        call(&sim, "POST", "/sim/elect", json!({ "member": 7 }))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn control_needs_no_permission() {
    let sim = start_with(|o| o.auth.basic = vec![("ada".into(), "pw".into())]).await;
    assert_eq!(get(&sim, "/v2/apps").await.status, 401);
    assert_eq!(get_json(&sim, "/sim").await["settled"], true);
    control(
        &sim,
        "PUT",
        "/sim/accounts/ada",
        json!({ "allowed": false }),
    )
    .await;
    control(&sim, "DELETE", "/sim/tokens", json!({})).await;
    let head = "Authorization: Basic YWRhOnB3\r\n";
    assert_eq!(
        send_to(sim.addr(), "GET", "/v2/apps", head, None)
            .await
            .status,
        403
    );
}
