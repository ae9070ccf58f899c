//! Routes of connections in sidecars: by server name, by address, by caller.

use model::route::{ConnectionMatch, GatewayRef, VirtualService};
use model::{Proxy, Reach, World};
use serde_json::{Value, json};

use crate::Kind;
use crate::finding::code;
use crate::fixtures::routes::*;
use crate::fixtures::*;

fn with_tls(name: &str, tls: Vec<model::route::ConnectionRoute>) -> VirtualService {
    VirtualService {
        tls,
        ..virtual_service(name, &["a", "*.example.com"], Vec::new())
    }
}

fn with_tcp(name: &str, tcp: Vec<model::route::ConnectionRoute>) -> VirtualService {
    VirtualService {
        tcp,
        ..virtual_service(name, &["a"], Vec::new())
    }
}

/// What each chain matches, and where it leads.
fn chains(world: &World, proxy: &Proxy, listener: &str) -> Vec<(String, String)> {
    let rendered = render(world, proxy);
    let listener = rendered.get(Kind::Listener, listener);
    let chains = listener["filter_chains"].as_array().unwrap();
    chains.iter().map(|c| (matched(c), leads_to(c))).collect()
}

fn matched(chain: &Value) -> String {
    let condition = &chain["filter_chain_match"];
    let list = |value: &Value, key: &str| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        let text = |v: &Value| match key {
            "" => v.as_str().unwrap().to_owned(),
            key => format!("{}/{}", v[key].as_str().unwrap(), v["prefix_len"]),
        };
        items.map(text).collect()
    };
    let mut parts = list(&condition["prefix_ranges"], "address_prefix");
    parts.extend(list(&condition["server_names"], ""));
    parts.extend(condition["transport_protocol"].as_str().map(str::to_owned));
    parts.join(" ")
}

fn leads_to(chain: &Value) -> String {
    let filters = chain["filters"].as_array().unwrap();
    let config = &filters.last().unwrap()["typed_config"];
    if let Some(cluster) = config["cluster"].as_str() {
        return short(cluster);
    }
    let weighted = config["weighted_clusters"]["clusters"].as_array();
    let weighted = weighted.into_iter().flatten();
    let each = weighted.map(|c| format!("{}*{}", short(c["name"].as_str().unwrap()), c["weight"]));
    each.collect::<Vec<_>>().join(" ")
}

fn short(cluster: &str) -> String {
    let rest = cluster.strip_prefix("outbound|").unwrap_or(cluster);
    rest.replace(".marathon.slave.mesos", "")
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(a, b): &(&str, &str)| (a.to_string(), b.to_string());
    expected.iter().map(own).collect()
}

fn tls_services() -> Draft {
    Draft::default()
        .service("a", &[(443, "https")])
        .service("b", &[(443, "tls")])
        .subsets("b", &["v1", "v2"])
}

fn tcp_services() -> Draft {
    let alone = |address| Reach::everywhere(at(address));
    Draft::default()
        .service("a", &[(6379, "tcp")])
        .endpoint("a", 6379, version("v1"), alone("10.0.0.1:6379"))
        .endpoint("a", 6379, version("v1"), alone("10.1.0.1:6379"))
        .service("b", &[(6379, "tcp")])
        .endpoint("b", 6379, version("v1"), alone("10.0.0.2:6379"))
}

#[test]
fn server_names_route_with_weights_and_the_rest_of_the_service_has_no_chain() {
    let names = asking_for(&["a", "api.example.com"]);
    let world = tls_services()
        .virtual_service(with_tls(
            "v",
            connections(vec![names], &[("b/v1", 80), ("b/v2", 20)]),
        ))
        .world();
    assert_eq!(
        chains(&world, &sidecar("web", &[]), "0.0.0.0_443"),
        pairs(&[
            (
                "a.marathon.slave.mesos api.example.com tls",
                "443|v1|b*80 443|v2|b*20"
            ),
            ("b.marathon.slave.mesos tls", "443||b"),
        ])
    );
}

#[test]
fn a_route_for_another_port_or_place_leaves_the_service_as_it_is() {
    for condition in [
        ConnectionMatch {
            port: Some(8443),
            ..asking_for(&["a"])
        },
        ConnectionMatch {
            gateways: vec![gateway_ref("gw")],
            ..asking_for(&["a"])
        },
        ConnectionMatch {
            source_namespace: Some("other".into()),
            ..asking_for(&["a"])
        },
    ] {
        let routes = connections(vec![condition], &[("b", 1)]);
        let world = tls_services()
            .virtual_service(with_tls("v", routes))
            .world();
        assert_eq!(
            chains(&world, &sidecar("web", &[]), "0.0.0.0_443"),
            pairs(&[
                ("a.marathon.slave.mesos tls", "443||a"),
                ("b.marathon.slave.mesos tls", "443||b"),
            ])
        );
    }
}

#[test]
fn a_server_name_in_a_subnet_comes_before_the_same_name_elsewhere() {
    let near = ConnectionMatch {
        subnets: vec!["10.0.0.0/8".parse().unwrap()],
        ..asking_for(&["a"])
    };
    let mut routes = connections(vec![near], &[("b/v1", 1)]);
    routes.extend(connections(
        vec![asking_for(&["a", "*.example.com"])],
        &[("b/v2", 1)],
    ));
    let world = tls_services()
        .virtual_service(with_tls("v", routes))
        .world();
    assert_eq!(
        chains(&world, &sidecar("web", &[]), "0.0.0.0_443"),
        pairs(&[
            ("10.0.0.0/8 a.marathon.slave.mesos tls", "443|v1|b"),
            ("a.marathon.slave.mesos *.example.com tls", "443|v2|b"),
            ("b.marathon.slave.mesos tls", "443||b"),
            // Envoy never comes back from a subnet, so it has all names.
            ("10.0.0.0/8 *.example.com tls", "443|v2|b"),
            ("10.0.0.0/8 b.marathon.slave.mesos tls", "443||b"),
        ])
    );
}

#[test]
fn callers_are_told_apart_by_their_labels() {
    let only_v1 = ConnectionMatch {
        source_labels: version("v1"),
        ..ConnectionMatch::default()
    };
    let world = tcp_services()
        .virtual_service(with_tcp("v", connections(vec![only_v1], &[("b", 1)])))
        .world();
    let web = sidecar("web", &[]);
    let other = Proxy {
        labels: version("v2"),
        ..web.clone()
    };
    let to = |proxy: &Proxy| chains(&world, proxy, "0.0.0.0_6379")[0].1.clone();
    assert_eq!(to(&web), "6379||b");
    assert_eq!(to(&other), "6379||a");
}

#[test]
fn a_subnet_routes_what_goes_there_and_the_addresses_of_the_service_within() {
    let mut routes = connections(vec![going_to(&["10.1.0.0/16"])], &[("b", 1)]);
    routes.extend(connections(vec![], &[("a", 3), ("b", 1)]));
    let world = tcp_services()
        .virtual_service(with_tcp("v", routes))
        .world();
    assert_eq!(
        chains(&world, &sidecar("web", &[]), "0.0.0.0_6379"),
        pairs(&[
            ("10.0.0.1/32", "6379||a*3 6379||b*1"),
            ("10.0.0.2/32", "6379||b"),
            ("10.1.0.0/16", "6379||b"),
            ("10.1.0.1/32", "6379||b"),
        ])
    );
}

#[test]
fn tls_routes_work_on_tcp_ports_as_well() {
    let routes = connections(vec![asking_for(&["a"])], &[("b", 1)]);
    let world = tcp_services()
        .virtual_service(with_tls("v", routes))
        .world();
    assert_eq!(
        chains(&world, &sidecar("web", &[]), "0.0.0.0_6379")[0..3],
        pairs(&[
            ("a.marathon.slave.mesos tls", "6379||b"),
            ("10.0.0.1/32 a.marathon.slave.mesos tls", "6379||b"),
            ("10.0.0.2/32 a.marathon.slave.mesos tls", "6379||b"),
        ])
    );
}

#[test]
fn an_application_that_calls_its_proxy_gets_the_first_service_of_a_port() {
    let routes = connections(vec![], &[("b", 1)]);
    let world = tcp_services()
        .virtual_service(with_tcp("v", routes))
        .world();
    let proxy = explicit(sidecar("web", &[]), "127.0.2.9");
    assert_eq!(
        chains(&world, &proxy, "127.0.2.9_6379"),
        pairs(&[("", "6379||b")])
    );
    let world = tcp_services().world();
    assert_eq!(render(&world, &proxy).codes(), [code::SERVICE_CONFLICT]);
}

#[test]
fn a_service_with_an_address_of_its_own_is_found_there_and_nowhere_else() {
    let mut world = tcp_services().service("web", &[(6379, "http")]).world();
    let mut service = (*world.services[&host("a")]).clone();
    service.addresses = vec!["240.0.0.1".parse().unwrap()];
    world.services.insert(host("a"), service.into());
    assert_eq!(
        chains(&world, &sidecar("web", &[]), "0.0.0.0_6379"),
        pairs(&[
            ("raw_buffer", ""),
            ("10.0.0.2/32 raw_buffer", ""),
            ("10.0.0.2/32", "6379||b"),
            ("240.0.0.1/32", "6379||a"),
        ])
    );
}

#[test]
fn a_service_whose_addresses_nobody_knows_takes_the_port() {
    let mut world = tcp_services().world();
    let mut service = (*world.services[&host("a")]).clone();
    service.resolution = model::Resolution::Dns;
    world.services.insert(host("a"), service.into());
    assert_eq!(
        chains(&world, &sidecar("web", &[]), "0.0.0.0_6379"),
        pairs(&[("", "6379||a"), ("10.0.0.2/32", "6379||b")])
    );
}

#[test]
fn mongo_is_counted_and_all_destinations_resolved() {
    let world = Draft::default()
        .service("a", &[(27017, "mongo")])
        .endpoint(
            "a",
            27017,
            version("v1"),
            Reach::everywhere(at("10.0.0.1:27017")),
        )
        .world();
    let rendered = render(&world, &sidecar("web", &[]));
    let filters = &rendered.get(Kind::Listener, "0.0.0.0_27017")["filter_chains"][0]["filters"];
    assert_eq!(filters[0]["name"], "envoy.filters.network.mongo_proxy");
    let cluster = "outbound|27017||a.marathon.slave.mesos";
    assert_eq!(filters[0]["typed_config"]["stat_prefix"], cluster);
    assert_eq!(filters[1]["typed_config"]["cluster"], cluster);
}

#[test]
fn routes_of_gateways_alone_are_not_for_sidecars() {
    let service = VirtualService {
        gateways: vec![gateway_ref("gw")],
        ..with_tcp("v", connections(vec![], &[("b", 1)]))
    };
    assert!(!service.gateways.contains(&GatewayRef::Mesh));
    let world = tcp_services().virtual_service(service).world();
    let first = &chains(&world, &sidecar("web", &[]), "0.0.0.0_6379")[0];
    assert_eq!(*first, ("10.0.0.1/32".to_owned(), "6379||a".to_owned()));
}

#[test]
fn statistics_of_several_clusters_are_those_of_the_virtual_service() {
    let routes = connections(vec![], &[("a", 1), ("b", 1)]);
    let world = tcp_services()
        .virtual_service(with_tcp("v", routes))
        .world();
    let rendered = render(&world, &sidecar("web", &[]));
    let chain = &rendered.get(Kind::Listener, "0.0.0.0_6379")["filter_chains"][0];
    let config = &chain["filters"][0]["typed_config"];
    assert_eq!(config["stat_prefix"], json!("v.default"));
}
