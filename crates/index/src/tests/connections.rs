//! `tls` and `tcp` routes: what each field becomes, and when it is refused.

use serde_json::{Value, json};

use super::fixtures::*;

fn codes_of(spec: Value) -> (bool, Vec<(&'static str, String)>) {
    let world = world_of(vec![reviews(1)], vec![virtual_service("v", spec)]);
    let found = world.diagnostics.iter();
    let found = found.map(|d| (d.code, d.field.clone())).collect();
    (world.virtual_services.is_empty(), found)
}

#[test]
fn every_field_of_a_tls_route_is_read() {
    let spec = json!({"hosts": ["reviews", "*.example.com"], "tls": [{
        "match": [{
            "sni_hosts": ["reviews", "A.example.com"], "destinationSubnets": ["10.1.2.3/8", "fd00::1"],
            "port": 443, "sourceLabels": {"app": "web"}, "sourceNamespace": "web", "gateways": ["mesh"],
        }],
        "route": [{"destination": {"host": "reviews"}, "weight": 90},
                  {"destination": {"host": "reviews", "port": {"number": 9080}}, "weight": 10},
                  {"destination": {"host": "reviews"}, "weight": 0}],
    }]});
    let world = world_of(vec![reviews(1)], vec![virtual_service("v", spec)]);
    assert_eq!(codes(&world), [""; 0]);
    let route = &world.virtual_services[0].tls[0];
    let condition = &route.matches[0];
    let names: Vec<_> = condition.server_names.iter().map(|n| n.as_str()).collect();
    assert_eq!(names, ["reviews.marathon.slave.mesos", "a.example.com"]);
    let subnets: Vec<_> = condition.subnets.iter().map(|s| s.to_string()).collect();
    assert_eq!(subnets, ["10.0.0.0/8", "fd00::1"]);
    assert_eq!(condition.port, Some(443));
    assert_eq!(condition.source_namespace.as_deref(), Some("web"));
    assert!(!condition.source_labels.is_empty());
    let weights: Vec<u32> = route.to.iter().map(|to| to.weight).collect();
    assert_eq!(weights, [90, 10]);
}

#[test]
fn a_single_destination_needs_no_weight_and_a_condition_is_optional_for_tcp() {
    let spec = json!({"hosts": ["reviews"], "tcp": [
        {"match": [{"destination_subnets": ["10.0.0.0/8"], "port": 6379}],
         "route": [{"destination": {"host": "reviews"}}]},
        {"route": [{"destination": {"host": "reviews"}}]}]});
    let world = world_of(vec![reviews(1)], vec![virtual_service("v", spec)]);
    assert_eq!(codes(&world), [""; 0]);
    let routes = &world.virtual_services[0].tcp;
    assert_eq!(routes[0].matches[0].subnets.len(), 1);
    assert!(routes[1].matches.is_empty());
    assert_eq!(routes[1].to[0].weight, 100);
}

#[test]
fn what_cannot_be_compiled_is_refused() {
    let to = json!([{"destination": {"host": "reviews"}}]);
    for (key, route, code, field) in [
        ("tls", json!({"route": to}), "PH0380", "spec.tls[0].match"),
        (
            "tls",
            json!({"match": [{}], "route": to}),
            "PH0380",
            "spec.tls[0].match[0].sniHosts",
        ),
        (
            "tls",
            json!({"match": [{"sniHosts": ["other.example.com"]}], "route": to}),
            "PH0380",
            "spec.tls[0].match[0].sniHosts[0]",
        ),
        (
            "tls",
            json!({"match": [{"sniHosts": ["a*b"]}], "route": to}),
            "PH0305",
            "spec.tls[0].match[0].sniHosts[0]",
        ),
        (
            "tcp",
            json!({"match": [{"destinationSubnets": ["10.0.0.0/33"]}], "route": to}),
            "PH0380",
            "spec.tcp[0].match[0].destinationSubnets[0]",
        ),
        (
            "tcp",
            json!({"match": [{"port": 0}], "route": to}),
            "PH0380",
            "spec.tcp[0].match[0].port",
        ),
        ("tcp", json!({"route": []}), "PH0308", "spec.tcp[0].route"),
        (
            "tcp",
            json!({"route": [to[0], to[0]]}),
            "PH0309",
            "spec.tcp[0].route",
        ),
        (
            "tcp",
            json!({"match": [{"gateways": ["a/b/c"]}], "route": to}),
            "PH0321",
            "spec.tcp[0].match[0].gateways[0]",
        ),
    ] {
        let (refused, found) = codes_of(json!({"hosts": ["reviews"], key: [route.clone()]}));
        assert!(refused, "{route}");
        assert_eq!(found, [(code, field.to_owned())], "{route}");
    }
}

#[test]
fn the_source_subnet_is_told_to_have_no_effect() {
    let to = json!([{"destination": {"host": "reviews"}}]);
    let spec = json!({"hosts": ["reviews"], "tcp": [
        {"match": [{"sourceSubnet": "10.0.0.0/8"}], "route": to}]});
    let (refused, found) = codes_of(spec);
    assert!(!refused);
    assert_eq!(
        found,
        [("PH0381", "spec.tcp[0].match[0].sourceSubnet".to_owned())]
    );
}

#[test]
fn destinations_and_gateways_that_are_not_there_are_told() {
    let spec = json!({"hosts": ["reviews"], "tcp": [{
        "match": [{"gateways": ["nowhere"]}],
        "route": [{"destination": {"host": "nobody"}, "weight": 50},
                  {"destination": {"host": "reviews", "subset": "v9"}, "weight": 50}]}]});
    let (refused, found) = codes_of(spec);
    assert!(!refused);
    assert_eq!(
        found,
        [
            ("PH0334", "spec.tcp[0].route.destination.host".to_owned()),
            ("PH0335", "spec.tcp[0].route.destination.subset".to_owned()),
            ("PH0336", "spec.tcp[0].match[0].gateways".to_owned()),
        ]
    );
}
