//! Clusters and endpoints.

use std::time::Duration;

use model::{Bridge, BridgeKind, Health, Locality, Reach, Spot};
use serde_json::json;

use crate::Kind;
use crate::fixtures::*;

fn proxy() -> model::Proxy {
    sidecar("sleep", &[(80, 8080, "http"), (5000, 5000, "grpc")])
}

#[test]
fn a_cluster_of_a_service() {
    let mut draft = Draft::default().service("db", &[(9080, "http")]);
    draft.mesh.connect_timeout = Duration::from_millis(1500);
    let rendered = render(&draft.world(), &proxy());
    let max = u32::MAX;
    assert_eq!(
        *rendered.get(Kind::Cluster, "outbound|9080||db.marathon.slave.mesos"),
        json!({
            "name": "outbound|9080||db.marathon.slave.mesos",
            "type": "EDS",
            "eds_cluster_config": {
                "eds_config": {
                    "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "5s",
                },
                "service_name": "outbound|9080||db.marathon.slave.mesos",
            },
            "connect_timeout": "1.500s",
            "lb_policy": "LEAST_REQUEST",
            "circuit_breakers": { "thresholds": [{
                "max_connections": max, "max_pending_requests": max, "max_requests": max,
                "max_retries": max, "track_remaining": true,
            }]},
            "common_lb_config": {},
        })
    );
}

#[test]
fn every_port_but_udp_has_one_and_grpc_is_http2() {
    let ports = [
        (53, "udp"),
        (5000, "grpc"),
        (6379, "redis"),
        (8443, "https"),
    ];
    let rendered = render(&Draft::default().service("all", &ports).world(), &proxy());
    let mut outbound = rendered.names(Kind::Cluster);
    outbound.retain(|name| name.starts_with("outbound"));
    assert_eq!(
        outbound,
        [
            "outbound|5000||all.marathon.slave.mesos",
            "outbound|6379||all.marathon.slave.mesos",
            "outbound|8443||all.marathon.slave.mesos"
        ]
    );
    assert_eq!(outbound, rendered.names(Kind::Endpoint));
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    for name in ["outbound|5000||all.marathon.slave.mesos", "inbound|5000||"] {
        let cluster = rendered.get(Kind::Cluster, name);
        assert_eq!(
            cluster["typed_extension_protocol_options"][options]["explicit_http_config"],
            json!({ "http2_protocol_options": {} })
        );
    }
}

#[test]
fn inbound_clusters_lead_to_the_application() {
    let rendered = render(&Draft::default().world(), &proxy());
    let cluster = rendered.get(Kind::Cluster, "inbound|8080||");
    assert_eq!(cluster["type"], "STATIC");
    let socket = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
    assert_eq!(
        socket["address"]["socket_address"],
        json!({ "address": "127.0.0.1", "port_value": 8080 })
    );
    for fixed in [
        "BlackHoleCluster",
        "PassthroughCluster",
        "InboundPassthroughCluster",
    ] {
        assert!(rendered.has(Kind::Cluster, fixed));
    }
}

#[test]
fn a_service_without_endpoints_has_an_empty_assignment() {
    let world = Draft::default().service("db", &[(80, "http")]).world();
    let rendered = render(&world, &proxy());
    let name = "outbound|80||db.marathon.slave.mesos";
    assert_eq!(
        *rendered.get(Kind::Endpoint, name),
        json!({ "cluster_name": name })
    );
}

#[test]
fn endpoints_are_grouped_sorted_and_each_there_once() {
    let zone = |zone: &'static str, health, weight| {
        move |endpoint: &mut model::Endpoint| {
            endpoint.locality = Locality {
                region: "eu".into(),
                zone: zone.into(),
                subzone: "".into(),
            };
            endpoint.health = health;
            endpoint.weight = weight;
        }
    };
    let everywhere = |address| Reach::everywhere(at(address));
    let none = Reach {
        anywhere: None,
        also: None,
        same_bridge: Some((mesos(ip(AGENT_B)), at("172.17.0.2:80"))),
    };
    let v = || version("v1");
    let world = Draft::default()
        .service("db", &[(80, "http")])
        .endpoint_with(
            "db",
            80,
            v(),
            everywhere("10.0.0.9:80"),
            zone("b", Health::Healthy, 3),
        )
        .endpoint_with(
            "db",
            80,
            v(),
            everywhere("10.0.0.8:80"),
            zone("b", Health::Degraded, 4),
        )
        .endpoint_with(
            "db",
            80,
            v(),
            everywhere("10.0.0.7:80"),
            zone("a", Health::Unhealthy, 0),
        )
        .endpoint_with(
            "db",
            80,
            v(),
            everywhere("10.0.0.9:80"),
            zone("a", Health::Healthy, 9),
        )
        .endpoint_with("db", 80, v(), none, zone("a", Health::Healthy, 1))
        .world();
    let rendered = render(&world, &proxy());
    let name = "outbound|80||db.marathon.slave.mesos";
    let endpoint = |address: &str, health: &str, weight: u32| {
        json!({
            "endpoint": { "address": { "socket_address": { "address": address, "port_value": 80 } } },
            "health_status": health,
            "load_balancing_weight": weight,
        })
    };
    assert_eq!(
        rendered.get(Kind::Endpoint, name)["endpoints"],
        json!([
            {
                "locality": { "region": "eu", "zone": "a" },
                "load_balancing_weight": 1,
                "lb_endpoints": [endpoint("10.0.0.7", "UNHEALTHY", 1)],
            },
            {
                "locality": { "region": "eu", "zone": "b" },
                "load_balancing_weight": 7,
                "lb_endpoints": [
                    endpoint("10.0.0.8", "DEGRADED", 4),
                    endpoint("10.0.0.9", "HEALTHY", 3),
                ],
            },
        ])
    );
}

#[test]
fn weights_that_do_not_fit_are_cut() {
    let heavy = |endpoint: &mut model::Endpoint| endpoint.weight = u32::MAX;
    let world = Draft::default()
        .service("db", &[(80, "http")])
        .endpoint_with(
            "db",
            80,
            version("v1"),
            Reach::everywhere(at("10.0.0.1:80")),
            heavy,
        )
        .endpoint_with(
            "db",
            80,
            version("v1"),
            Reach::everywhere(at("10.0.0.2:80")),
            heavy,
        )
        .world();
    let rendered = render(&world, &proxy());
    let name = "outbound|80||db.marathon.slave.mesos";
    let group = &rendered.get(Kind::Endpoint, name)["endpoints"][0];
    assert_eq!(group["load_balancing_weight"], u32::MAX - 1);
    assert_eq!(rendered.codes(), [""; 0]);
}

#[test]
fn on_its_own_agent_a_proxy_calls_containers_and_elsewhere_agents() {
    let world = bookinfo().world();
    let mut proxy = proxy();
    let name = "outbound|9080||details.marathon.slave.mesos";
    assert_eq!(render(&world, &proxy).endpoints(name), ["10.0.4.101:31001"]);
    proxy.spot = beside(AGENT_B);
    assert_eq!(render(&world, &proxy).endpoints(name), ["172.17.0.3:9080"]);
    proxy.spot = None;
    assert_eq!(render(&world, &proxy).endpoints(name), ["10.0.4.101:31001"]);
}

#[test]
fn from_another_bridge_of_the_agent_a_proxy_calls_the_host_port() {
    let docker = Bridge {
        agent: ip(AGENT_B),
        kind: BridgeKind::Docker,
    };
    let mut world = bookinfo();
    let (host_port, container) = ("10.0.4.101:31700", "172.17.0.3:9080");
    let reach = Reach {
        anywhere: Some(at(host_port)),
        also: None,
        same_bridge: Some((docker, at(container))),
    };
    world = world.service("cart", &[(80, "http")]);
    let world = world.endpoint("cart", 80, version("v1"), reach).world();
    let mut proxy = proxy();
    let name = "outbound|80||cart.marathon.slave.mesos";
    for (spot, expected) in [
        (beside(AGENT_B), host_port),
        (Some(Spot::Bridge(docker)), container),
        (Some(Spot::Agent(ip(AGENT_B))), host_port),
        (beside(AGENT_A), host_port),
        (None, host_port),
    ] {
        proxy.spot = spot;
        assert_eq!(
            render(&world, &proxy).endpoints(name),
            [expected],
            "{spot:?}"
        );
    }
}

#[test]
fn an_instance_with_both_ip_families_is_one_endpoint() {
    let reach = Reach {
        also: Some(at("[fd01::2]:80")),
        ..Reach::everywhere(at("9.1.0.2:80"))
    };
    let world = Draft::default()
        .service("dual", &[(80, "http")])
        .endpoint("dual", 80, version("v1"), reach)
        .world();
    let rendered = render(&world, &proxy());
    let name = "outbound|80||dual.marathon.slave.mesos";
    let group = &rendered.get(Kind::Endpoint, name)["endpoints"][0];
    let socket = |ip: &str| json!({"socket_address": {"address": ip, "port_value": 80}});
    assert_eq!(
        group["lb_endpoints"][0]["endpoint"],
        json!({"address": socket("9.1.0.2"), "additional_addresses": [{"address": socket("fd01::2")}]})
    );
    assert_eq!(group["lb_endpoints"].as_array().unwrap().len(), 1);
}

#[test]
fn of_several_rules_only_the_most_specific_counts() {
    let world = bookinfo()
        .subsets("*", &["all"])
        .subsets("*.marathon.slave.mesos", &["wide"])
        .subsets("reviews", &["v1"])
        .world();
    let rendered = render(&world, &proxy());
    for (name, there) in [
        ("outbound|9080|v1|reviews.marathon.slave.mesos", true),
        ("outbound|9080|wide|reviews.marathon.slave.mesos", false),
        ("outbound|9080|wide|ratings.marathon.slave.mesos", true),
        ("outbound|9080|all|ratings.marathon.slave.mesos", false),
    ] {
        assert_eq!(rendered.has(Kind::Cluster, name), there, "{name}");
    }
}
