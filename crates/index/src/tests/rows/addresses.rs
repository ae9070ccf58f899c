//! Rows about ports and addresses.

use model::{Protocol, World};
use serde_json::{Value, json};

use crate::tests::fixtures::*;

fn apps(app: Value) -> World {
    world_of(vec![app_workload(app, vec![])], vec![])
}

/// An app with one mapping and one task.
fn with(mode: &str, mapping: Value, allocated: Value) -> World {
    apps(app(
        "shop",
        mode,
        json!([mapping]),
        vec![task("shop", 2, allocated)],
    ))
}

fn addresses(world: &World, port: u16) -> Vec<(String, String)> {
    endpoints(world, "shop", port).iter().map(reach).collect()
}

#[test]
fn row21_a_port_that_speaks_udp_only_is_told_and_not_part_of_the_mesh() {
    let world = with(
        "container/bridge",
        json!({"containerPort": 53, "hostPort": 0, "protocol": "udp"}),
        json!([31000]),
    );
    assert_eq!(
        (ports(&world, "shop"), codes(&world)),
        (vec![], vec![crate::codes::UDP_PORT])
    );
    let mut spec = pod_spec("shop", json!({"istio": "shop"}), 53);
    spec["containers"][0]["endpoints"][0]["protocol"] = json!(["udp"]);
    let world = world_of(vec![pod_workload(pod(spec, vec![]), vec![])], vec![]);
    assert_eq!(
        (ports(&world, "shop"), codes(&world)),
        (vec![], vec![crate::codes::UDP_PORT])
    );
}

#[test]
fn row22_udp_and_tcp_is_tcp() {
    for protocol in ["udp,tcp", "tcp,udp"] {
        let mapping = json!({"containerPort": 53, "hostPort": 0, "protocol": protocol});
        let world = with("container/bridge", mapping, json!([31000]));
        assert_eq!(addresses(&world, 53).len(), 1, "{protocol}");
        assert_eq!(codes(&world), [""; 0]);
    }
}

#[test]
fn row23_a_workload_without_ports_is_a_service_without_ports() {
    let world = apps(app(
        "shop",
        "container/bridge",
        json!([]),
        vec![task("shop", 1, json!([]))],
    ));
    assert_eq!(ports(&world, "shop"), []);
    assert!(world.endpoints.is_empty());
    assert_eq!(instance(&world, &id("shop", 1)).ports, []);
}

#[test]
fn row24_an_unnamed_port_is_called_by_protocol_and_number() {
    let labelled =
        json!({"containerPort": 90, "hostPort": 0, "labels": {"istio.io/protocol": "mongo"}});
    for (mapping, expected) in [
        (
            json!({"containerPort": 80, "hostPort": 0}),
            (80, "http-80", Protocol::Http),
        ),
        (labelled, (90, "mongo-90", Protocol::Mongo)),
    ] {
        let world = with("container/bridge", mapping, json!([31000]));
        let (number, name, protocol) = expected;
        assert_eq!(ports(&world, "shop"), [(number, name.to_owned(), protocol)]);
    }
}

#[test]
fn row25_open_numbers_follow_from_the_declaration() {
    let mut host_app = app(
        "shop",
        "host",
        json!([]),
        vec![task("shop", 1, json!([31000]))],
    );
    host_app["portDefinitions"] = json!([{"port": 10004}]);
    let world = apps(host_app);
    assert_eq!(
        addresses(&world, 10004),
        [("10.0.0.9:31000".into(), "-".into())]
    );
    // A container port of 0 is the allocated one; callers use the service port.
    let open = json!({"containerPort": 0, "hostPort": 0, "servicePort": 10005});
    let world = with("container/bridge", open, json!([31005]));
    assert_eq!(addresses(&world, 10005)[0].1, "10.0.0.9>172.17.0.2:31005");
    let mut spec = pod_spec("shop", json!({"istio": "shop"}), 80);
    spec["containers"][0]["endpoints"][0]["containerPort"] = json!(0);
    let world = world_of(
        vec![pod_workload(pod(spec.clone(), vec![]), vec![])],
        vec![],
    );
    assert_eq!(
        (ports(&world, "shop"), codes(&world)),
        (vec![], vec!["PH0205"])
    );
    spec["containers"][0]["endpoints"][0]["labels"] = json!({"istio.io/service-port": "80"});
    let world = world_of(vec![pod_workload(pod(spec, vec![]), vec![])], vec![]);
    assert_eq!(ports(&world, "shop")[0].0, 80);
}

#[test]
fn row26_without_a_host_port_a_bridge_is_reached_from_its_own_agent_only() {
    let world = with("container/bridge", json!({"containerPort": 80}), json!([]));
    assert_eq!(
        addresses(&world, 80),
        [("-".into(), "10.0.0.9>172.17.0.2:80".into())]
    );
    assert_eq!(codes(&world), [crate::codes::SAME_AGENT_ONLY]);
}

#[test]
fn row27_on_a_routed_network_the_container_is_reached_itself() {
    for (mapping, allocated) in [
        (json!({"containerPort": 80}), json!([])),
        (json!({"containerPort": 80, "hostPort": 0}), json!([31000])),
    ] {
        let world = with("container", mapping, allocated);
        assert_eq!(
            addresses(&world, 80),
            [("172.17.0.2:80".into(), "-".into())]
        );
        assert_eq!(codes(&world), [""; 0]);
    }
}

/// As the pods of some operators say it: the bridge's own name in place of its mode.
#[test]
fn a_bridge_that_is_called_by_its_name_is_a_bridge() {
    let mut spec = pod_spec("shop", json!({"istio": "shop"}), 80);
    spec["networks"] = json!([{"mode": "container", "name": "mesos-bridge"}]);
    let running = pod_instance("shop", 1, 1, 80);
    let named = world_of(
        vec![pod_workload(pod(spec, vec![running.clone()]), vec![])],
        vec![],
    );
    let spec = pod_spec("shop", json!({"istio": "shop"}), 80);
    let mode = world_of(vec![pod_workload(pod(spec, vec![running]), vec![])], vec![]);
    assert_eq!(addresses(&named, 80), addresses(&mode, 80));
    assert!(
        named.endpoints_of(&host("shop.marathon.slave.mesos"), 80)[0]
            .reach
            .same_bridge
            .is_some()
    );
}

#[test]
fn row28_two_ports_of_one_instance_under_one_service_port_are_two_endpoints() {
    let label = json!({"istio.io/service-port": "80"});
    let mappings = json!([
        {"containerPort": 8080, "hostPort": 0, "name": "http", "labels": label},
        {"containerPort": 8081, "hostPort": 0, "name": "http-b", "labels": label},
    ]);
    let world = apps(app(
        "shop",
        "container/bridge",
        mappings,
        vec![task("shop", 2, json!([31000, 31001]))],
    ));
    let hosts: Vec<_> = addresses(&world, 80).into_iter().map(|a| a.0).collect();
    assert_eq!(hosts, ["10.0.0.9:31000", "10.0.0.9:31001"]);
}

#[test]
fn row29_of_two_owners_of_one_address_the_newer_counts() {
    let mut stale = task("shop", 1, json!([31000]));
    stale["startedAt"] = json!("2024-01-01T00:00:00Z");
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let tasks = vec![stale, task("shop", 2, json!([31000]))];
    let world = apps(app("shop", "container/bridge", mapping, tasks));
    assert_eq!(endpoints(&world, "shop", 80).len(), 1);
    assert_eq!(
        endpoints(&world, "shop", 80)[0].instance.as_str(),
        id("shop", 2)
    );
}

#[test]
fn row30_bridge_addresses_are_for_their_own_agent() {
    let mut elsewhere = task("shop", 1, json!([31000]));
    elsewhere["host"] = json!("10.0.0.8");
    elsewhere["ipAddresses"] = json!([{"ipAddress": "172.17.0.2"}]);
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let tasks = vec![elsewhere, task("shop", 2, json!([31001]))];
    let world = apps(app("shop", "container/bridge", mapping, tasks));
    let from = |agent: &str| -> Vec<String> {
        let endpoints = endpoints(&world, "shop", 80).iter();
        let spot = beside(agent);
        endpoints
            .filter_map(|e| e.reach.from(spot))
            .map(|a| a.to_string())
            .collect()
    };
    assert_eq!(from("10.0.0.8"), ["172.17.0.2:80", "10.0.0.9:31001"]);
    assert_eq!(from("10.0.0.9"), ["10.0.0.8:31000", "172.17.0.2:80"]);
    assert_eq!(from("10.0.0.7"), ["10.0.0.8:31000", "10.0.0.9:31001"]);
}

#[test]
fn row34_an_agent_with_a_name_counts_once_its_address_is_known() {
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let mut named = task("shop", 2, json!([31000]));
    named["host"] = json!("agent-9");
    let shop = |task: &Value| {
        apps(app(
            "shop",
            "container/bridge",
            mapping.clone(),
            vec![task.clone()],
        ))
    };
    assert_eq!(codes(&shop(&named)), [crate::codes::AGENT_NAME]);
    assert_eq!(addresses(&shop(&named), 80), []);
    named["x-agentAddress"] = json!("10.0.0.9");
    let world = shop(&named);
    assert_eq!(
        addresses(&world, 80),
        [("10.0.0.9:31000".into(), "10.0.0.9>172.17.0.2:80".into())]
    );
    assert_eq!(codes(&world), [""; 0]);
    // And so for pods.
    let mut running = pod_instance("shop", 1, 1, 80);
    running["agentHostname"] = json!("agent-1");
    running["x-agentAddress"] = json!("10.0.0.1");
    let spec = pod_spec("shop", json!({"istio": "shop"}), 80);
    let world = world_of(vec![pod_workload(pod(spec, vec![running]), vec![])], vec![]);
    assert_eq!(addresses(&world, 80)[0].0, "10.0.0.1:31001");
}

fn addresses_of(world: &World) -> Vec<String> {
    addresses(world, 80).into_iter().map(|a| a.0).collect()
}

/// A dual-stack app on the networks `a` and `b`, with the given labels and network of its port.
fn on_two_networks(labels: Value, network: Value) -> World {
    let mut both = task("shop", 2, json!([]));
    both["ipAddresses"] = json!([
        {"ipAddress": "9.0.0.2"}, {"ipAddress": "fd00::a"}, {"ipAddress": "9.1.0.2"}, {"ipAddress": "fd00::b"}]);
    let mut shop = app(
        "shop",
        "container",
        json!([{"containerPort": 80, "networkNames": network}]),
        vec![both],
    );
    shop["networks"] =
        json!([{"mode": "container", "name": "a"}, {"mode": "container", "name": "b"}]);
    for (key, value) in labels.as_object().unwrap() {
        shop["labels"][key] = value.clone();
    }
    apps(shop)
}

#[test]
fn of_several_networks_labels_and_ports_choose() {
    for (labels, network, expected) in [
        (json!({}), json!([]), "9.0.0.2:80"),
        (json!({}), json!(["b"]), "9.1.0.2:80"),
        (json!({"istio.io/network": "b"}), json!([]), "9.1.0.2:80"),
        (json!({"istio.io/ip-index": "3"}), json!([]), "[fd00::b]:80"),
    ] {
        let world = on_two_networks(labels.clone(), network.clone());
        assert_eq!(addresses_of(&world), [expected], "{labels} {network}");
        assert_eq!(codes(&world), [""; 0]);
    }
    // A port is only on the networks that it names.
    assert_eq!(
        addresses_of(&on_two_networks(json!({}), json!(["c"]))),
        [""; 0]
    );
    for label in [
        json!({"istio.io/network": "c"}),
        json!({"istio.io/ip-index": "9"}),
        json!({"istio.io/ip-index": "x"}),
    ] {
        let world = on_two_networks(label.clone(), json!([]));
        assert_eq!(
            (addresses_of(&world), codes(&world)),
            (vec!["9.0.0.2:80".into()], vec!["PH0203"]),
            "{label}"
        );
    }
}

#[test]
fn an_old_app_with_an_address_of_its_own_has_the_ports_that_it_announces() {
    let mut shop = app("shop", "", json!([]), vec![task("shop", 2, json!([]))]);
    shop["networks"] = json!(null);
    shop["container"] = json!({"type": "MESOS"});
    shop["ipAddress"] = json!({"networkName": "dcos", "discovery": {"ports": [
        {"number": 80, "name": "http", "protocol": "tcp"}, {"number": 53, "name": "dns", "protocol": "udp"}]}});
    let world = apps(shop.clone());
    assert_eq!(
        addresses(&world, 80),
        [("172.17.0.2:80".into(), "-".into())]
    );
    assert_eq!(codes(&world), [crate::codes::UDP_PORT]);
    assert_eq!(
        diagnostic(&world, "PH0204").field,
        "ipAddress.discovery.ports[1]"
    );
    // A network of Docker with port mappings, and its name beside them.
    shop["ipAddress"] = json!({"networkName": "weave"});
    shop["container"] = json!({"type": "DOCKER", "docker": {"network": "USER", "portMappings": [
        {"containerPort": 8080, "servicePort": 10001, "networkNames": ["weave"]}]}});
    assert_eq!(
        addresses(&apps(shop), 8080),
        [("172.17.0.2:8080".into(), "-".into())]
    );
}

#[test]
fn row41_a_container_without_an_address_waits_for_it() {
    let mut young = task("shop", 2, json!([31000]));
    young["ipAddresses"] = json!([]);
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let on = |mode: &str| {
        addresses(
            &apps(app("shop", mode, mapping.clone(), vec![young.clone()])),
            80,
        )
    };
    assert_eq!(on("container"), []);
    assert_eq!(
        on("container/bridge"),
        [("10.0.0.9:31000".into(), "-".into())]
    );
    let mut host_app = app("shop", "host", json!([]), vec![young.clone()]);
    host_app["portDefinitions"] = json!([{"port": 80}]);
    assert_eq!(
        addresses(&apps(host_app), 80),
        [("10.0.0.9:31000".into(), "-".into())]
    );
}

#[test]
fn row42_region_and_zone_of_the_agent_are_the_locality() {
    let mut placed = task("shop", 2, json!([31000]));
    placed["region"] = json!("aws/eu");
    placed["zone"] = json!("aws/eu-1");
    placed["role"] = json!("prod");
    placed["localVolumes"] = json!([{"containerPath": "x"}]);
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let world = apps(app("shop", "container/bridge", mapping, vec![placed]));
    let locality = &endpoints(&world, "shop", 80)[0].locality;
    assert_eq!((&*locality.region, &*locality.zone), ("aws/eu", "aws/eu-1"));
    assert_eq!(instance(&world, &id("shop", 2)).locality, *locality);
}
