//! Rows about the proxies that ask.

use api::marathon::Workload;
use model::{Attachment, BridgeKind, Proxy, Role, World};
use serde_json::{Value, json};

use crate::tests::fixtures::*;
use crate::{Claim, identify};

const AGENT: &str = "10.0.0.1";

fn proxy(world: &World, node_id: &str, metadata: Value, peer: &str) -> Proxy {
    let claim = Claim {
        node_id,
        metadata: metadata.as_object().unwrap(),
    };
    identify(world, &claim, peer.parse().unwrap()).unwrap()
}

fn sidecar(id: &str) -> String {
    format!("sidecar~172.31.254.77~{id}~marathon.slave.mesos")
}

#[test]
fn row31_the_agent_comes_from_the_instance_then_the_node_then_the_peer() {
    let world = world_of(vec![reviews(1)], vec![]);
    for (id, metadata, peer, agent) in [
        (
            id("reviews", 1),
            json!({"HOST": "10.9.9.9"}),
            "192.0.2.1",
            Some(AGENT),
        ),
        (
            "unknown".into(),
            json!({"HOST": "10.9.9.9"}),
            AGENT,
            Some("10.9.9.9"),
        ),
        (
            "unknown".into(),
            json!({"HOST": "a-name"}),
            AGENT,
            Some(AGENT),
        ),
        ("unknown".into(), json!({}), "192.0.2.1", None),
    ] {
        let found = proxy(&world, &sidecar(&id), metadata, peer).spot;
        assert_eq!(found, agent.and_then(beside), "{id} {peer}");
    }
}

#[test]
fn row32_a_caller_on_another_network_of_the_agent_uses_host_ports() {
    let world = world_of(
        vec![
            reviews(1),
            docker("cart"),
            pod_on("edge", json!([{"mode": "host"}]), AGENT),
            pod_on(
                "far",
                json!([{"mode": "container", "name": "dcos"}]),
                "9.0.0.2",
            ),
        ],
        vec![],
    );
    let called = |from: &str, service: &str, port: u16| {
        let caller = proxy(&world, &sidecar(&id(from, 1)), json!({}), AGENT);
        let reach = &endpoints(&world, service, port)[0].reach;
        reach.from(caller.spot).unwrap().to_string()
    };
    let (mesos, docker) = (("reviews", 9080), ("cart", 80));
    for (from, (service, port), address) in [
        ("reviews", mesos, "172.31.254.1:9080"),
        ("reviews", docker, "10.0.0.1:31500"),
        ("cart", docker, "172.17.0.2:80"),
        ("cart", mesos, "10.0.0.1:31001"),
        ("edge", mesos, "10.0.0.1:31001"),
        ("edge", docker, "10.0.0.1:31500"),
        ("far", mesos, "10.0.0.1:31001"),
        ("far", docker, "10.0.0.1:31500"),
    ] {
        assert_eq!(called(from, service, port), address, "{from} to {service}");
    }
}

/// In the words of Marathon before 1.5 and since: whose bridge it is follows from the container.
#[test]
fn the_bridge_of_an_app_is_that_of_its_containerizer() {
    let bridge = |container: Value, networks: Value| {
        let mut app = app("cart", "", json!([]), vec![task("cart", 1, json!([31500]))]);
        app["networks"] = networks;
        app["container"] = container;
        let world = world_of(vec![app_workload(app, vec![])], vec![]);
        instance(&world, &id("cart", 1)).attachment
    };
    let new = json!([{"mode": "container/bridge"}]);
    let old = json!({"network": "BRIDGE", "portMappings": [{"containerPort": 80, "hostPort": 0}]});
    for (container, networks, kind) in [
        (json!({"type": "MESOS"}), new.clone(), BridgeKind::Mesos),
        (
            json!({"type": "MESOS", "docker": {"image": "x"}}),
            new.clone(),
            BridgeKind::Mesos,
        ),
        (
            json!({"type": "DOCKER", "docker": {"image": "x"}}),
            new.clone(),
            BridgeKind::Docker,
        ),
        (
            json!({"type": "DOCKER", "docker": old}),
            json!([]),
            BridgeKind::Docker,
        ),
        (json!({"docker": old}), json!([]), BridgeKind::Docker),
        (json!(null), new, BridgeKind::Mesos),
    ] {
        let told = container.to_string();
        assert_eq!(
            bridge(container, networks),
            Attachment::Bridge(kind),
            "{told}"
        );
    }
}

/// An app that Docker runs on the bridge of the agent.
fn docker(name: &str) -> Workload {
    let mut on_agent = task(name, 1, json!([31500]));
    on_agent["host"] = json!(AGENT);
    on_agent["ipAddresses"] = json!([{"ipAddress": "172.17.0.2"}]);
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let mut app = app(name, "container/bridge", mapping, vec![on_agent]);
    app["container"]["type"] = json!("DOCKER");
    app_workload(app, vec![])
}

/// A pod on another network of the agent.
fn pod_on(name: &str, networks: Value, address: &str) -> Workload {
    let mut spec = pod_spec(name, json!({"istio": name}), 80);
    spec["networks"] = networks;
    spec["containers"][0]["endpoints"] = json!([{"name": "http", "hostPort": 80}]);
    let mut running = pod_instance(name, 1, 1, 80);
    running["networks"] = json!([{"addresses": [address]}]);
    running["containers"][0]["endpoints"] = json!([{"name": "http", "allocatedHostPort": 80}]);
    pod_workload(pod(spec, vec![running]), vec![])
}

#[test]
fn row33_a_service_reaches_itself_inside_its_bridge() {
    let world = world_of(vec![reviews(1)], vec![]);
    let own = proxy(&world, &sidecar(&id("reviews", 1)), json!({}), AGENT);
    let reach = &endpoints(&world, "reviews", 9080)[0].reach;
    assert_eq!(
        reach.from(own.spot).map(|a| a.to_string()).as_deref(),
        Some("172.31.254.1:9080")
    );
}

#[test]
fn row36_a_gateway_has_its_labels_with_or_without_a_service() {
    let labels = json!({"LABELS": {"istio": "ingressgateway"}});
    let world = world_of(vec![reviews(1)], vec![]);
    let node = "router~172.31.254.78~ingress~marathon.slave.mesos";
    let gateway = proxy(&world, node, labels, "192.0.2.1");
    assert_eq!(
        (gateway.role, gateway.labels.get("istio")),
        (Role::Router, Some("ingressgateway"))
    );
    assert_eq!(gateway.instance, None);
}

#[test]
fn row37_a_sidecar_is_known_before_its_task_runs() {
    let spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    let mut staging = pod_instance("reviews", 1, 1, 9080);
    staging["status"] = json!("STAGING");
    staging["containers"][0]["status"] = json!("TASK_STAGING");
    let world = world_of(vec![pod_workload(pod(spec, vec![staging]), vec![])], vec![]);
    assert!(endpoints(&world, "reviews", 9080).is_empty());
    let early = proxy(
        &world,
        &sidecar(&format!("{}.proxy.1", id("reviews", 1))),
        json!({}),
        AGENT,
    );
    assert_eq!(early.instance.unwrap().ports.len(), 1);
    // Before Marathon tells of it at all, it gets everything outbound.
    let earlier = proxy(&world, &sidecar(&id("reviews", 2)), json!({}), "192.0.2.1");
    assert_eq!((earlier.instance, &*earlier.namespace), (None, "default"));
}

#[test]
fn row38_the_sidecar_of_a_deleted_instance_is_served_and_counts_nowhere() {
    let world = world_of(vec![reviews(1)], vec![]);
    let gone = proxy(
        &world,
        &sidecar(&id("reviews", 9)),
        json!({"HOST": AGENT}),
        AGENT,
    );
    assert_eq!(gone.instance, None);
    assert_eq!(gone.spot, beside(AGENT));
    assert_eq!(endpoints(&world, "reviews", 9080).len(), 1);
}
