//! The order of events for every kind of change.

use serde_json::{Value, json};
use simulator::{Simulator, TaskView};

use crate::marathon::client::{Events, briefs, call, soon, start};

/// The way of one task from nothing to running.
pub(crate) const LAUNCH: [&str; 8] = [
    "instance_changed Scheduled",
    "instance_changed Provisioned",
    "status_update TASK_STAGING",
    "instance_changed Staging",
    "status_update TASK_STARTING",
    "instance_changed Starting",
    "status_update TASK_RUNNING",
    "instance_changed Running",
];

/// The way of one task to its end, after the goal has changed.
pub(crate) const KILL: [&str; 5] = [
    "instance_changed Running",
    "status_update TASK_KILLING",
    "instance_changed Killing",
    "status_update TASK_KILLED",
    "instance_changed Killed",
];

pub(crate) fn sequence(parts: &[&[&str]]) -> Vec<String> {
    parts.concat().into_iter().map(str::to_owned).collect()
}

pub(crate) fn app(instances: usize) -> Value {
    json!({ "id": "/web", "cmd": "serve", "instances": instances })
}

pub(crate) fn pod(instances: usize) -> Value {
    json!({
        "id": "/reviews",
        "labels": { "istio": "reviews", "version": "v1" },
        "scaling": { "kind": "fixed", "instances": instances },
        "networks": [{ "mode": "container/bridge" }],
        "containers": [
            { "name": "app", "endpoints": [
                { "name": "http", "containerPort": 9080, "hostPort": 0, "protocol": ["tcp"] }] },
            { "name": "proxy" },
        ],
    })
}

pub(crate) async fn settled(sim: &Simulator) -> Vec<TaskView> {
    soon(sim.settled()).await;
    sim.tasks()
}

#[tokio::test]
async fn create_app_with_health_check() {
    let sim = start().await;
    let mut events = Events::open(&sim).await;
    let mut app = app(1);
    app["healthChecks"] = json!([{ "protocol": "HTTP", "path": "/" }]);
    assert_eq!(call(&sim, "POST", "/v2/apps", app).await.status, 201);
    let seen = events.until("deployment_success").await;
    let expected = sequence(&[
        &["api_post", "group_change_success"],
        &[
            "deployment_info StartApplication",
            "deployment_step_success StartApplication",
        ],
        &["deployment_info ScaleApplication"],
        &LAUNCH,
        &["health_status_changed true", "instance_health_changed true"],
        &[
            "deployment_step_success ScaleApplication",
            "deployment_success",
        ],
    ]);
    assert_eq!(briefs(&seen), expected);
    let task = &sim.tasks()[0];
    let running = seen
        .iter()
        .find(|e| e["taskStatus"] == "TASK_RUNNING")
        .expect("running");
    assert_eq!(running["taskId"], task.id);
    assert_eq!(running["appId"], "/web");
    assert_eq!(running["host"], task.agent_hostname);
    assert_eq!(running["ports"], json!([task.ports[0].host_port]));
    assert_eq!(running["ipAddresses"][0]["ipAddress"], "10.0.0.1");
    let starting = seen
        .iter()
        .find(|e| e["taskStatus"] == "TASK_STARTING")
        .expect("starting");
    assert_eq!(starting["ipAddresses"], json!([]));
    let scheduled = seen
        .iter()
        .find(|e| e["condition"] == "Scheduled")
        .expect("scheduled");
    assert!(scheduled["host"].is_null() && scheduled["agentId"].is_null());
    assert_eq!(seen[0]["appDefinition"]["id"], "/web");
    assert_eq!(seen[0]["uri"], "/v2/apps");
    assert_eq!(
        seen.last().map(|e| &e["id"]),
        seen.last().map(|e| &e["plan"]["id"])
    );
}

#[tokio::test]
async fn create_pod_reports_every_container() {
    let sim = start().await;
    let mut events = Events::open(&sim).await;
    assert_eq!(call(&sim, "POST", "/v2/pods", pod(1)).await.status, 201);
    let seen = events.until("deployment_success").await;
    let expected = sequence(&[
        &["pod_created", "group_change_success"],
        &[
            "deployment_info StartPod",
            "deployment_step_success StartPod",
            "deployment_info ScalePod",
        ],
        &["instance_changed Scheduled", "instance_changed Provisioned"],
        &[
            "status_update TASK_STAGING",
            "instance_changed Staging",
            "status_update TASK_STAGING",
        ],
        &[
            "status_update TASK_STARTING",
            "instance_changed Starting",
            "status_update TASK_STARTING",
        ],
        &[
            "status_update TASK_RUNNING",
            "status_update TASK_RUNNING",
            "instance_changed Running",
        ],
        &["deployment_step_success ScalePod", "deployment_success"],
    ]);
    assert_eq!(briefs(&seen), expected);
    assert_eq!(seen[0]["uri"], "/v2/pods");
    let last: Vec<_> = seen
        .iter()
        .filter(|e| e["taskStatus"] == "TASK_RUNNING")
        .collect();
    assert_eq!(last[0]["ports"].as_array().map(Vec::len), Some(1));
    assert_eq!(last[1]["ports"], json!([]));
    assert!(last.iter().all(|e| e["appId"] == "/reviews"));
}

#[tokio::test]
async fn rolling_restart_overlaps() {
    let sim = start().await;
    sim.post_pod(pod(2)).expect("accepted");
    let before = settled(&sim).await;
    let mut events = Events::open(&sim).await;
    let mut next = pod(2);
    next["labels"]["version"] = "v2".into();
    assert_eq!(
        call(&sim, "PUT", "/v2/pods/reviews", next).await.status,
        200
    );
    let seen = events.until("deployment_success").await;
    let words = briefs(&seen);
    assert_eq!(
        words[..3],
        [
            "pod_updated",
            "group_change_success",
            "deployment_info RestartPod"
        ]
    );
    assert_eq!(
        words[words.len() - 2..],
        ["deployment_step_success RestartPod", "deployment_success"]
    );

    // Never fewer than two run, and never more than four exist.
    let mut running: Vec<&str> = Vec::new();
    let old: Vec<&str> = before.iter().map(|t| t.instance_id.as_str()).collect();
    running.extend(old.iter().copied());
    running.dedup();
    for event in seen
        .iter()
        .filter(|e| e["eventType"] == "instance_changed_event")
    {
        let id = event["instanceId"].as_str().expect("an id");
        match event["condition"].as_str() {
            Some("Running") if !running.contains(&id) => running.push(id),
            Some("Killing") => running.retain(|r| *r != id),
            _ => {}
        }
        assert!((2..=4).contains(&running.len()), "{running:?}");
    }
    assert!(running.iter().all(|id| !old.contains(id)));
    let goals = words
        .windows(2)
        .filter(|w| w[0] == "instance_changed Running" && w[1] == "status_update TASK_KILLING");
    assert_eq!(goals.count(), 2, "a change of goal before each kill");
}

#[tokio::test]
async fn without_health_capacity_the_old_go_first() {
    let sim = start().await;
    let mut web = app(1);
    web["upgradeStrategy"] = json!({ "minimumHealthCapacity": 0, "maximumOverCapacity": 0 });
    sim.post_app(web).expect("accepted");
    settled(&sim).await;
    let mut events = Events::open(&sim).await;
    assert_eq!(
        call(&sim, "POST", "/v2/apps/web/restart", json!({}))
            .await
            .status,
        200
    );
    let seen = events.until("deployment_success").await;
    let expected = sequence(&[
        &[
            "api_post",
            "group_change_success",
            "deployment_info RestartApplication",
        ],
        &KILL,
        &LAUNCH,
        &[
            "deployment_step_success RestartApplication",
            "deployment_success",
        ],
    ]);
    assert_eq!(briefs(&seen), expected);
}

#[tokio::test]
async fn scaling_takes_the_youngest() {
    let sim = start().await;
    sim.post_app(app(1)).expect("accepted");
    let first = settled(&sim).await;
    let mut events = Events::open(&sim).await;
    sim.scale("web", 2).expect("accepted");
    let seen = events.until("deployment_success").await;
    let expected = sequence(&[
        &[
            "api_post",
            "group_change_success",
            "deployment_info ScaleApplication",
        ],
        &LAUNCH,
        &[
            "deployment_step_success ScaleApplication",
            "deployment_success",
        ],
    ]);
    assert_eq!(briefs(&seen), expected);
    sim.scale("/web", 1).expect("accepted");
    let seen = events.until("deployment_success").await;
    let expected = sequence(&[
        &[
            "api_post",
            "group_change_success",
            "deployment_info ScaleApplication",
        ],
        &KILL,
        &[
            "deployment_step_success ScaleApplication",
            "deployment_success",
        ],
    ]);
    assert_eq!(briefs(&seen), expected);
    assert_eq!(settled(&sim).await, first, "the older one stays");
}

#[tokio::test]
async fn deleting_ends_with_app_terminated() {
    let sim = start().await;
    sim.post_app(app(1)).expect("accepted");
    sim.post_pod(pod(1)).expect("accepted");
    settled(&sim).await;
    let mut events = Events::open(&sim).await;
    let answer = call(&sim, "DELETE", "/v2/apps/web", json!({})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json()["deploymentId"],
        answer.headers["marathon-deployment-id"]
    );
    let seen = events.until("deployment_success").await;
    let expected = sequence(&[
        &["group_change_success", "deployment_info StopApplication"],
        &KILL,
        &[
            "app_terminated",
            "deployment_step_success StopApplication",
            "deployment_success",
        ],
    ]);
    assert_eq!(briefs(&seen), expected);

    let answer = call(&sim, "DELETE", "/v2/pods/reviews", json!({})).await;
    assert_eq!(answer.status, 202);
    let seen = events.until("deployment_success").await;
    let expected = sequence(&[
        &[
            "pod_deleted",
            "group_change_success",
            "deployment_info StopPod",
        ],
        &[
            "instance_changed Running",
            "status_update TASK_KILLING",
            "instance_changed Killing",
        ],
        &[
            "status_update TASK_KILLING",
            "status_update TASK_KILLED",
            "status_update TASK_KILLED",
        ],
        &["instance_changed Killed"],
        &[
            "app_terminated",
            "deployment_step_success StopPod",
            "deployment_success",
        ],
    ]);
    assert_eq!(briefs(&seen), expected);
    assert_eq!(seen[0]["uri"], "/v2/pods/reviews");
    assert_eq!(sim.tasks(), []);
}
