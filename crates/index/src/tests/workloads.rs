//! Apps and pods become services, endpoints and instances.

use std::net::IpAddr;

use model::{Health, Labels, Protocol};
use serde_json::json;

use super::fixtures::*;

#[test]
fn a_bridge_pod_is_reached_by_two_addresses() {
    let world = world_of(vec![reviews(1)], vec![]);
    assert_eq!(
        ports(&world, "reviews"),
        [(9080, "http-9080".into(), Protocol::Http)]
    );
    let [endpoint] = endpoints(&world, "reviews", 9080) else {
        panic!("one endpoint");
    };
    assert_eq!(
        reach(endpoint),
        ("10.0.0.1:31001".into(), "10.0.0.1>172.31.254.1:9080".into())
    );
    assert_eq!(endpoint.health, Health::Healthy);
    assert_eq!(endpoint.weight, 1);
    assert_eq!(
        (&*endpoint.locality.region, &*endpoint.locality.zone),
        ("eu", "eu-1")
    );
    let instance = instance(&world, &id("reviews", 1));
    assert_eq!(instance.address, "172.31.254.1".parse::<IpAddr>().ok());
    assert_eq!(instance.agent, "10.0.0.1".parse::<IpAddr>().ok());
    assert_eq!(instance.ports[0].target, 9080);
    assert_eq!(*instance.hosts, [host("reviews.marathon.slave.mesos")]);
    assert_eq!(codes(&world), [""; 0]);
}

#[test]
fn mappings_without_a_host_port_do_not_advance_the_cursor() {
    let mappings = json!([
        {"containerPort": 8080, "hostPort": 0, "name": "http"},
        {"containerPort": 9090, "name": "grpc"},
        {"containerPort": 0, "hostPort": 0, "servicePort": 10007, "name": "tcp-raw"},
    ]);
    let shop = app(
        "shop",
        "container/bridge",
        mappings,
        vec![task("shop", 2, json!([31005, 31006]))],
    );
    let world = world_of(vec![app_workload(shop, vec![])], vec![]);
    let addresses = |port| reach(&endpoints(&world, "shop", port)[0]);
    assert_eq!(
        addresses(8080),
        ("10.0.0.9:31005".into(), "10.0.0.9>172.17.0.2:8080".into())
    );
    assert_eq!(
        addresses(9090),
        ("-".into(), "10.0.0.9>172.17.0.2:9090".into())
    );
    // The container listens on the allocated port where it asked for none of its own.
    assert_eq!(
        addresses(10007),
        ("10.0.0.9:31006".into(), "10.0.0.9>172.17.0.2:31006".into())
    );
    assert_eq!(codes(&world), [crate::codes::SAME_AGENT_ONLY]);
    assert_eq!(
        diagnostic(&world, "PH0206").field,
        "container.portMappings[1]"
    );
}

#[test]
fn container_networks_are_reached_directly_and_named_networks_are_chosen() {
    let mappings = json!([
        {"containerPort": 80, "name": "http"},
        {"containerPort": 81, "name": "http-b", "networkNames": ["b"]},
    ]);
    let mut shop = app(
        "shop",
        "container",
        mappings,
        vec![task("shop", 2, json!([]))],
    );
    shop["networks"] =
        json!([{"mode": "container", "name": "a"}, {"mode": "container", "name": "b"}]);
    shop["tasks"][0]["ipAddresses"] = json!([{"ipAddress": "9.0.0.2"}, {"ipAddress": "9.1.0.2"}]);
    let world = world_of(vec![app_workload(shop, vec![])], vec![]);
    assert_eq!(
        reach(&endpoints(&world, "shop", 80)[0]),
        ("9.0.0.2:80".into(), "-".into())
    );
    assert_eq!(
        reach(&endpoints(&world, "shop", 81)[0]),
        ("9.1.0.2:81".into(), "-".into())
    );
    assert_eq!(
        instance(&world, &id("shop", 2)).address,
        "9.0.0.2".parse::<IpAddr>().ok()
    );
}

#[test]
fn host_mode_apps_use_port_definitions() {
    let mut shop = app(
        "shop",
        "host",
        json!([]),
        vec![task("shop", 2, json!([31005, 31006]))],
    );
    shop["portDefinitions"] = json!([
        {"port": 10001, "name": "http", "protocol": "tcp"},
        {"port": 10002, "labels": {"istio.io/service-port": "7000", "istio.io/protocol": "tcp"}},
    ]);
    shop["tasks"][0]["ipAddresses"] = json!([]);
    let world = world_of(vec![app_workload(shop, vec![])], vec![]);
    assert_eq!(
        ports(&world, "shop"),
        [
            (7000, "tcp-7000".into(), Protocol::Tcp),
            (10001, "http".into(), Protocol::Http)
        ]
    );
    assert_eq!(
        reach(&endpoints(&world, "shop", 7000)[0]),
        ("10.0.0.9:31006".into(), "-".into())
    );
    let instance = instance(&world, &id("shop", 2));
    assert_eq!(instance.address, instance.agent);
    let targets: Vec<_> = instance
        .ports
        .iter()
        .map(|p| (p.service_port, p.target))
        .collect();
    assert_eq!(targets, [(10001, 31005), (7000, 31006)]);
}

#[test]
fn host_mode_pods_use_fixed_host_ports() {
    let mut spec = pod_spec("db", json!({"istio": "db"}), 1);
    spec["networks"] = json!([{"mode": "host"}]);
    spec["containers"][0]["endpoints"] =
        json!([{"name": "tcp", "hostPort": 5432}, {"name": "http", "hostPort": 0}, {"name": "x"}]);
    let mut running = pod_instance("db", 1, 1, 1);
    running["containers"][0]["endpoints"] = json!([{"name": "http", "allocatedHostPort": 31001}, {"name": "tcp", "allocatedHostPort": 5432}]);
    let world = world_of(vec![pod_workload(pod(spec, vec![running]), vec![])], vec![]);
    assert_eq!(ports(&world, "db"), [(5432, "tcp".into(), Protocol::Tcp)]);
    assert_eq!(
        reach(&endpoints(&world, "db", 5432)[0]),
        ("10.0.0.1:5432".into(), "-".into())
    );
    assert_eq!(codes(&world), ["PH0205", "PH0205"]);
}

#[test]
fn docker_networks_of_old_marathons_are_understood() {
    let mut shop = app("shop", "", json!([]), vec![task("shop", 2, json!([31005]))]);
    shop["networks"] = json!(null);
    shop["container"] = json!({"type": "DOCKER", "docker": {"network": "BRIDGE", "portMappings": [
        {"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]}});
    let world = world_of(vec![app_workload(shop.clone(), vec![])], vec![]);
    assert_eq!(
        ports(&world, "shop"),
        [(80, "http-80".into(), Protocol::Http)]
    );
    assert_eq!(
        reach(&endpoints(&world, "shop", 80)[0]),
        ("10.0.0.9:31005".into(), "10.0.0.9>172.17.0.2:80".into())
    );
    shop["container"]["docker"]["network"] = json!("USER");
    let world = world_of(vec![app_workload(shop, vec![])], vec![]);
    assert_eq!(
        reach(&endpoints(&world, "shop", 80)[0]),
        ("172.17.0.2:80".into(), "-".into())
    );
}

#[test]
fn membership_is_by_label() {
    for (labels, hosts, found) in [
        (
            json!({"istio": "a, b,,a"}),
            vec!["a.marathon.slave.mesos", "b.marathon.slave.mesos"],
            vec![],
        ),
        (
            json!({"ISTIO_SERVICE_NAME": "a"}),
            vec!["a.marathon.slave.mesos"],
            vec![],
        ),
        (
            json!({"istio": "a", "ISTIO_SERVICE_NAME": "b"}),
            vec!["a.marathon.slave.mesos"],
            vec![],
        ),
        (
            json!({"istio": "x.Marathon.slave.mesos"}),
            vec!["x.marathon.slave.mesos"],
            vec![],
        ),
        (
            json!({"istio": "x.shop"}),
            vec!["x.shop.marathon.slave.mesos"],
            vec![],
        ),
        (
            json!({"istio": "no spaces,ok"}),
            vec!["nospaces.marathon.slave.mesos", "ok.marathon.slave.mesos"],
            vec!["PH0210"],
        ),
        (json!({"istio": "*"}), vec![], vec!["PH0202"]),
        (json!({"istio": " "}), vec![], vec![]),
        (json!({"version": "v1"}), vec![], vec![]),
    ] {
        let spec = pod_spec("p", labels.clone(), 80);
        let world = world_of(vec![pod_workload(pod(spec, vec![]), vec![])], vec![]);
        let known: Vec<_> = world
            .services
            .keys()
            .map(|h| h.as_str().to_owned())
            .collect();
        assert_eq!(
            (known, codes(&world)),
            (hosts.iter().map(|h| h.to_string()).collect(), found),
            "{labels}"
        );
    }
}

#[test]
fn an_instance_without_ports_or_services_is_still_an_instance() {
    let mut spec = pod_spec("ingress", json!({"istio": "ingressgateway"}), 80);
    spec["containers"][0]["endpoints"] = json!([]);
    let unlabelled = pod_spec("other", json!({}), 80);
    let world = world_of(
        vec![
            pod_workload(pod(spec, vec![pod_instance("ingress", 1, 1, 80)]), vec![]),
            pod_workload(
                pod(unlabelled, vec![pod_instance("other", 2, 1, 80)]),
                vec![],
            ),
        ],
        vec![],
    );
    assert_eq!(ports(&world, "ingressgateway"), []);
    let known: Vec<_> = world
        .instances
        .keys()
        .map(|i| i.as_str().to_owned())
        .collect();
    assert_eq!(known, [id("ingress", 1)]);
    assert_eq!(
        instance(&world, &id("ingress", 1)).labels,
        Labels::from_iter([("istio", "ingressgateway")])
    );
}

#[test]
fn protocols_are_found_where_they_are_declared() {
    for (endpoint, expected) in [
        (json!({"name": "web"}), Some(Protocol::Http)),
        (json!({"name": "grpc-api"}), Some(Protocol::Grpc)),
        (
            json!({"name": "web", "protocol": ["grpc"]}),
            Some(Protocol::Grpc),
        ),
        (
            json!({"name": "tcp-x", "protocol": ["http"]}),
            Some(Protocol::Tcp),
        ),
        (
            json!({"name": "http", "labels": {"istio.io/protocol": "TCP"}}),
            Some(Protocol::Tcp),
        ),
        (
            json!({"name": "http", "labels": {"istio.io/protocol": "smtp"}}),
            Some(Protocol::Http),
        ),
        (json!({"name": "dns", "protocol": ["udp"]}), None),
        (
            json!({"name": "dns", "protocol": ["udp", "tcp"]}),
            Some(Protocol::Http),
        ),
        (
            json!({"name": "http", "labels": {"istio.io/exclude": "true"}}),
            None,
        ),
    ] {
        let mut spec = pod_spec("p", json!({"istio": "p"}), 80);
        let mut declared = endpoint.clone();
        declared["containerPort"] = json!(80);
        declared["hostPort"] = json!(0);
        spec["containers"][0]["endpoints"] = json!([declared]);
        let world = world_of(vec![pod_workload(pod(spec, vec![]), vec![])], vec![]);
        let protocol = service(&world, "p").port(80).map(|p| p.protocol);
        assert_eq!(protocol, expected, "{endpoint}");
    }
}

#[test]
fn what_cannot_be_used_is_told() {
    let mappings = json!([
        {"containerPort": 53, "hostPort": 0, "protocol": "udp"},
        {"containerPort": 80, "hostPort": 0, "labels": {"istio.io/service-port": "no"}},
        {"containerPort": 0, "hostPort": 0},
    ]);
    let mut shop = app(
        "shop",
        "container/bridge",
        mappings,
        vec![task("shop", 1, json!([31000, 31001, 31002]))],
    );
    shop["labels"]["istio.io/weight"] = json!("0");
    shop["tasks"][0]["host"] = json!("agent-9.example.com");
    shop["tasks"][0]["ipAddresses"] = json!([]);
    let world = world_of(vec![app_workload(shop, vec![])], vec![]);
    assert_eq!(
        codes(&world),
        ["PH0203", "PH0203", "PH0204", "PH0205", "PH0207"]
    );
    assert_eq!(endpoints(&world, "shop", 80).len(), 0);
    assert!(
        diagnostic(&world, "PH0207")
            .why
            .contains("agent-9.example.com")
    );
    let object = diagnostic(&world, "PH0204").object.clone().unwrap();
    assert_eq!(object.to_string(), "App default//shop");
}

#[test]
fn weights_and_unknown_modes() {
    let mut spec = pod_spec("p", json!({"istio": "p", "istio.io/weight": "7"}), 80);
    let running = pod_instance("p", 1, 1, 80);
    let world = world_of(
        vec![pod_workload(pod(spec.clone(), vec![running]), vec![])],
        vec![],
    );
    assert_eq!(endpoints(&world, "p", 80)[0].weight, 7);
    spec["networks"] = json!([{"mode": "warp"}]);
    let world = world_of(vec![pod_workload(pod(spec, vec![]), vec![])], vec![]);
    assert!(codes(&world).contains(&"PH0209"));
}

#[test]
fn of_conflicting_declarations_the_lowest_workload_wins() {
    let tcp = |name: &str| {
        let mut spec = pod_spec(name, json!({"istio": "reviews"}), 9080);
        spec["containers"][0]["endpoints"][0]["name"] = json!("tcp-x");
        pod_workload(pod(spec, vec![]), vec![])
    };
    let world = world_of(vec![tcp("reviews-v2"), reviews(1)], vec![]);
    assert_eq!(
        ports(&world, "reviews"),
        [(9080, "http-9080".into(), Protocol::Http)]
    );
    let found = diagnostic(&world, "PH0208");
    assert_eq!(
        found.object.as_ref().unwrap().to_string(),
        "Pod default//reviews-v2"
    );
    assert!(found.why.contains("Pod default//reviews "), "{}", found.why);
    let world = world_of(vec![tcp("a"), reviews(1)], vec![]);
    assert_eq!(
        ports(&world, "reviews"),
        [(9080, "tcp-x".into(), Protocol::Tcp)]
    );
}
