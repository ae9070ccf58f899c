//! Changes of apps by REST, and the locks that deployments hold.

use serde_json::json;
use simulator::Launch;

use crate::marathon::client::{call, get, get_json, soon, start, start_with};
use crate::marathon::rest::with_app;

#[tokio::test]
async fn updates_touch_what_they_name() {
    let sim = with_app().await;
    let first = get_json(&sim, "/v2/apps/shop/web").await["app"].clone();
    let answer = call(&sim, "PUT", "/v2/apps/shop/web", json!({ "instances": 2 })).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json()["deploymentId"],
        answer.headers["marathon-deployment-id"]
    );
    assert_eq!(answer.headers["x-marathon-leader"], sim.url());
    soon(sim.settled()).await;
    let scaled = get_json(&sim, "/v2/apps/shop/web").await["app"].clone();
    assert_eq!(scaled["labels"], json!({ "istio": "web" }));
    assert_ne!(scaled["version"], first["version"]);
    // Scaling is no change of configuration: old tasks keep their version.
    let info = &scaled["versionInfo"];
    assert_eq!(info["lastConfigChangeAt"], first["version"]);
    assert_eq!(info["lastScalingAt"], scaled["version"]);
    assert_eq!(scaled["tasks"][0]["version"], first["version"]);
    assert_eq!(scaled["tasks"][1]["version"], scaled["version"]);

    call(
        &sim,
        "PATCH",
        "/v2/apps/shop/web",
        json!({ "labels": { "v": "2" } }),
    )
    .await;
    soon(sim.settled()).await;
    let patched = get_json(&sim, "/v2/apps/shop/web").await["app"].clone();
    assert_eq!(
        (&patched["labels"], &patched["cmd"]),
        (&json!({ "v": "2" }), &json!("serve"))
    );
    assert_eq!(
        patched["versionInfo"]["lastConfigChangeAt"],
        patched["version"]
    );
    let path = format!(
        "/v2/apps/shop/web/versions/{}",
        first["version"].as_str().expect("text")
    );
    assert_eq!(
        get_json(&sim, &path).await["labels"],
        json!({ "istio": "web" })
    );
    let versions = get_json(&sim, "/v2/apps/shop/web/versions").await;
    assert_eq!(
        versions["versions"],
        json!([patched["version"], scaled["version"], first["version"]])
    );

    let whole = json!({ "id": "/shop/web", "cmd": "new" });
    call(&sim, "PUT", "/v2/apps/shop/web?partialUpdate=false", whole).await;
    soon(sim.settled()).await;
    assert_eq!(
        get_json(&sim, "/v2/apps/shop/web").await["app"]["labels"],
        json!({})
    );
    let answer = call(&sim, "PUT", "/v2/apps/fresh", json!({ "cmd": "x" })).await;
    assert_eq!(
        (answer.status, answer.headers["location"].as_str()),
        (201, "/fresh")
    );
}

#[tokio::test]
async fn several_apps_share_a_deployment() {
    let sim = start().await;
    let apps = json!([{ "id": "/a", "cmd": "x" }, { "id": "/b", "cmd": "x", "instances": 2 }]);
    assert_eq!(call(&sim, "PUT", "/v2/apps", apps).await.status, 200);
    soon(sim.settled()).await;
    assert_eq!(sim.tasks().len(), 3);
}

#[tokio::test]
async fn running_deployments_lock_and_can_be_forced() {
    let sim = start_with(|o| o.launch = Launch::Manual).await;
    let first = sim
        .post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    soon(sim.until(|s| !s.tasks().is_empty())).await;
    let deployments = get_json(&sim, "/v2/deployments").await;
    assert_eq!(deployments[0]["id"], first.0);
    assert_eq!(deployments[0]["affectedApps"], json!(["/a"]));
    assert_eq!(
        (
            &deployments[0]["currentStep"],
            &deployments[0]["totalSteps"]
        ),
        (&json!(2), &json!(2))
    );
    let action =
        json!([{ "action": "ScaleApplication", "app": "/a", "readinessCheckResults": [] }]);
    assert_eq!(deployments[0]["currentActions"], action);

    let locked = call(&sim, "PUT", "/v2/apps/a", json!({ "instances": 0 })).await;
    assert_eq!(locked.status, 409);
    assert_eq!(locked.json()["deployments"], json!([{ "id": first.0 }]));
    let forced = call(
        &sim,
        "PUT",
        "/v2/apps/a?force=true",
        json!({ "instances": 0 }),
    )
    .await;
    assert_eq!(forced.status, 200);
    soon(sim.settled()).await;
    assert_eq!(sim.tasks(), []);
    assert_eq!(get_json(&sim, "/v2/deployments").await, json!([]));
}

#[tokio::test]
async fn deleted_apps_vanish_at_once() {
    let sim = with_app().await;
    sim.set_kill(simulator::Kill::Manual);
    call(&sim, "DELETE", "/v2/apps/shop/web", json!({})).await;
    assert_eq!(get(&sim, "/v2/apps/shop/web").await.status, 404);
    soon(sim.until(|s| s.tasks()[0].state == "TASK_KILLING")).await;
    let again = call(
        &sim,
        "POST",
        "/v2/apps",
        json!({ "id": "/shop/web", "cmd": "x" }),
    )
    .await;
    assert_eq!(again.status, 409, "the old one still dies");
    let task = sim.tasks().remove(0);
    sim.set_task_state(&task.id, "TASK_KILLED")
        .expect("killing");
    soon(sim.settled()).await;
    let again = call(
        &sim,
        "POST",
        "/v2/apps",
        json!({ "id": "/shop/web", "cmd": "x" }),
    )
    .await;
    assert_eq!(again.status, 201);
}
