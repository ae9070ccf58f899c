//! Which routes a host of the mesh has, and under which names.

use serde_json::json;

use crate::Kind;
use crate::finding::code;
use crate::fixtures::routes::*;
use crate::fixtures::*;

const REVIEWS: &str = "reviews.marathon.slave.mesos:9080";

fn proxy() -> model::Proxy {
    sidecar("productpage", &[(9080, 9080, "http")])
}

#[test]
fn a_destination_has_the_port_it_names_else_the_only_one_else_the_listeners() {
    let cluster = |to: &str| {
        let world = bookinfo()
            .service("one", &[(7000, "http")])
            .service("two", &[(7000, "http"), (7001, "http")])
            .alias("old-two")
            .virtual_service(virtual_service("reviews", &["reviews"], vec![forward(to)]))
            .world();
        let rendered = render(&world, &proxy());
        let host = rendered.virtual_host("9080", REVIEWS);
        host["routes"][0]["route"]["cluster"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(cluster("one"), "outbound|7000||one.marathon.slave.mesos");
    assert_eq!(cluster("one:1"), "outbound|1||one.marathon.slave.mesos");
    assert_eq!(cluster("two"), "outbound|9080||two.marathon.slave.mesos");
    assert_eq!(
        cluster("old-two:7001"),
        "outbound|7001||two.marathon.slave.mesos"
    );
    assert_eq!(
        cluster("nobody/x"),
        "outbound|9080|x|nobody.marathon.slave.mesos"
    );
}

#[test]
fn the_oldest_virtual_service_of_a_host_wins_and_an_exact_one_over_a_wildcard() {
    let named =
        |name: &str, hosts: &[&str], to: &str| virtual_service(name, hosts, vec![forward(to)]);
    let world = bookinfo()
        .virtual_service(named("wide", &["*.marathon.slave.mesos"], "details"))
        .virtual_service(named("first", &["reviews"], "ratings"))
        .virtual_service(named("second", &["reviews"], "details"))
        .virtual_service(on_gateway(
            named("elsewhere", &["ratings"], "reviews"),
            "gw",
        ))
        .world();
    let rendered = render(&world, &proxy());
    let cluster = |name: &str| {
        let host = rendered.virtual_host("9080", &format!("{name}.marathon.slave.mesos:9080"));
        host["routes"][0]["route"]["cluster"].clone()
    };
    assert_eq!(
        cluster("reviews"),
        "outbound|9080||ratings.marathon.slave.mesos"
    );
    assert_eq!(
        cluster("ratings"),
        "outbound|9080||details.marathon.slave.mesos"
    );
    assert_eq!(
        cluster("productpage"),
        "outbound|9080||details.marathon.slave.mesos"
    );
}

#[test]
fn hosts_without_a_service_are_routed_on_port_80_or_beside_services() {
    let world = bookinfo()
        .service("web", &[(80, "http")])
        .virtual_service(virtual_service(
            "out",
            &["api.example.com"],
            vec![forward("web")],
        ))
        .virtual_service(virtual_service(
            "beside",
            &["reviews", "reviews.example.com"],
            vec![forward("reviews")],
        ))
        .world();
    let rendered = render(&world, &proxy());
    assert_eq!(
        rendered.virtual_hosts("80"),
        [
            "api.example.com:80",
            "web.marathon.slave.mesos:80",
            "allow_any"
        ]
    );
    let host = rendered.virtual_host("9080", "reviews.example.com:9080");
    assert_eq!(
        host["domains"],
        json!(["reviews.example.com", "reviews.example.com."])
    );
    assert!(
        !rendered
            .virtual_hosts("9080")
            .contains(&"api.example.com:9080")
    );
}

#[test]
fn a_star_takes_the_place_of_the_catch_all() {
    let world = Draft::default()
        .service("*", &[(80, "http")])
        .service("web", &[(80, "http")])
        .world();
    let rendered = render(&world, &proxy());
    assert_eq!(
        rendered.virtual_hosts("80"),
        ["*:80", "web.marathon.slave.mesos:80"]
    );
}

#[test]
fn full_names_claim_their_domains_before_short_forms() {
    let mut proxy = proxy();
    proxy.domain = "Slave.mesos".into();
    let world = Draft::default()
        .service("a.slave.mesos", &[(80, "http")])
        .service("a.slave", &[(80, "http")])
        .alias("other.example.com")
        .service("b", &[(80, "http")])
        .alias("other.example.com")
        .alias("a.slave")
        .world();
    let rendered = render(&world, &proxy);
    let domains = |name: &str| rendered.virtual_host("80", name)["domains"].clone();
    assert_eq!(
        domains("a.slave.mesos:80"),
        json!(["a.slave.mesos", "a.slave.mesos.", "a"])
    );
    assert_eq!(
        domains("a.slave:80"),
        json!([
            "a.slave",
            "other.example.com",
            "a.slave.",
            "other.example.com."
        ])
    );
    let b = domains("b.marathon.slave.mesos:80");
    assert!(!b.as_array().unwrap().contains(&json!("other.example.com")));
    assert_eq!(rendered.codes(), [code::DUPLICATE_DOMAIN; 2]);
}

#[test]
fn a_virtual_service_of_an_alias_is_that_of_the_service() {
    let world = Draft::default()
        .service("web", &[(80, "http")])
        .alias("www.example.com")
        .service("new", &[(81, "http")])
        .virtual_service(virtual_service(
            "v",
            &["www.example.com"],
            vec![forward("new")],
        ))
        .world();
    let rendered = render(&world, &proxy());
    assert_eq!(
        rendered.virtual_hosts("80"),
        ["web.marathon.slave.mesos:80", "allow_any"]
    );
    let host = rendered.virtual_host("80", "web.marathon.slave.mesos:80");
    assert_eq!(
        host["routes"][0]["route"]["cluster"],
        "outbound|81||new.marathon.slave.mesos"
    );
}

#[test]
fn a_virtual_service_without_a_matching_rule_leaves_404() {
    let rules = vec![when(vec![path(exact("/only"))], forward("reviews"))];
    let world = bookinfo()
        .virtual_service(virtual_service("reviews", &["reviews"], rules))
        .world();
    let rendered = render(&world, &proxy());
    let built = rendered.virtual_host("9080", REVIEWS)["routes"]
        .as_array()
        .unwrap();
    assert_eq!(built.len(), 1);
    assert_eq!(built[0]["match"], json!({ "path": "/only" }));
    assert_eq!(
        built[0]["decorator"]["operation"],
        "reviews.marathon.slave.mesos:9080/only"
    );
    let world = bookinfo()
        .virtual_service(virtual_service("reviews", &["reviews"], vec![]))
        .world();
    let rendered = render(&world, &proxy());
    assert_eq!(
        rendered.virtual_host("9080", REVIEWS)["routes"],
        json!(null)
    );
    assert!(rendered.has(Kind::Cluster, "outbound|9080||reviews.marathon.slave.mesos"));
}
