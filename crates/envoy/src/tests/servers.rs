//! Servers of gateways that are more than plaintext HTTP.

use std::sync::Arc;

use model::gateway::Security;
use model::route::{ConnectionMatch, ConnectionRoute, VirtualService};
use model::tls::{ClientCheck, FilePath, ServerIdentity, ServerTls, VerifyClient};
use model::{Labels, Proxy, World};
use serde_json::{Value, json};

use crate::Kind;
use crate::finding::code;
use crate::fixtures::routes::*;
use crate::fixtures::*;

/// What the gateway gets.
fn gateway_of(world: &World) -> crate::fixtures::Rendered {
    render(world, &ingress(&[]))
}

fn tls(hosts: &[&str], tls: Vec<ConnectionRoute>) -> VirtualService {
    VirtualService {
        tls,
        ..on_gateway(virtual_service("tls", hosts, Vec::new()), "gw")
    }
}

fn tcp(hosts: &[&str], tcp: Vec<ConnectionRoute>) -> VirtualService {
    VirtualService {
        tcp,
        ..on_gateway(virtual_service("tcp", hosts, Vec::new()), "gw")
    }
}

fn http(name: &str, host: &str, to: &str) -> VirtualService {
    on_gateway(virtual_service(name, &[host], vec![forward(to)]), "gw")
}

/// The server names of each chain.
fn names(listener: &Value) -> Vec<Value> {
    let chains = listener["filter_chains"].as_array().unwrap();
    let names = chains
        .iter()
        .map(|c| &c["filter_chain_match"]["server_names"]);
    names.cloned().collect()
}

fn cluster(chain: &Value) -> &Value {
    &chain["filters"][0]["typed_config"]["cluster"]
}

fn context(chain: &Value) -> &Value {
    &chain["transport_socket"]["typed_config"]
}

fn change(mut world: World, change: impl Fn(&mut model::Gateway)) -> World {
    let gateways = world.gateways.iter().map(|gateway| {
        let mut gateway = (**gateway).clone();
        change(&mut gateway);
        Arc::new(gateway)
    });
    world.gateways = gateways.collect();
    world
}

#[test]
fn https_has_a_chain_and_routes_for_each_server() {
    let servers: &[(u16, &str, &[&str])] = &[
        (443, "https", &["a.example.com", "*.shop.example.com"]),
        (443, "https", &["b.example.com"]),
    ];
    let world = bookinfo()
        .gateway("gw", servers)
        .virtual_service(http("a", "a.example.com", "reviews"))
        .virtual_service(http("b", "b.example.com", "ratings"))
        .world();
    let world = change(world, |gateway| {
        for (server, name) in gateway.servers.iter_mut().zip(["https-a", "https-b"]) {
            server.name = name.into();
        }
    });
    let rendered = gateway_of(&world);
    let listener = rendered.get(Kind::Listener, "0.0.0.0_443");
    assert_eq!(
        names(listener),
        [
            json!(["*.shop.example.com", "a.example.com"]),
            json!(["b.example.com"])
        ]
    );
    let inspector = &listener["listener_filters"][0]["name"];
    assert_eq!(inspector, "envoy.filters.listener.tls_inspector");
    let chain = &listener["filter_chains"][0];
    assert_eq!(chain["name"], "https.443.https-a.gw.default");
    let manager = &chain["filters"][0]["typed_config"];
    assert_eq!(
        manager["rds"]["route_config_name"],
        "https.443.https-a.gw.default"
    );
    let context = context(chain);
    assert_eq!(context["require_client_certificate"], false);
    let common = &context["common_tls_context"];
    assert_eq!(common["alpn_protocols"], json!(["h2", "http/1.1"]));
    let secret = "file-cert:/etc/certs/tls.crt~/etc/certs/tls.key";
    assert_eq!(
        common["tls_certificate_sds_secret_configs"][0]["name"],
        secret
    );
    assert!(rendered.has(Kind::Secret, secret));
    // The routes of a server are those of its own hosts.
    assert_eq!(
        rendered.names(Kind::Route),
        [
            "https.443.https-a.gw.default",
            "https.443.https-b.gw.default"
        ]
    );
    let hosts = rendered.virtual_hosts("https.443.https-a.gw.default");
    assert_eq!(hosts, ["a.example.com:443"]);
    assert_eq!(rendered.codes(), [""; 0]);
}

#[test]
fn a_star_takes_every_server_name() {
    let world = bookinfo().gateway("gw", &[(443, "https", &["*"])]).world();
    let rendered = gateway_of(&world);
    let listener = rendered.get(Kind::Listener, "0.0.0.0_443");
    assert_eq!(names(listener), [Value::Null]);
    let host = rendered.virtual_host("https.443.https.gw.default", "blackhole:443");
    assert_eq!(host["domains"], json!(["*"]));
}

#[test]
fn a_server_name_is_served_once() {
    let world = bookinfo()
        .gateway("gw", &[(443, "https", &["a.example.com", "*"])])
        .gateway(
            "later",
            &[(443, "https", &["b.example.com", "a.example.com", "*"])],
        )
        .world();
    let rendered = gateway_of(&world);
    let listener = rendered.get(Kind::Listener, "0.0.0.0_443");
    // With a star, a server takes what no other names.
    assert_eq!(names(listener), [Value::Null, json!(["b.example.com"])]);
    assert_eq!(rendered.codes(), [code::SERVER_NAME_TAKEN]);
    assert_eq!(
        rendered.diagnostics[0].object,
        Some(object("Gateway", "later"))
    );
}

#[test]
fn clients_must_show_certificates_where_the_server_says_so() {
    let path = |text: &str| FilePath::parse(text).unwrap();
    let mutual = ServerTls {
        clients: VerifyClient::Require(ClientCheck {
            ca: Some(path("/c/ca.crt")),
            subject_alt_names: vec!["client.example.com".into()],
            ..ClientCheck::default()
        }),
        ..(*terminated("/c")).clone()
    };
    let world = bookinfo().gateway("gw", &[(443, "https", &["*"])]).world();
    let world = change(world, |gateway| {
        gateway.servers[0].security = Security::Terminate(Arc::new(mutual.clone()));
    });
    let rendered = gateway_of(&world);
    let chain = &rendered.get(Kind::Listener, "0.0.0.0_443")["filter_chains"][0];
    assert_eq!(context(chain)["require_client_certificate"], true);
    assert!(rendered.has(Kind::Secret, "file-root:/c/ca.crt"));
    let mesh = ServerTls {
        identity: ServerIdentity::Mesh,
        clients: VerifyClient::Require(ClientCheck::default()),
        ..mutual
    };
    let world = change(world, |gateway| {
        gateway.servers[0].security = Security::Terminate(Arc::new(mesh.clone()));
    });
    let rendered = gateway_of(&world);
    let chain = &rendered.get(Kind::Listener, "0.0.0.0_443")["filter_chains"][0];
    let common = &context(chain)["common_tls_context"];
    assert_eq!(
        common["tls_certificate_sds_secret_configs"][0]["name"],
        "default"
    );
    assert!(rendered.has(Kind::Secret, "default") && rendered.has(Kind::Secret, "ROOTCA"));
}

#[test]
fn what_is_passed_through_goes_by_server_name() {
    let names_of = |names: &[&str], to| connections(vec![asking_for(names)], &[(to, 1)]);
    let mut routes = names_of(&["a.example.com", "a.example.org"], "reviews");
    routes.extend(names_of(&["*.example.com"], "ratings"));
    let hosts = &["*.example.com", "a.example.org"];
    let world = bookinfo()
        .gateway("gw", &[(443, "tls", &["*.example.com"])])
        .virtual_service(tls(hosts, routes))
        .world();
    let rendered = gateway_of(&world);
    let listener = rendered.get(Kind::Listener, "0.0.0.0_443");
    // The server is not open for a.example.org.
    assert_eq!(
        names(listener),
        [json!(["a.example.com"]), json!(["*.example.com"])]
    );
    let chain = &listener["filter_chains"][0];
    assert_eq!(
        *cluster(chain),
        "outbound|9080||reviews.marathon.slave.mesos"
    );
    assert_eq!(chain["transport_socket"], Value::Null);
    assert_eq!(rendered.names(Kind::Route), [""; 0]);
}

#[test]
fn tcp_goes_by_tcp_routes_and_the_narrowest_subnet() {
    let near = ConnectionMatch {
        port: Some(9000),
        gateways: vec![gateway_ref("gw")],
        source_labels: Labels::from_iter([("no", "caller has it")]),
        ..going_to(&["10.0.0.0/8"])
    };
    let elsewhere = ConnectionMatch {
        port: Some(9001),
        ..ConnectionMatch::default()
    };
    let mut routes = connections(vec![elsewhere], &[("details:9080", 1)]);
    routes.extend(connections(vec![near], &[("ratings:9080", 1)]));
    routes.extend(connections(
        vec![],
        &[("reviews/v1:9080", 9), ("reviews/v2:9080", 1)],
    ));
    let world = bookinfo()
        .gateway("gw", &[(9000, "tcp", &["*"])])
        .virtual_service(tcp(&["*"], routes))
        .world();
    let rendered = gateway_of(&world);
    let chains = rendered.get(Kind::Listener, "0.0.0.0_9000")["filter_chains"].clone();
    let chains = chains.as_array().unwrap();
    assert_eq!(chains.len(), 2);
    assert_eq!(
        chains[0]["filter_chain_match"]["prefix_ranges"][0]["address_prefix"],
        "10.0.0.0"
    );
    assert_eq!(
        *cluster(&chains[0]),
        "outbound|9080||ratings.marathon.slave.mesos"
    );
    let weighted = &chains[1]["filters"][0]["typed_config"]["weighted_clusters"]["clusters"];
    assert_eq!(
        *weighted,
        json!([
            {"name": "outbound|9080|v1|reviews.marathon.slave.mesos", "weight": 9},
            {"name": "outbound|9080|v2|reviews.marathon.slave.mesos", "weight": 1},
        ])
    );
}

#[test]
fn decrypted_tls_goes_by_tcp_routes() {
    let world = bookinfo()
        .gateway("gw", &[(443, "tls", &["db.example.com"])])
        .virtual_service(tcp(
            &["db.example.com"],
            connections(vec![], &[("reviews:9080", 1)]),
        ))
        .world();
    let world = change(world, |gateway| {
        gateway.servers[0].security = Security::Terminate(terminated("/c"));
    });
    let rendered = gateway_of(&world);
    let chain = &rendered.get(Kind::Listener, "0.0.0.0_443")["filter_chains"][0];
    assert_eq!(
        chain["filter_chain_match"]["server_names"],
        json!(["db.example.com"])
    );
    assert_eq!(
        context(chain)["common_tls_context"]["alpn_protocols"],
        Value::Null
    );
    assert_eq!(
        *cluster(chain),
        "outbound|9080||reviews.marathon.slave.mesos"
    );
}

#[test]
fn a_server_without_routes_for_connections_is_told() {
    let servers: &[(u16, &str, &[&str])] = &[(443, "tls", &["*"]), (9000, "tcp", &["*"])];
    let world = bookinfo().gateway("gw", servers).world();
    let rendered = gateway_of(&world);
    assert_eq!(rendered.names(Kind::Listener), [""; 0]);
    assert_eq!(rendered.codes(), [code::SERVER_WITHOUT_ROUTE; 2]);
}

#[test]
fn a_port_has_one_kind_of_connections() {
    let world = bookinfo()
        .gateway("gw", &[(443, "https", &["*"])])
        .gateway("later", &[(443, "http", &["*"]), (443, "tcp", &["*"])])
        .world();
    let rendered = gateway_of(&world);
    assert_eq!(rendered.names(Kind::Route), ["https.443.https.gw.default"]);
    assert_eq!(rendered.codes(), [code::SERVER_NOT_SERVED; 2]);
    assert!(
        rendered.diagnostics[0]
            .to_string()
            .contains("Gateway default/gw")
    );
}

#[test]
fn servers_that_bind_to_addresses_have_listeners_of_their_own() {
    let servers: &[(u16, &str, &[&str])] =
        &[(80, "http", &["a.example.com"]), (80, "http", &["*"])];
    let world = bookinfo().gateway("gw", servers).world();
    let world = change(world, |gateway| {
        gateway.servers[1].bind = Some(ip("10.0.0.7"));
    });
    let rendered = gateway_of(&world);
    assert_eq!(
        rendered.names(Kind::Listener),
        ["0.0.0.0_80", "10.0.0.7_80"]
    );
    assert_eq!(rendered.names(Kind::Route), ["http.80", "http.80.10.0.0.7"]);
}

#[test]
fn plaintext_is_redirected_whether_there_are_routes_or_not() {
    let servers: &[(u16, &str, &[&str])] = &[
        (80, "http", &["*.example.com"]),
        (80, "http", &["plain.example.com"]),
    ];
    let world = bookinfo()
        .gateway("gw", servers)
        .virtual_service(http("a", "a.example.com", "reviews"))
        .virtual_service(http("plain", "plain.example.com", "reviews"))
        .world();
    let world = change(world, |gateway| {
        gateway.servers[0].security = Security::Redirect
    });
    let rendered = gateway_of(&world);
    let required = |name: &str| rendered.virtual_host("http.80", name)["require_tls"].clone();
    assert_eq!(required("a.example.com:80"), "ALL");
    assert_eq!(required("*.example.com:80"), "ALL");
    assert_eq!(required("plain.example.com:80"), Value::Null);
}

#[test]
fn a_gateway_of_other_labels_has_none_of_it() {
    let world = bookinfo().gateway("gw", &[(443, "https", &["*"])]).world();
    let other = Proxy {
        labels: version("v9"),
        ..ingress(&[])
    };
    let rendered = render(&world, &other);
    assert_eq!(rendered.names(Kind::Listener), [""; 0]);
    assert_eq!(rendered.names(Kind::Route), [""; 0]);
}
