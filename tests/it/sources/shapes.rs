//! Definitions as operators write them, posted to a Marathon: each is understood, or a reason is told.
//!
//! The shapes are those of Bookinfo on DC/OS, of an Istio that Marathon itself runs, and of
//! Marathon's own system tests; the texts are ours.

use ::watch::marathon::{Marathon, Options};
use api::event::{Change, Event, Update};
use index::{Index, Settings};
use model::{Reach, World};
use serde_json::{Value, json};
use simulator::Simulator;

use crate::sources::ear::Ear;
use crate::sources::source::timing;

/// What is known of a definition once its tasks run: `service port protocol address` with the
/// address on the same agent behind it where that is another, and the codes of what is told.
async fn understood(definition: Value) -> (Vec<String>, Vec<&'static str>) {
    let simulator = Simulator::start(simulator::Options::default())
        .await
        .unwrap();
    let is_pod = definition["containers"].is_array();
    let posted = match is_pod {
        true => simulator.post_pod(definition),
        false => simulator.post_app(definition),
    };
    posted.unwrap();
    let settled = tokio::time::timeout(std::time::Duration::from_secs(20), simulator.settled());
    settled.await.expect("it runs");
    let mut options = Options::new([simulator.url().parse().unwrap()]);
    options.timing = timing();
    let marathon = Marathon::new(options, "marathon").unwrap();
    let mut ear = Ear::listen(marathon.status(), |tx, status, shutdown| {
        marathon.run(tx, status, shutdown)
    });
    ear.until_list(1).await;
    assert_eq!(ear.codes(), [""; 0]);
    let world = world(&ear);
    let codes = world.diagnostics.iter().map(|d| d.code).collect();
    (lines(&world), codes)
}

fn world(ear: &Ear) -> std::sync::Arc<World> {
    let mut index = Index::new(Settings {
        mesh: model::Mesh::default(),
        sources: vec!["marathon".into()],
    });
    let known = ear.workloads.now.values().cloned().map(Event::InitApply);
    for event in [Event::Init]
        .into_iter()
        .chain(known)
        .chain([Event::InitDone])
    {
        index.apply(Update {
            source: "marathon".into(),
            change: Change::Workload(event),
        });
    }
    index.publish().unwrap().world
}

fn lines(world: &World) -> Vec<String> {
    let services = world.services.values();
    let ports = services.flat_map(|service| {
        let name = service.host.as_str().split('.').next().unwrap_or_default();
        let none = service.ports.is_empty().then(|| format!("{name} no ports"));
        let each = service.ports.iter().flat_map(move |port| {
            let endpoints = world.endpoints_of(&service.host, port.number).iter();
            endpoints.map(move |endpoint| {
                format!(
                    "{name} {} {} {}",
                    port.number,
                    port.protocol,
                    reach(&endpoint.reach)
                )
            })
        });
        none.into_iter().chain(each).collect::<Vec<_>>()
    });
    ports.collect()
}

fn reach(reach: &Reach) -> String {
    let anywhere = reach.anywhere.map_or("-".into(), |at| at.to_string());
    match reach.same_bridge {
        Some((_, at)) => format!("{anywhere} {at}"),
        None => anywhere,
    }
}

/// Holds a definition to what should be known of it.
async fn shape(definition: Value, expected: &[&str], codes: &[&str]) {
    let id = definition["id"].clone();
    let (lines, found) = understood(definition).await;
    assert_eq!(lines, expected, "{id}");
    assert_eq!(found, codes, "{id}: {lines:?}");
}

fn container(name: &str, endpoints: Value) -> Value {
    json!({
        "name": name, "resources": {"cpus": 0.1, "mem": 64},
        "image": {"kind": "DOCKER", "id": format!("example/{name}:1")},
        "exec": {"command": {"shell": "serve"}}, "endpoints": endpoints,
    })
}

/// A workload with the proxy beside it, which runs as root at first and has certificates mounted.
fn with_proxy(network: Value) -> Value {
    let endpoint =
        json!({"name": "http-9080", "containerPort": 9080, "hostPort": 0, "protocol": ["tcp"]});
    let mut proxy = container("proxy", json!([]));
    proxy["user"] = "root".into();
    proxy["volumeMounts"] = json!([{"name": "certs", "mountPath": "/etc/certs"}]);
    json!({
        "id": "/reviews", "labels": {"istio": "reviews", "version": "v1"},
        "environment": {"TRACE": "on"},
        "containers": [container("reviews", json!([endpoint])), proxy],
        "volumes": [{"name": "certs", "host": "/etc/certs"}],
        "networks": [network], "scaling": {"kind": "fixed", "instances": 1},
        "scheduling": {"placement": {"constraints": []}}, "fetch": [],
    })
}

#[tokio::test]
async fn a_pod_with_its_proxy_on_a_bridge_by_mode_and_by_name() {
    let expected = ["reviews 9080 HTTP 127.0.0.1:31000 172.17.0.2:9080"];
    shape(
        with_proxy(json!({"mode": "container/bridge"})),
        &expected,
        &[],
    )
    .await;
    let named = json!({"mode": "container", "name": "mesos-bridge"});
    shape(with_proxy(named), &expected, &[]).await;
}

#[tokio::test]
async fn a_gateway_pod_with_many_endpoints_on_public_agents() {
    let endpoint = |name: &str, port: u16| json!({"name": name, "containerPort": port, "hostPort": 0, "protocol": ["tcp"]});
    let endpoints = json!([
        endpoint("http2", 80),
        endpoint("https", 443),
        endpoint("tcp-mesh", 15011)
    ]);
    let pod = json!({
        "id": "/gateway", "labels": {"istio": "ingressgateway"},
        "containers": [container("gateway", endpoints)],
        "networks": [{"mode": "container/bridge"}],
        "scheduling": {"placement": {"acceptedResourceRoles": ["*", "slave_public"]}},
    });
    let expected = [
        "ingressgateway 80 HTTP2 127.0.0.1:31000 172.17.0.2:80",
        "ingressgateway 443 HTTPS 127.0.0.1:31001 172.17.0.2:443",
        "ingressgateway 15011 TCP 127.0.0.1:31002 172.17.0.2:15011",
    ];
    shape(pod, &expected, &[]).await;
}

#[tokio::test]
async fn an_app_with_fixed_host_ports_and_virtual_addresses() {
    let mapping = |name: &str, port: u16, vip: &str| json!({"containerPort": port, "hostPort": port + 20_000, "name": name, "labels": {"VIP_0": vip}});
    let app = json!({
        "id": "/platform/control", "labels": {"istio": "control"},
        "cmd": "serve", "instances": 1, "cpus": 1, "mem": 512,
        "container": {"type": "MESOS", "docker": {"image": "example/control:1"}, "volumes": [],
            "portMappings": [mapping("grpc", 11010, "/control:11010"), mapping("http", 11007, "/control:80")]},
        "networks": [{"mode": "container/bridge"}],
        "fetch": [{"uri": "file:///etc/control.tar.gz"}], "requirePorts": true,
        "upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0},
    });
    let expected = [
        "control 80 HTTP 127.0.0.1:31007 172.17.0.2:11007",
        "control 11007 HTTP 127.0.0.1:31007 172.17.0.2:11007",
        "control 11010 GRPC 127.0.0.1:31010 172.17.0.2:11010",
    ];
    shape(app, &expected, &[]).await;
}

#[tokio::test]
async fn apps_in_the_json_of_old_marathons() {
    let bridged = json!({
        "id": "/old", "labels": {"ISTIO_SERVICE_NAME": "old"}, "cmd": "serve",
        "container": {"type": "DOCKER", "docker": {"image": "example/old", "network": "BRIDGE",
            "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp", "name": "http"}]}},
    });
    shape(bridged, &["old 80 HTTP 127.0.0.1:31000 172.17.0.2:80"], &[]).await;
    let own_address = json!({
        "id": "/older", "labels": {"istio": "older"}, "cmd": "serve",
        "container": {"type": "DOCKER", "docker": {"image": "example/older", "network": "USER"}},
        "ipAddress": {"networkName": "dcos"},
        "healthChecks": [{"protocol": "HTTP", "path": "/", "port": 80}],
    });
    shape(own_address, &["older no ports"], &[]).await;
}

#[tokio::test]
async fn apps_on_the_network_of_their_agent() {
    let named = json!({
        "id": "/named", "labels": {"istio": "named"}, "cmd": "serve", "requirePorts": true,
        "portDefinitions": [{"port": 31777, "protocol": "tcp", "name": "http"}],
        "healthChecks": [{"protocol": "MESOS_HTTP", "path": "/", "portIndex": 0}],
        "readinessChecks": [{"name": "ready", "protocol": "HTTP", "path": "/", "portName": "http"}],
    });
    shape(named, &["named 31777 HTTP 127.0.0.1:31777"], &[]).await;
    // Nothing but a command: Marathon gives it one port, called `default`.
    let plain = json!({"id": "/plain", "labels": {"istio": "plain"}, "cmd": "serve"});
    let (lines, codes) = understood(plain).await;
    assert_eq!(codes, [""; 0]);
    assert!(
        lines.len() == 1 && lines[0].ends_with("HTTP 127.0.0.1:31000"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_pod_on_a_routed_network_that_names_its_protocol() {
    let endpoint = json!({"name": "web", "containerPort": 80, "protocol": ["http"]});
    let pod = json!({
        "id": "/web", "labels": {"istio": "web"},
        "containers": [container("web", json!([endpoint]))],
        "networks": [{"mode": "container", "name": "dcos"}],
    });
    shape(pod, &["web 80 HTTP 9.0.0.2:80"], &[]).await;
}

#[tokio::test]
async fn what_cannot_be_part_of_the_mesh_says_why() {
    // No number tells callers where it is.
    let endpoint =
        json!({"name": "http", "hostPort": 0, "containerPort": null, "protocol": ["tcp"]});
    let pod = json!({
        "id": "/ports", "labels": {"istio": "ports"},
        "containers": [container("ports", json!([endpoint]))], "networks": [{"mode": "host"}],
    });
    shape(pod, &["ports no ports"], &["PH0205"]).await;
    // It has no endpoint at all: it is there for its own proxy.
    let pod = json!({
        "id": "/sleep", "labels": {"istio": "sleep"},
        "containers": [container("sleep", json!([]))], "networks": [{"mode": "host"}],
    });
    shape(pod, &["sleep no ports"], &[]).await;
    let app = json!({
        "id": "/trace", "labels": {"istio": "trace"}, "cmd": "serve",
        "networks": [{"mode": "container/bridge"}],
        "container": {"portMappings": [
            {"containerPort": 9411, "hostPort": 31767, "name": "http"},
            {"containerPort": 5775, "hostPort": 0, "name": "agent", "protocol": "udp"}]},
    });
    let expected = ["trace 9411 HTTP 127.0.0.1:31767 172.17.0.2:9411"];
    shape(app, &expected, &["PH0204"]).await;
}
