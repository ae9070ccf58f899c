//! Rows about the proxies that ask.

use model::{Proxy, Role, World};
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
        let found = proxy(&world, &sidecar(&id), metadata, peer).agent;
        assert_eq!(
            found.map(|a| a.to_string()).as_deref(),
            agent,
            "{id} {peer}"
        );
    }
}

#[test]
fn row32_a_caller_on_the_agents_own_network_uses_host_ports() {
    let mut spec = pod_spec("edge", json!({"istio": "edge"}), 80);
    spec["networks"] = json!([{"mode": "host"}]);
    spec["containers"][0]["endpoints"] = json!([{"name": "http", "hostPort": 80}]);
    let mut running = pod_instance("edge", 1, 1, 80);
    running["networks"] = json!([{"addresses": [AGENT]}]);
    running["containers"][0]["endpoints"] = json!([{"name": "http", "allocatedHostPort": 80}]);
    let world = world_of(
        vec![reviews(1), pod_workload(pod(spec, vec![running]), vec![])],
        vec![],
    );
    let edge = proxy(&world, &sidecar(&id("edge", 1)), json!({}), AGENT);
    let reviews = &endpoints(&world, "reviews", 9080)[0].reach;
    assert_eq!(
        reviews
            .from_agent(edge.agent)
            .map(|a| a.to_string())
            .as_deref(),
        Some("10.0.0.1:31001")
    );
}

#[test]
fn row33_a_service_reaches_itself_inside_its_bridge() {
    let world = world_of(vec![reviews(1)], vec![]);
    let own = proxy(&world, &sidecar(&id("reviews", 1)), json!({}), AGENT);
    let reach = &endpoints(&world, "reviews", 9080)[0].reach;
    assert_eq!(
        reach
            .from_agent(own.agent)
            .map(|a| a.to_string())
            .as_deref(),
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
    assert_eq!(gone.agent.map(|a| a.to_string()).as_deref(), Some(AGENT));
    assert_eq!(endpoints(&world, "reviews", 9080).len(), 1);
}
