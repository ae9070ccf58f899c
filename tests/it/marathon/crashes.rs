//! Tasks that end without a deployment: crashes and kills.

use serde_json::json;
use simulator::TaskView;

use crate::marathon::client::{Events, brief, briefs, call, start};
use crate::marathon::sequences::{LAUNCH, app, pod, sequence, settled};

#[tokio::test]
async fn a_crash_relaunches_the_same_instance() {
    let sim = start().await;
    sim.post_app(app(1)).expect("accepted");
    let before = settled(&sim).await.remove(0);
    let mut events = Events::open(&sim).await;
    sim.crash_task(&before.id).expect("running");
    let after = settled(&sim).await.remove(0);
    assert_eq!(after.instance_id, before.instance_id);
    assert_eq!((before.incarnation, after.incarnation), (1, 2));
    assert!(before.id.ends_with("._app.1") && after.id.ends_with("._app.2"));
    assert_ne!(after.ports[0].host_port, before.ports[0].host_port);
    // Whatever comes next bounds what the crash has caused: no deployment.
    sim.scale("web", 0).expect("accepted");
    let seen = events.until("api_post_event").await;
    let expected = sequence(&[
        &["status_update TASK_FAILED", "instance_changed Failed"],
        &LAUNCH,
        &["api_post"],
    ]);
    assert_eq!(briefs(&seen), expected);
}

#[tokio::test]
async fn a_crashed_container_takes_its_pod_along() {
    let sim = start().await;
    sim.post_pod(pod(1)).expect("accepted");
    let before = settled(&sim).await;
    let mut events = Events::open(&sim).await;
    sim.crash_task(&before[1].id).expect("running");
    let after = settled(&sim).await;
    let names = |tasks: &[TaskView]| -> Vec<String> {
        let name = |t: &TaskView| t.id.strip_prefix(&t.instance_id).unwrap_or("?").to_owned();
        tasks.iter().map(name).collect()
    };
    assert_eq!(names(&before), [".app.1", ".proxy.1"]);
    assert_eq!(names(&after), [".app.2", ".proxy.2"]);
    let seen = events.until("instance_changed_event").await;
    assert_eq!(
        briefs(&seen),
        ["status_update TASK_FAILED", "instance_changed Failed"]
    );
    let next = events.next().await.expect("open");
    assert_eq!(
        (brief(&next).as_str(), &next["taskId"]),
        ("status_update TASK_KILLED", &json!(before[0].id))
    );
}

#[tokio::test]
async fn killing_restarts_or_scales() {
    let sim = start().await;
    sim.post_app(app(2)).expect("accepted");
    let before = settled(&sim).await;
    let mut events = Events::open(&sim).await;
    let path = format!("/v2/apps/web/tasks/{}", before[0].id);
    let answer = call(&sim, "DELETE", &path, json!({})).await;
    assert_eq!(answer.json()["task"]["id"], before[0].id);
    let after = settled(&sim).await;
    assert_eq!(after[0].instance_id, before[0].instance_id);
    assert_eq!(after[0].incarnation, 2);
    sim.restart("/web").expect("no deployment is under way");
    let seen = events.until("api_post_event").await;
    assert!(briefs(&seen).iter().all(|b| !b.starts_with("deployment")));

    let tasks = settled(&sim).await;
    let answer = call(
        &sim,
        "POST",
        "/v2/tasks/delete?scale=true",
        json!({ "ids": [tasks[0].id] }),
    )
    .await;
    assert!(answer.json()["deploymentId"].is_string(), "{}", answer.text);
    let left = settled(&sim).await;
    assert_eq!(left, tasks[1..]);
}
