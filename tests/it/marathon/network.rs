//! Ports and addresses in every network mode.

use serde_json::{Value, json};
use simulator::{NetworkMode, Simulator};

use crate::marathon::client::{get_json, soon, start};

async fn only_task(sim: &Simulator, app: &str) -> Value {
    soon(sim.settled()).await;
    let tasks = get_json(sim, &format!("/v2/apps/{app}/tasks")).await;
    assert_eq!(tasks["tasks"].as_array().map(Vec::len), Some(1));
    tasks["tasks"][0].clone()
}

#[tokio::test]
async fn host_mode_lists_a_port_per_definition() {
    let sim = start().await;
    let definitions = json!([{ "port": 0, "name": "http" }, { "port": 12345, "name": "grpc" }]);
    sim.post_app(json!({ "id": "/host", "portDefinitions": definitions }))
        .expect("accepted");
    let task = only_task(&sim, "host").await;
    assert_eq!(task["ports"], json!([31000, 31001]));
    assert_eq!(
        task["ipAddresses"],
        json!([{ "ipAddress": "10.0.0.1", "protocol": "IPv4" }])
    );
    let app = &get_json(&sim, "/v2/apps/host").await["app"];
    assert_eq!(app["networks"], json!([{ "mode": "host" }]));
    assert_eq!(
        app["portDefinitions"][0]["port"], 10_000,
        "an assigned service port"
    );
    assert_eq!(app["portDefinitions"][1]["port"], 12_345);
    let view = &sim.tasks()[0];
    assert_eq!(view.network_mode, NetworkMode::Host);
    assert_eq!(
        (view.container_ip, view.ports[0].container_port),
        (None, None)
    );
}

#[tokio::test]
async fn required_ports_are_those_that_were_defined() {
    let sim = start().await;
    let definitions = json!([{ "port": 8123 }]);
    let app = json!({ "id": "/fixed", "portDefinitions": definitions, "requirePorts": true,
        "instances": 3 });
    sim.post_app(app).expect("accepted");
    // Two agents, one port each: the third instance finds no place.
    soon(sim.until(|s| {
        s.tasks()
            .iter()
            .filter(|t| t.state == "TASK_RUNNING")
            .count()
            == 2
    }))
    .await;
    let ports: Vec<_> = sim.tasks().iter().map(|t| t.ports[0].host_port).collect();
    assert_eq!(ports, [Some(8123), Some(8123)]);
    let app = &get_json(&sim, "/v2/apps/fixed").await["app"];
    assert_eq!(
        (&app["tasksRunning"], &app["instances"]),
        (&json!(2), &json!(3))
    );
}

#[tokio::test]
async fn bridge_mode_flattens_over_missing_host_ports() {
    let sim = start().await;
    let mappings = json!([
        { "containerPort": 9080, "hostPort": 0, "name": "http" },
        { "containerPort": 9081, "name": "inner" },
        { "containerPort": 0, "hostPort": 0, "name": "same" },
        { "containerPort": 15000, "hostPort": 15000, "servicePort": 11000 },
    ]);
    let app = json!({ "id": "/bridge", "networks": [{ "mode": "container/bridge" }],
        "container": { "type": "MESOS", "portMappings": mappings } });
    sim.post_app(app).expect("accepted");
    let task = only_task(&sim, "bridge").await;
    assert_eq!(task["ports"], json!([31000, 31001, 15000]));
    assert_eq!(task["ipAddresses"][0]["ipAddress"], "172.17.0.2");
    let view = sim.tasks().remove(0);
    let ports: Vec<_> = view
        .ports
        .iter()
        .map(|p| (p.container_port, p.host_port))
        .collect();
    assert_eq!(
        ports,
        [
            (Some(9080), Some(31000)),
            (Some(9081), None),
            (Some(31001), Some(31001)),
            (Some(15000), Some(15000))
        ]
    );
    let stored = get_json(&sim, "/v2/apps/bridge").await;
    let mappings = &stored["app"]["container"]["portMappings"];
    let service_ports: Vec<_> = (0..4).map(|i| mappings[i]["servicePort"].clone()).collect();
    assert_eq!(service_ports, [10_000, 10_001, 10_002, 11_000]);
    assert!(mappings[1].get("hostPort").is_none());
}

#[tokio::test]
async fn container_mode_has_addresses_of_the_network() {
    let sim = start().await;
    let app = json!({ "id": "/overlay", "networks": [{ "mode": "container", "name": "dcos" }],
        "instances": 2,
        "container": { "type": "MESOS", "portMappings": [{ "containerPort": 80 }] } });
    sim.post_app(app).expect("accepted");
    soon(sim.settled()).await;
    let tasks = sim.tasks();
    let seen: Vec<_> = tasks
        .iter()
        .map(|t| {
            (
                t.agent_hostname.as_str(),
                t.container_ip.map(|ip| ip.to_string()),
            )
        })
        .collect();
    let expected = [
        ("10.0.0.1", Some("9.0.0.2".into())),
        ("10.0.0.2", Some("9.0.0.3".into())),
    ];
    assert_eq!(seen, expected);
    let all = get_json(&sim, "/v2/tasks").await;
    assert_eq!(all["tasks"][0]["ports"], json!([]));
    assert_eq!(all["tasks"][0]["region"], "aws/eu-central-1");
    assert_eq!(all["tasks"][0]["servicePorts"], json!([10_000]));
}

#[tokio::test]
async fn bridges_of_two_agents_share_addresses() {
    let sim = start().await;
    let app = json!({ "id": "/b", "networks": [{ "mode": "container/bridge" }], "instances": 2 });
    sim.post_app(app).expect("accepted");
    soon(sim.settled()).await;
    let tasks = sim.tasks();
    assert_eq!(tasks[0].container_ip, tasks[1].container_ip);
    assert_ne!(tasks[0].agent_ip, tasks[1].agent_ip);
}

#[tokio::test]
async fn the_bridge_may_be_asked_for_by_name() {
    let sim = start().await;
    let pod = json!({ "id": "/p", "networks": [{ "mode": "container", "name": "mesos-bridge" }],
        "containers": [{ "name": "c", "endpoints": [
            { "name": "http", "containerPort": 80, "hostPort": 0 }] }] });
    sim.post_pod(pod).expect("accepted");
    soon(sim.settled()).await;
    let status = get_json(&sim, "/v2/pods/p::status").await;
    let expected = json!([{ "name": "mesos-bridge", "addresses": ["172.17.0.2"] }]);
    assert_eq!(status["instances"][0]["networks"], expected);
    sim.crash_task(&sim.tasks()[0].id).expect("running");
    soon(sim.settled()).await;
    let again = sim.tasks().remove(0);
    assert_eq!(
        again.container_ip.map(|ip| ip.to_string()).as_deref(),
        Some("172.17.0.3")
    );
}

#[tokio::test]
async fn service_ports_stay_over_an_update() {
    let sim = start().await;
    sim.post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    sim.post_app(json!({ "id": "/b", "cmd": "x" }))
        .expect("accepted");
    soon(sim.settled()).await;
    sim.put_app(json!({ "id": "/b", "cmd": "y" }))
        .expect("accepted");
    let port = |app: Value| app["app"]["portDefinitions"][0]["port"].clone();
    assert_eq!(port(get_json(&sim, "/v2/apps/a").await), 10_000);
    assert_eq!(port(get_json(&sim, "/v2/apps/b").await), 10_001);
}

#[tokio::test]
async fn constraints_on_the_host_name_place_tasks() {
    let sim = start().await;
    let app =
        json!({ "id": "/a", "instances": 2, "constraints": [["hostname", "IS", "10.0.0.2"]] });
    sim.post_app(app).expect("accepted");
    soon(sim.settled()).await;
    assert!(sim.tasks().iter().all(|t| t.agent_hostname == "10.0.0.2"));
    assert_eq!(sim.tasks().len(), 2);
}

#[tokio::test]
async fn a_network_with_both_families_gives_an_address_of_each() {
    let options = simulator::Options {
        networks: vec![simulator::Network {
            name: "dual".into(),
            base: "9.1.0.0".parse().unwrap(),
            base6: "fd01::".parse().ok(),
        }],
        ..simulator::Options::default()
    };
    let sim = Simulator::start(options).await.unwrap();
    let networks = json!([{ "mode": "container", "name": "dual" }]);
    let container = json!({ "type": "DOCKER", "docker": { "image": "x" } });
    let app = json!({ "id": "/six", "networks": networks, "container": container });
    sim.post_app(app).expect("accepted");
    let addresses = json!([
        { "ipAddress": "9.1.0.2", "protocol": "IPv4" },
        { "ipAddress": "fd01::2", "protocol": "IPv6" },
    ]);
    assert_eq!(only_task(&sim, "six").await["ipAddresses"], addresses);
    let endpoints = json!([{ "name": "http", "containerPort": 80 }]);
    let pod = json!({ "id": "/pod", "networks": networks, "containers": [
        { "name": "main", "resources": { "cpus": 0.1, "mem": 32 }, "endpoints": endpoints }] });
    sim.post_pod(pod).expect("accepted");
    soon(sim.settled()).await;
    let status = get_json(&sim, "/v2/pods/pod::status").await;
    assert_eq!(
        status["instances"][0]["networks"],
        json!([{ "name": "dual", "addresses": ["9.1.0.3", "fd01::3"] }])
    );
}
