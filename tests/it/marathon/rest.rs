//! Apps, groups, tasks and the small endpoints.

use serde_json::{Value, json};
use simulator::{Launch, Simulator};

use crate::marathon::client::{call, exchange, get, get_json, send, soon, start, start_with};

pub(crate) async fn with_app() -> Simulator {
    let sim = start().await;
    let app = json!({ "id": "shop/web", "cmd": "serve", "labels": { "istio": "web" },
        "custom": [1, 2], "healthChecks": [{ "protocol": "HTTP" }],
        "readinessChecks": [{ "name": "warm", "portName": "default" }] });
    sim.post_app(app).expect("accepted");
    soon(sim.settled()).await;
    sim
}

#[tokio::test]
async fn embeds_choose_what_comes_along() {
    let sim = with_app().await;
    let plain = get_json(&sim, "/v2/apps").await["apps"][0].clone();
    assert_eq!(plain["id"], "/shop/web");
    assert_eq!(plain["custom"], json!([1, 2]));
    assert_eq!(
        (&plain["tasksRunning"], &plain["tasksHealthy"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(plain["deployments"], json!([]));
    assert!(plain.get("tasks").is_none() && plain.get("readinessCheckResults").is_none());

    let full = "/v2/apps?embed=apps.tasks&embed=apps.counts&embed=apps.readiness&embed=nonsense";
    let full = get_json(&sim, full).await["apps"][0].clone();
    let task = &full["tasks"][0];
    assert_eq!(task["state"], "TASK_RUNNING");
    assert_eq!(task["version"], full["version"]);
    assert!(task["startedAt"].is_string() && task.get("servicePorts").is_none());
    assert_eq!(task["healthCheckResults"][0]["alive"], true);
    assert_eq!(task["healthCheckResults"][0]["lastFailure"], Value::Null);
    assert_eq!(
        full["readinessCheckResults"],
        json!([]),
        "no deployment, no results"
    );

    let one = get_json(&sim, "/v2/apps/shop/web").await["app"].clone();
    assert_eq!(one["tasks"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["versionInfo"]["lastConfigChangeAt"], one["version"]);
    let group = get_json(&sim, "/v2/apps/shop/*").await;
    assert_eq!(group["apps"][0]["id"], "/shop/web");
}

#[tokio::test]
async fn readiness_shows_while_a_deployment_lasts() {
    let sim = start_with(|o| o.launch = Launch::Manual).await;
    let app = json!({ "id": "/a", "healthChecks": [{}], "readinessChecks": [{ "name": "warm" }] });
    sim.post_app(app).expect("accepted");
    soon(sim.until(|s| s.tasks().iter().any(|t| t.state == "TASK_STAGING"))).await;
    let task = sim.tasks().remove(0);
    sim.set_task_state(&task.id, "TASK_RUNNING")
        .expect("staging");
    let path = "/v2/apps?embed=apps.readiness&embed=apps.tasks";
    let app = get_json(&sim, path).await["apps"][0].clone();
    let expected = json!([{ "name": "warm", "taskId": task.id, "ready": true }]);
    assert_eq!(app["readinessCheckResults"], expected);
    assert_eq!(app["deployments"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        app["tasks"][0]["healthCheckResults"][0]["alive"], false,
        "not yet known"
    );
    assert_eq!(
        app["tasks"][0]["healthCheckResults"][0]["lastFailure"],
        Value::Null
    );
}

#[tokio::test]
async fn lists_are_filtered() {
    let sim = with_app().await;
    let count = async |query: &str| {
        let list = get_json(&sim, &format!("/v2/apps?{query}")).await;
        list["apps"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(count("label=istio").await, 1);
    assert_eq!(count("label=istio==other").await, 0);
    assert_eq!(count("label=istio%20in%20(web,%20api)").await, 1);
    assert_eq!(count("id=WEB").await, 1);
    assert_eq!(count("id=api").await, 0);
    assert_eq!(count("cmd=serv").await, 1);
    assert_eq!(get(&sim, "/v2/apps?label=a%20in%20b").await.status, 400);
}

#[tokio::test]
async fn missing_things_are_404_with_a_message() {
    let sim = with_app().await;
    let cases = [
        ("/v2/apps/none", "App '/none' does not exist"),
        ("/v2/apps/none/tasks", "App '/none' does not exist"),
        ("/v2/apps/a/b/versions", "App '/a/b' does not exist"),
        (
            "/v2/apps/shop/web/versions/1",
            "App '/shop/web' does not exist in version 1",
        ),
        ("/v2/groups/none", "Group '/none' does not exist"),
        ("/v2/nothing", "URI not found: /v2/nothing"),
    ];
    for (path, message) in cases {
        let answer = get(&sim, path).await;
        assert_eq!(
            (answer.status, answer.json()["message"].as_str()),
            (404, Some(message))
        );
    }
    let answer = call(&sim, "DELETE", "/v2/apps/shop/web/tasks/none", json!({})).await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        call(&sim, "PATCH", "/v2/apps/none", json!({ "cmd": "x" }))
            .await
            .status,
        404
    );
    assert_eq!(call(&sim, "POST", "/v2/info", json!({})).await.status, 405);
}

#[tokio::test]
async fn wrong_specs_are_refused_and_change_nothing() {
    let sim = with_app().await;
    let refused = async |body: Value| {
        let answer = call(&sim, "POST", "/v2/apps", body).await;
        (answer.status, answer.json())
    };
    let (status, body) = refused(json!({ "id": "/Bad_Id" })).await;
    assert_eq!(
        (status, &body["message"]),
        (422, &json!("Object is not valid"))
    );
    assert_eq!(body["details"][0]["path"], "/id");
    assert_eq!(
        refused(json!({ "id": "/shop" })).await.0,
        422,
        "a group of that name"
    );
    assert_eq!(
        refused(json!({ "id": "/shop/web/x" })).await.0,
        422,
        "below an app"
    );
    let (status, body) = refused(json!({ "id": "/shop/web" })).await;
    assert_eq!(status, 409);
    assert_eq!(
        body["message"],
        "An app with id [/shop/web] already exists."
    );
    let network = json!({ "id": "/x", "networks": [{ "mode": "container", "name": "moon" }] });
    assert_eq!(
        refused(network).await.1["details"][0]["path"],
        "/networks(0)/name"
    );
    let port = json!({ "id": "/x", "portDefinitions": [{ "port": 70000 }] });
    assert_eq!(
        refused(port).await.1["details"][0]["path"],
        "/portDefinitions(0)/port"
    );
    assert_eq!(refused(json!([])).await.0, 400);
    let text = "POST /v2/apps HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\n{x}";
    let raw = soon(exchange(&sim, text.as_bytes())).await;
    assert!(raw.starts_with(b"HTTP/1.1 400 "));
    let list = get_json(&sim, "/v2/apps").await;
    assert_eq!(list["apps"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn groups_hold_what_is_embedded() {
    let sim = with_app().await;
    let pod = json!({ "id": "/shop/back/pod", "containers": [{ "name": "c" }] });
    sim.post_pod(pod).expect("accepted");
    soon(sim.settled()).await;
    let plain = get_json(&sim, "/v2/groups").await;
    let shop = &plain["groups"][0];
    assert_eq!((&plain["id"], &shop["id"]), (&json!("/"), &json!("/shop")));
    assert_eq!(shop["apps"][0]["id"], "/shop/web");
    assert_eq!(shop["groups"][0]["pods"], json!([]), "pods only on demand");
    assert!(shop["apps"][0].get("tasks").is_none());

    let query = "embed=group.groups&embed=group.apps&embed=group.apps.tasks&embed=group.pods";
    let full = get_json(&sim, &format!("/v2/groups?{query}")).await;
    let shop = &full["groups"][0];
    assert_eq!(shop["apps"][0]["tasks"][0]["state"], "TASK_RUNNING");
    assert_eq!(shop["groups"][0]["pods"][0]["status"], "STABLE");
    let sub = get_json(&sim, "/v2/groups/shop/back?embed=group.pods").await;
    assert_eq!(sub["pods"][0]["id"], "/shop/back/pod");
    let apps_only = get_json(&sim, "/v2/groups?embed=group.apps").await;
    assert_eq!(apps_only["groups"], json!([]));
}

#[tokio::test]
async fn tasks_come_as_json_or_as_a_table() {
    let sim = with_app().await;
    sim.post_pod(json!({ "id": "/pod", "containers": [{ "name": "c" }] }))
        .expect("accepted");
    soon(sim.settled()).await;
    let all = get_json(&sim, "/v2/tasks").await;
    assert_eq!(
        all["tasks"].as_array().map(Vec::len),
        Some(1),
        "no pod tasks"
    );
    let staging = get_json(&sim, "/v2/tasks?status=staging").await;
    assert_eq!(staging["tasks"], json!([]));
    let running = get_json(&sim, "/v2/tasks?status[]=running").await;
    assert_eq!(running["tasks"].as_array().map(Vec::len), Some(1));
    let table = send(&sim, "GET", "/v2/tasks", "*/*", None).await;
    assert_eq!(table.text, "shop_web\t10000\t10.0.0.1:31000\t\n");
}

#[tokio::test]
async fn inactive_tasks_have_neither_ports_nor_version() {
    let sim = with_app().await;
    let task = sim.tasks().remove(0);
    sim.set_task_state(&task.id, "TASK_UNREACHABLE")
        .expect("running");
    let shown = get_json(&sim, "/v2/apps/shop/web/tasks").await["tasks"][0].clone();
    assert_eq!(shown["state"], "TASK_UNREACHABLE");
    assert_eq!(shown["ports"], json!([31000]));
    sim.set_task_state(&task.id, "UnreachableInactive")
        .expect("unreachable");
    let shown = get_json(&sim, "/v2/apps/shop/web/tasks").await["tasks"][0].clone();
    assert_eq!(
        (&shown["state"], &shown["ports"]),
        (&json!("TASK_UNREACHABLE"), &json!([]))
    );
    for key in ["version", "stagedAt", "startedAt"] {
        assert!(shown.get(key).is_none(), "{key}");
    }
    sim.set_task_state(&task.id, "TASK_RUNNING").expect("back");
    assert!(sim.set_task_state(&task.id, "TASK_DANCING").is_err());
}

#[tokio::test]
async fn it_knows_itself() {
    let sim = start().await;
    let info = get_json(&sim, "/v2/info").await;
    assert_eq!(info["version"], "1.8.222");
    assert_eq!(info["marathon_config"]["framework_name"], "marathon");
    assert_eq!(info["marathon_config"]["default_network_name"], "dcos");
    let leader = get_json(&sim, "/v2/leader").await;
    assert_eq!(
        format!("http://{}", leader["leader"].as_str().expect("text")),
        sim.url()
    );
    assert_eq!(send(&sim, "GET", "/ping", "*/*", None).await.text, "pong\n");
    assert_eq!(get_json(&sim, "/ping").await, json!("pong"));
}

#[tokio::test]
async fn connections_are_kept_and_bodies_may_be_chunked() {
    let sim = start().await;
    let text = "GET /ping HTTP/1.1\r\n\r\n\
        POST /v2/apps HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n\
        a\r\n{\"id\":\"/a\"\r\n1\r\n}\r\n0\r\n\r\n\
        GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n";
    let answer = soon(exchange(&sim, text.as_bytes())).await;
    let answer = String::from_utf8(answer).expect("UTF-8");
    let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|a| &a[..3]).collect();
    assert_eq!(statuses, ["200", "100", "201", "200"]);
    let garbage = soon(exchange(&sim, b"\x00\x01\r\n\r\n")).await;
    assert!(garbage.starts_with(b"HTTP/1.1 400 "));
}
