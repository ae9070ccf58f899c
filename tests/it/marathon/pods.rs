//! Pods and their statuses.

use serde_json::{Value, json};
use simulator::{Kill, Launch, Simulator};

use crate::marathon::client::{call, get, get_json, send, soon, start, start_with};

fn pod(version: &str) -> Value {
    json!({
        "id": "/shop/reviews",
        "version": "2019-02-26T08:10:41.167Z",
        "labels": { "istio": "reviews", "version": version },
        "networks": [{ "mode": "container/bridge" }],
        "scaling": { "kind": "fixed", "instances": 1 },
        "somethingNew": { "kept": true },
        "containers": [{
            "name": "app",
            "endpoints": [
                { "name": "inner", "containerPort": 9081, "protocol": ["tcp"] },
                { "name": "http", "containerPort": 9080, "hostPort": 0, "protocol": ["http"] },
                { "name": "admin", "containerPort": 9082, "hostPort": 0, "protocol": ["tcp"] },
            ],
            "healthCheck": { "http": { "endpoint": "http", "path": "/health" } },
        }],
    })
}

async fn status(sim: &Simulator) -> Value {
    get_json(sim, "/v2/pods/shop/reviews::status").await
}

#[tokio::test]
async fn status_follows_the_task() {
    let sim = start_with(|o| o.launch = Launch::Manual).await;
    assert_eq!(get_json(&sim, "/v2/pods/::status").await, json!([]));
    let answer = call(&sim, "POST", "/v2/pods", pod("v1")).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["location"], "/shop/reviews");
    let posted = answer.json();
    assert_eq!(posted["somethingNew"]["kept"], true);
    assert_ne!(posted["version"], "2019-02-26T08:10:41.167Z");
    soon(sim.until(|s| s.tasks().iter().any(|t| t.state == "TASK_STAGING"))).await;
    let task = sim.tasks().remove(0);
    assert!(
        task.container_ip.is_some(),
        "known before Marathon shows it"
    );

    let staging = &status(&sim).await["instances"][0];
    assert_eq!(staging["status"], "STAGING");
    assert_eq!(staging["networks"], json!([]));
    assert_eq!(staging["containers"][0]["conditions"], json!([]));

    sim.set_task_state(&task.id, "TASK_RUNNING")
        .expect("staging");
    let unknown = status(&sim).await;
    assert_eq!(unknown["status"], "DEGRADED");
    let instance = &unknown["instances"][0];
    assert_eq!(instance["status"], "DEGRADED");
    let container = &instance["containers"][0];
    assert_eq!(container["conditions"][0]["value"], "false");
    assert_eq!(
        container["conditions"][0]["reason"],
        "health-unreported-by-mesos"
    );

    sim.set_health(&task.id, Some(true)).expect("has a check");
    soon(sim.settled()).await;
    let healthy = status(&sim).await;
    assert_eq!(healthy["status"], "STABLE");
    let instance = &healthy["instances"][0];
    assert_eq!(instance["agentHostname"], "10.0.0.1");
    assert_eq!(instance["agentZone"], "aws/eu-central-11");
    assert_eq!(
        instance["networks"],
        json!([{ "name": "mesos-bridge", "addresses": ["172.17.0.2"] }])
    );
    assert_eq!(instance["containers"][0]["containerId"], task.id);
    // Mapped ones first, the checked one last of all.
    assert_eq!(
        instance["containers"][0]["endpoints"],
        json!([
            { "name": "admin", "allocatedHostPort": 31001 },
            { "name": "inner" },
            { "name": "http", "allocatedHostPort": 31000, "healthy": true },
        ])
    );
    sim.set_health(&task.id, Some(false)).expect("has a check");
    assert_eq!(status(&sim).await["instances"][0]["status"], "DEGRADED");
}

#[tokio::test]
async fn two_versions_are_visible_while_they_overlap() {
    let sim = start().await;
    sim.post_pod(pod("v1")).expect("accepted");
    soon(sim.settled()).await;
    let first = status(&sim).await["spec"]["version"]
        .as_str()
        .expect("a version")
        .to_owned();
    sim.set_launch(Launch::Manual);
    let mut next = pod("v2");
    next["containers"][0]["endpoints"][1]["name"] = "http-9080".into();
    next["containers"][0]["healthCheck"]["http"]["endpoint"] = "http-9080".into();
    sim.put_pod(next).expect("accepted");
    soon(sim.until(|s| s.tasks().len() == 2 && s.tasks()[1].state == "TASK_STAGING")).await;

    let both = status(&sim).await;
    assert_eq!(both["spec"]["labels"]["version"], "v2");
    let second = both["spec"]["version"].as_str().expect("a version");
    let references: Vec<_> = [0, 1]
        .iter()
        .map(|i| {
            both["instances"][i]["specReference"]
                .as_str()
                .expect("a reference")
        })
        .collect();
    assert_eq!(
        references[0],
        format!("/v2/pods/shop/reviews::versions/{first}")
    );
    assert_eq!(
        references[1],
        format!("/v2/pods/shop/reviews::versions/{second}")
    );
    let old = get_json(&sim, references[0]).await;
    assert_eq!(old["labels"]["version"], "v1");
    // Each instance is shown in the words of its own version.
    let name =
        |i: usize, e: usize| both["instances"][i]["containers"][0]["endpoints"][e]["name"].clone();
    assert_eq!(
        (name(0, 2), name(1, 2)),
        (json!("http"), json!("http-9080"))
    );
    assert_eq!(
        get_json(&sim, "/v2/deployments").await[0]["affectedPods"],
        json!(["/shop/reviews"])
    );

    let new = sim.tasks().remove(1);
    sim.set_task_state(&new.id, "TASK_RUNNING")
        .expect("staging");
    sim.set_health(&new.id, Some(true)).expect("has a check");
    soon(sim.settled()).await;
    let after = status(&sim).await;
    assert_eq!(after["instances"].as_array().map(Vec::len), Some(1));
    assert_eq!(after["instances"][0]["id"], new.instance_id);
    let versions = get_json(&sim, "/v2/pods/shop/reviews::versions").await;
    assert_eq!(versions, json!([second, first]));
}

#[tokio::test]
async fn dying_instances_are_terminal_and_ended_ones_pending() {
    let sim = start_with(|o| o.kill = Kill::Manual).await;
    sim.post_pod(pod("v1")).expect("accepted");
    soon(sim.settled()).await;
    let before = sim.tasks().remove(0);
    let path = format!("/v2/pods/shop/reviews::instances/{}", before.instance_id);
    let answer = call(&sim, "DELETE", &path, json!({})).await;
    assert_eq!(answer.json()["id"], before.instance_id);
    soon(sim.until(|s| s.tasks()[0].state == "TASK_KILLING")).await;
    let dying = &status(&sim).await["instances"][0];
    assert_eq!(dying["status"], "TERMINAL");
    assert_eq!(dying["containers"][0]["status"], "TASK_KILLING");
    assert_eq!(
        dying["containers"][0]["endpoints"].as_array().map(Vec::len),
        Some(3)
    );

    sim.set_launch(Launch::Manual);
    sim.set_task_state(&before.id, "TASK_KILLED")
        .expect("killing");
    soon(sim.until(|s| s.tasks()[0].incarnation == 2)).await;
    let after = &status(&sim).await["instances"][0];
    assert_eq!(after["id"], before.instance_id);
}

#[tokio::test]
async fn an_instance_without_a_place_is_pending_with_its_old_task() {
    let sim = start_with(|o| o.agents.truncate(1)).await;
    let app = |id: &str, ports: &[u16]| {
        let definitions: Vec<Value> = ports.iter().map(|p| json!({ "port": p })).collect();
        json!({ "id": id, "requirePorts": true, "portDefinitions": definitions })
    };
    let mut fixed = pod("v1");
    fixed["containers"][0]["endpoints"][1]["hostPort"] = 8080.into();
    // The app in the middle waits for the ports of the other two, and is first
    // in line when the pod's becomes free.
    sim.post_app(app("/short", &[8081])).expect("accepted");
    sim.post_app(app("/long", &[8080, 8081])).expect("accepted");
    let running = |sim: &Simulator, id: &str| {
        let tasks = sim.tasks_of(id);
        !tasks.is_empty() && tasks.iter().all(|t| t.state == "TASK_RUNNING")
    };
    soon(sim.until(|s| running(s, "/short"))).await;
    sim.post_pod(fixed).expect("accepted");
    soon(sim.until(|s| {
        s.tasks_of("/shop/reviews")
            .iter()
            .any(|t| t.healthy == Some(true))
    }))
    .await;
    sim.delete("/short").expect("no deployment on it");
    soon(sim.until(|s| s.tasks_of("/short").is_empty())).await;
    let task = sim.tasks_of("/shop/reviews").remove(0);
    sim.crash_task(&task.id).expect("running");
    soon(sim.until(|s| running(s, "/long"))).await;

    let shown = status(&sim).await;
    let instance = &shown["instances"][0];
    assert_eq!(instance["id"], task.instance_id);
    assert_eq!(instance["status"], "PENDING");
    assert_eq!(instance["containers"][0]["status"], "TASK_FAILED");
    assert_eq!(instance["containers"][0]["endpoints"], json!([]));
    sim.delete("/long").expect("its deployment is done");
    soon(sim.until(|s| s.tasks_of("/shop/reviews")[0].incarnation == 2)).await;
}

#[tokio::test]
async fn unknown_and_wrong_pods_are_refused() {
    let sim = start().await;
    for path in [
        "/v2/pods/none",
        "/v2/pods/none::status",
        "/v2/pods/none::versions/x",
    ] {
        let answer = get(&sim, path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["message"], "Pod '/none' does not exist");
    }
    assert_eq!(
        send(&sim, "HEAD", "/v2/pods", "*/*", None).await.status,
        200
    );
    assert_eq!(
        call(&sim, "PUT", "/v2/pods/shop/reviews", pod("v1"))
            .await
            .status,
        404
    );

    let mut wrong = pod("v1");
    wrong["containers"][0]["endpoints"][0]["name"] = "http".into();
    wrong["containers"][0]["endpoints"][2]["containerPort"] = 9080.into();
    let answer = call(&sim, "POST", "/v2/pods", wrong).await;
    assert_eq!(answer.status, 422);
    let details = answer.json()["details"].clone();
    let paths: Vec<_> = (0..2).map(|i| details[i]["path"].clone()).collect();
    assert_eq!(
        paths,
        [
            "/containers(0)/endpoints(1)/name",
            "/containers(0)/endpoints(2)/containerPort"
        ]
    );
    let mut host = pod("v1");
    host["networks"] = json!([]);
    assert_eq!(call(&sim, "POST", "/v2/pods", host).await.status, 422);
    assert_eq!(get_json(&sim, "/v2/pods").await, json!([]));

    call(&sim, "POST", "/v2/pods", pod("v1")).await;
    assert_eq!(call(&sim, "POST", "/v2/pods", pod("v1")).await.status, 409);
    let answer = call(&sim, "PUT", "/v2/pods/shop/other", pod("v1")).await;
    assert_eq!(answer.status, 404);
}
