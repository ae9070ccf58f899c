//! Gateways: listeners, and the routes of several virtual services on one port.

use model::route::{GatewayRef, HttpMatch};
use model::{Labels, Proxy};
use serde_json::{Value, json};

use crate::Kind;
use crate::finding::code;
use crate::fixtures::routes::*;
use crate::fixtures::*;

fn clusters(host: &Value) -> Vec<&str> {
    let routes = host["routes"].as_array().unwrap();
    let cluster = |route: &'_ Value| route["route"]["cluster"].as_str().unwrap_or_default().len();
    assert!(routes.iter().all(|route| cluster(route) > 0));
    routes
        .iter()
        .map(|r| r["route"]["cluster"].as_str().unwrap())
        .collect()
}

const REVIEWS: &str = "outbound|9080||reviews.marathon.slave.mesos";
const RATINGS: &str = "outbound|9080||ratings.marathon.slave.mesos";
const DETAILS: &str = "outbound|9080||details.marathon.slave.mesos";

#[test]
fn servers_of_several_gateways_share_a_port() {
    let world = bookinfo()
        .gateway("one", &[(80, "http", &["a.example.com"])])
        .gateway(
            "two",
            &[(80, "http2", &["*.example.org"]), (8080, "http", &["*"])],
        )
        .virtual_service(on_gateway(
            virtual_service(
                "a",
                &["a.example.com", "b.example.org"],
                vec![forward("reviews")],
            ),
            "one",
        ))
        .virtual_service(on_gateway(
            virtual_service("b", &["*"], vec![forward("ratings")]),
            "two",
        ))
        .world();
    let rendered = render(&world, &ingress(&[]));
    assert_eq!(
        rendered.names(Kind::Listener),
        ["0.0.0.0_80", "0.0.0.0_8080"]
    );
    // `a` is not bound to `two`, so b.example.org is not open for it.
    assert_eq!(
        rendered.virtual_hosts("http.80"),
        ["*.example.org:80", "a.example.com:80"]
    );
    let narrower = rendered.virtual_host("http.80", "*.example.org:80");
    assert_eq!(narrower["domains"], json!(["*.example.org"]));
    assert_eq!(clusters(narrower), [RATINGS]);
    assert_eq!(rendered.virtual_hosts("http.8080"), ["*:8080"]);
    assert_eq!(rendered.codes(), [""; 0]);
}

#[test]
fn virtual_services_of_one_host_are_joined_with_what_takes_all_at_the_end() {
    let api = |p: &str, to: &str| when(vec![path(prefix(p))], forward(to));
    let bound =
        |name: &str, rules| on_gateway(virtual_service(name, &["shop.example.com"], rules), "gw");
    let world = bookinfo()
        .gateway("gw", &[(80, "http", &["*"])])
        .virtual_service(bound(
            "first",
            vec![api("/r", "reviews"), forward("details")],
        ))
        .virtual_service(bound(
            "second",
            vec![api("/s", "ratings"), forward("ratings")],
        ))
        .world();
    let rendered = render(&world, &ingress(&[]));
    let host = rendered.virtual_host("http.80", "shop.example.com:80");
    assert_eq!(clusters(host), [REVIEWS, RATINGS, DETAILS]);
    assert_eq!(host["routes"][2]["match"], json!({ "prefix": "/" }));
}

#[test]
fn without_a_virtual_service_a_gateway_answers_404() {
    let world = bookinfo().gateway("gw", &[(80, "http", &["*"])]).world();
    let rendered = render(&world, &ingress(&[]));
    let host = rendered.virtual_host("http.80", "blackhole:80");
    assert_eq!(*host, json!({ "name": "blackhole:80", "domains": ["*"] }));
}

#[test]
fn a_server_may_be_for_one_namespace_only() {
    let world = bookinfo()
        .gateway(
            "gw",
            &[(80, "http", &["prod/a.example.com", "default/b.example.com"])],
        )
        .virtual_service(on_gateway(
            virtual_service(
                "v",
                &["a.example.com", "b.example.com"],
                vec![forward("reviews")],
            ),
            "gw",
        ))
        .world();
    let rendered = render(&world, &ingress(&[]));
    assert_eq!(rendered.virtual_hosts("http.80"), ["b.example.com:80"]);
}

#[test]
fn conditions_can_name_gateways_ports_and_sources() {
    let with = |change: fn(&mut HttpMatch)| {
        let mut condition = HttpMatch::default();
        change(&mut condition);
        condition.uri = Some(prefix("/x"));
        vec![condition]
    };
    let elsewhere = Labels::from_iter([("app", "elsewhere")]);
    let mut sourced = with(|c| c.gateways = vec![gateway_ref("gw")]);
    sourced[0].source_labels = elsewhere.clone();
    let mut not_from_here = with(|_| {});
    not_from_here[0].source_labels = elsewhere;
    let rules = vec![
        when(
            with(|c| c.gateways = vec![GatewayRef::Mesh]),
            forward("reviews"),
        ),
        when(with(|c| c.port = Some(81)), forward("reviews")),
        when(not_from_here, forward("reviews")),
        when(
            with(|c| c.source_namespace = Some("other".into())),
            forward("reviews"),
        ),
        // Where a gateway is named, the source is not asked for.
        when(sourced, forward("ratings")),
        when(with(|c| c.port = Some(80)), forward("details")),
    ];
    let mut service = on_gateway(virtual_service("v", &["*"], rules), "gw");
    service.gateways.push(GatewayRef::Mesh);
    let world = bookinfo()
        .gateway("gw", &[(80, "http", &["*"])])
        .virtual_service(service)
        .world();
    let rendered = render(&world, &ingress(&[]));
    assert_eq!(
        clusters(rendered.virtual_host("http.80", "*:80")),
        [RATINGS, DETAILS]
    );
}

#[test]
fn a_server_port_is_bound_where_it_arrives() {
    let world = bookinfo().gateway("gw", &[(80, "http", &["*"])]).world();
    let rendered = render(&world, &ingress(&[(80, 8080, "http")]));
    assert_eq!(rendered.names(Kind::Listener), ["0.0.0.0_8080"]);
    assert_eq!(rendered.names(Kind::Route), ["http.80"]);
    let bound = explicit(ingress(&[(80, 8080, "http")]), "127.0.2.9");
    assert_eq!(
        render(&world, &bound).names(Kind::Listener),
        ["172.17.0.9_8080"]
    );
    let unknown = Proxy {
        instance: None,
        ..bound
    };
    assert_eq!(
        render(&world, &unknown).names(Kind::Listener),
        ["127.0.2.9_80"]
    );
}

#[test]
fn two_servers_cannot_be_bound_to_one_port() {
    let servers: &[(u16, &str, &[&str])] = &[(80, "http", &["*"]), (8080, "http", &["*"])];
    let world = bookinfo().gateway("gw", servers).world();
    let rendered = render(&world, &ingress(&[(80, 8080, "http")]));
    assert_eq!(rendered.names(Kind::Listener), ["0.0.0.0_8080"]);
    assert_eq!(rendered.codes(), [code::ADDRESS_CONFLICT]);
    assert_eq!(
        rendered.diagnostics[0].object,
        Some(object("Gateway", "gw"))
    );
}

#[test]
fn a_gateway_has_the_clusters_of_all_services_and_none_of_a_sidecars() {
    let world = bookinfo().subsets("reviews", &["v1"]).world();
    let rendered = render(&world, &ingress(&[(80, 80, "http")]));
    assert_eq!(rendered.names(Kind::Cluster).len(), 1 + 4 + 1);
    assert!(!rendered.has(Kind::Cluster, "PassthroughCluster"));
    assert!(!rendered.has(Kind::Cluster, "inbound|80||"));
    assert_eq!(rendered.names(Kind::Endpoint).len(), 5);
}
