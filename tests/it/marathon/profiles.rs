//! Releases of Marathon and how they differ.

use serde_json::{Value, json};
use simulator::Simulator;

use crate::marathon::client::{Events, briefs, get_json, soon, start_with};
use crate::marathon::sequences::{app, pod, settled};

async fn version(version: &str) -> Simulator {
    start_with(|o| o.version = version.into()).await
}

fn bridge_app() -> Value {
    json!({ "id": "/web", "networks": [{ "mode": "container/bridge" }],
        "container": { "type": "DOCKER", "docker": { "image": "i" }, "portMappings": [
            { "containerPort": 80, "hostPort": 0, "name": "http" }] } })
}

#[tokio::test]
async fn before_1_8_a_crash_makes_another_instance() {
    for release in ["1.5", "1.7"] {
        let sim = version(release).await;
        sim.post_app(app(1)).expect("accepted");
        sim.post_pod(pod(1)).expect("accepted");
        let before = settled(&sim).await;
        let uuid = before[0]
            .id
            .strip_prefix("web.")
            .expect("<path>.<uuid>")
            .to_owned();
        assert_eq!(uuid.len(), 36);
        assert_eq!(before[0].instance_id, format!("web.marathon-{uuid}"));
        assert_eq!(before[1].id, format!("{}.app", before[1].instance_id));
        assert!(before[1].instance_id.starts_with("reviews.instance-"));

        let mut events = Events::open(&sim).await;
        sim.crash_task(&before[0].id).expect("running");
        soon(sim.until(|s| s.tasks_of("/web").iter().all(|t| t.id != before[0].id))).await;
        settled(&sim).await;
        let after = sim.tasks_of("/web").remove(0);
        assert_ne!(after.instance_id, before[0].instance_id);
        assert_ne!(after.ports[0].host_port, before[0].ports[0].host_port);
        sim.scale("/web", 0).expect("accepted");
        let seen = briefs(&events.until("api_post_event").await);
        let expected = [
            "status_update TASK_FAILED",
            "instance_changed Failed",
            "instance_changed Created",
            "status_update TASK_STAGING",
            "instance_changed Staging",
            "status_update TASK_STARTING",
            "instance_changed Starting",
            "status_update TASK_RUNNING",
            "instance_changed Running",
            "api_post",
        ];
        assert_eq!(seen, expected, "{release}");
    }
}

#[tokio::test]
async fn plans_are_heavy_unless_asked_otherwise_before_1_7() {
    let cases = [
        ("1.5", "", true),
        ("1.5", "?plan-format=light", false),
        ("1.7", "", false),
        ("1.8", "", false),
        ("1.11", "?plan-format=heavy", false),
    ];
    for (release, query, heavy) in cases {
        let sim = version(release).await;
        let mut events = Events::open_with(&sim, query).await;
        sim.post_app(app(1)).expect("accepted");
        let seen = events.until("deployment_success").await;
        let info = seen.iter().find(|e| e["eventType"] == "deployment_info");
        for event in [info.expect("announced"), seen.last().expect("an end")] {
            let (original, target) = (&event["plan"]["original"], &event["plan"]["target"]);
            if heavy {
                assert_eq!(original["apps"], json!([]));
                assert_eq!(target["apps"][0]["id"], "/web");
            } else {
                assert_eq!(
                    (original, target),
                    (&Value::Null, &Value::Null),
                    "{release}"
                );
            }
        }
    }
}

#[tokio::test]
async fn roles_came_with_1_9() {
    for (release, role) in [("1.8", Value::Null), ("1.11", json!("*"))] {
        let sim = version(release).await;
        sim.post_app(app(1)).expect("accepted");
        sim.post_pod(pod(1)).expect("accepted");
        settled(&sim).await;
        let web = &get_json(&sim, "/v2/apps/web").await["app"];
        assert_eq!((&web["role"], &web["tasks"][0]["role"]), (&role, &role));
        let status = get_json(&sim, "/v2/pods/reviews::status").await;
        assert_eq!(status["spec"]["role"], role);
        assert_eq!(status["instances"][0]["role"], role);
        let root = get_json(&sim, "/v2/groups").await;
        assert_eq!(root.get("enforceRole").is_some(), !role.is_null());
    }
}

#[tokio::test]
async fn marathon_1_4_writes_the_old_networking() {
    let sim = version("1.4.9").await;
    let mut events = Events::open(&sim).await;
    sim.post_app(bridge_app()).expect("accepted");
    sim.post_pod(pod(1)).expect("accepted");
    settled(&sim).await;
    let web = &get_json(&sim, "/v2/apps/web").await["app"];
    assert_eq!(web["container"]["docker"]["network"], "BRIDGE");
    let mapping = &web["container"]["docker"]["portMappings"][0];
    assert_eq!(mapping["containerPort"], 80);
    assert_eq!(web["ports"], json!([mapping["servicePort"]]));
    assert_eq!(web.get("networks"), None);
    assert_eq!(web.get("ipAddress"), Some(&Value::Null));
    let seen = events.until("deployment_success").await;
    assert_eq!(seen[0]["appDefinition"]["container"], web["container"]);
    let rest = events.until("deployment_success").await;
    assert!(briefs(&rest).iter().all(|b| !b.starts_with("pod_")));
}

#[tokio::test]
async fn marathon_1_5_has_networks_and_nulls() {
    let sim = version("1.5.6").await;
    sim.post_app(bridge_app()).expect("accepted");
    settled(&sim).await;
    let web = &get_json(&sim, "/v2/apps/web").await["app"];
    assert_eq!(web["networks"], json!([{ "mode": "container/bridge" }]));
    assert_eq!(web.get("residency"), Some(&Value::Null));
    let newer = version("1.7").await;
    newer.post_app(bridge_app()).expect("accepted");
    let web = &get_json(&newer, "/v2/apps/web").await["app"];
    assert_eq!(web.get("residency"), None);
}

#[tokio::test]
async fn slow_streams_of_old_lost_events_only() {
    let sim = start_with(|o| {
        o.version = "1.7".into();
        o.event_buffer = 4;
    })
    .await;
    let mut events = Events::open(&sim).await;
    sim.freeze_events(true);
    sim.post_app(app(1)).expect("accepted");
    settled(&sim).await;
    assert_eq!(sim.streams(), 1);
    sim.freeze_events(false);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(events.next().await.expect("open"));
    }
    let last = briefs(&seen).pop();
    assert_eq!(
        last.as_deref(),
        Some("deployment_step_success StartApplication")
    );
    sim.scale("/web", 0).expect("accepted");
    let next = events.next().await.expect("open");
    assert_eq!(next["eventType"], "api_post_event", "the others are lost");
}
