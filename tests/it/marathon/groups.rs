//! Groups as a whole, deployments that are stopped, and readiness.

use serde_json::{Value, json};
use simulator::{Launch, Readiness, Simulator};

use crate::marathon::client::{Events, briefs, call, get, get_json, soon, start, start_with};
use crate::marathon::sequences::{app, pod, settled};

fn shop() -> Value {
    json!({
        "id": "/shop",
        "apps": [{ "id": "web", "cmd": "x" }, { "id": "/shop/api", "cmd": "x", "instances": 2 }],
        "groups": [{ "id": "data", "apps": [{ "id": "db", "cmd": "x" }] }, { "id": "empty" }],
    })
}

fn apps(sim: &Simulator) -> Vec<String> {
    let mut ids: Vec<String> = sim.tasks().into_iter().map(|t| t.run_spec_id).collect();
    ids.sort();
    ids.dedup();
    ids
}

#[tokio::test]
async fn a_group_is_one_deployment() {
    let sim = start().await;
    let mut events = Events::open(&sim).await;
    let answer = call(&sim, "POST", "/v2/groups", shop()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["location"], "/shop");
    settled(&sim).await;
    assert_eq!(apps(&sim), ["/shop/api", "/shop/data/db", "/shop/web"]);
    let seen = briefs(&events.until("deployment_success").await);
    assert_eq!(
        seen[..2],
        ["group_change_success", "deployment_info StartApplication"]
    );
    let tree = get_json(&sim, "/v2/groups/shop").await;
    let groups: Vec<_> = tree["groups"].as_array().expect("groups").iter().collect();
    assert_eq!(
        (&groups[0]["id"], &groups[1]["id"]),
        (&json!("/shop/data"), &json!("/shop/empty"))
    );
    let ports = ["web", "api"].map(|a| format!("/v2/apps/shop/{a}"));
    let first = get_json(&sim, &ports[0]).await["app"]["portDefinitions"][0]["port"].clone();
    let second = get_json(&sim, &ports[1]).await["app"]["portDefinitions"][0]["port"].clone();
    assert_ne!(
        first, second,
        "service ports differ within one request, too"
    );
    assert_eq!(call(&sim, "POST", "/v2/groups", shop()).await.status, 409);
}

#[tokio::test]
async fn what_a_new_description_lacks_is_deleted() {
    let sim = start().await;
    sim.put_group(shop()).expect("accepted");
    settled(&sim).await;
    let next = json!({ "apps": [{ "id": "web", "cmd": "x" }, { "id": "new", "cmd": "x" }] });
    assert_eq!(call(&sim, "PUT", "/v2/groups/shop", next).await.status, 200);
    settled(&sim).await;
    assert_eq!(
        apps(&sim),
        ["/shop/data/db", "/shop/new", "/shop/web"],
        "groups were not named"
    );
    let next = json!({ "groups": [] });
    assert_eq!(call(&sim, "PUT", "/v2/groups/shop", next).await.status, 200);
    settled(&sim).await;
    assert_eq!(apps(&sim), ["/shop/new", "/shop/web"]);
    let twice = json!({ "scaleBy": 2 });
    assert_eq!(
        call(&sim, "PUT", "/v2/groups/shop", twice).await.status,
        200
    );
    assert_eq!(settled(&sim).await.len(), 4);
}

#[tokio::test]
async fn a_group_goes_with_all_that_is_in_it() {
    let sim = start().await;
    sim.put_group(shop()).expect("accepted");
    sim.post_app(app(1)).expect("accepted");
    let mut inside = pod(1);
    inside["id"] = "/shop/data/reviews".into();
    sim.post_pod(inside).expect("accepted");
    settled(&sim).await;
    let answer = call(&sim, "DELETE", "/v2/groups/shop", json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    settled(&sim).await;
    assert_eq!(apps(&sim), ["/web"]);
    assert_eq!(get(&sim, "/v2/groups/shop").await.status, 404);
    assert_eq!(
        call(&sim, "DELETE", "/v2/groups/shop", json!({}))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn one_bad_app_spoils_the_group() {
    let sim = start().await;
    let mut bad = shop();
    bad["apps"][0]["id"] = "WEB".into();
    assert_eq!(call(&sim, "PUT", "/v2/groups", bad).await.status, 422);
    let mut pods = shop();
    pods["pods"] = json!([{ "id": "p" }]);
    let refused = call(&sim, "PUT", "/v2/groups", pods).await;
    assert!(
        refused.status == 422 && refused.text.contains("/v2/pods"),
        "{}",
        refused.text
    );
    assert_eq!(sim.tasks(), []);
    assert_eq!(get_json(&sim, "/v2/groups").await["groups"], json!([]));
}

#[tokio::test]
async fn a_rollback_keeps_what_still_runs() {
    let sim = start().await;
    sim.post_app(app(2)).expect("accepted");
    let before = settled(&sim).await;
    sim.set_launch(Launch::Manual);
    let mut next = app(2);
    next["cmd"] = "another".into();
    let deployment = sim.put_app(next).expect("accepted");
    soon(sim.until(|s| s.tasks().len() == 4)).await;
    let mut events = Events::open(&sim).await;
    let path = format!("/v2/deployments/{deployment}");
    let answer = call(&sim, "DELETE", &path, json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_ne!(answer.json()["deploymentId"], deployment.0);
    let seen = briefs(&events.until("deployment_success").await);
    assert!(seen.contains(&"deployment_failed".to_owned()), "{seen:?}");
    assert_eq!(settled(&sim).await, before);
    let web = get_json(&sim, "/v2/apps/web").await;
    assert_eq!(
        (&web["app"]["cmd"], &web["app"]["version"]),
        (&json!("serve"), &json!(before[0].version))
    );
    assert_eq!(call(&sim, "DELETE", &path, json!({})).await.status, 404);
}

#[tokio::test]
async fn a_rollback_of_a_creation_deletes() {
    let sim = start_with(|o| o.launch = Launch::Manual).await;
    let deployment = sim.post_app(app(1)).expect("accepted");
    let path = format!("/v2/deployments/{deployment}");
    assert_eq!(call(&sim, "DELETE", &path, json!({})).await.status, 200);
    soon(sim.until(|s| s.tasks().is_empty())).await;
    settled(&sim).await;
    assert_eq!(get(&sim, "/v2/apps/web").await.status, 404);
}

#[tokio::test]
async fn by_force_a_deployment_just_ends() {
    let sim = start_with(|o| o.launch = Launch::Manual).await;
    let deployment = sim.post_app(app(1)).expect("accepted");
    let path = format!("/v2/deployments/{deployment}?force=true");
    assert_eq!(call(&sim, "DELETE", &path, json!({})).await.status, 202);
    assert_eq!(get_json(&sim, "/v2/deployments").await, json!([]));
    assert_eq!(get(&sim, "/v2/apps/web").await.status, 200);
}

#[tokio::test]
async fn deployments_wait_until_tasks_are_ready() {
    let sim = start_with(|o| o.readiness = Readiness::Manual).await;
    let mut web = app(1);
    web["readinessChecks"] = json!([{ "name": "warm" }]);
    sim.post_app(web).expect("accepted");
    soon(sim.until(|s| s.tasks().iter().any(|t| t.state == "TASK_RUNNING"))).await;
    let path = "/v2/apps/web?embed=app.readiness";
    assert_eq!(
        get_json(&sim, path).await["app"]["readinessCheckResults"],
        json!([])
    );
    let task = sim.tasks().remove(0);
    for ready in [false, true] {
        sim.set_ready(&task.id, Some(ready)).expect("checked");
        if !ready {
            let shown = get_json(&sim, path).await["app"]["readinessCheckResults"].clone();
            assert_eq!(
                shown,
                json!([{ "name": "warm", "taskId": task.id, "ready": false }])
            );
            let deployments = get_json(&sim, "/v2/deployments").await;
            let action = &deployments[0]["currentActions"][0];
            assert_eq!(action["readinessCheckResults"], shown);
        }
    }
    settled(&sim).await;
    assert_eq!(get_json(&sim, "/v2/deployments").await, json!([]));
}

#[tokio::test]
async fn the_last_failure_is_remembered() {
    let sim = start().await;
    sim.post_app(app(1)).expect("accepted");
    let task = settled(&sim).await.remove(0);
    let path = "/v2/apps?embed=apps.lastTaskFailure";
    assert_eq!(
        get_json(&sim, path).await["apps"][0].get("lastTaskFailure"),
        None
    );
    sim.crash_task(&task.id).expect("running");
    let failure = get_json(&sim, path).await["apps"][0]["lastTaskFailure"].clone();
    assert_eq!(
        (&failure["taskId"], &failure["state"]),
        (&json!(task.id), &json!("TASK_FAILED"))
    );
    assert_eq!(failure["host"], json!(task.agent_hostname));
}
