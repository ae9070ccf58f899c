//! Services that configuration brings.

use model::{Hostname, NamedTarget, Placement, Resolution};
use serde_json::{Value, json};

use super::fixtures::*;

fn entry(name: &str, spec: Value) -> api::istio::Object {
    object("ServiceEntry", name, spec)
}

fn workload_entry(name: &str, spec: Value) -> api::istio::Object {
    object("WorkloadEntry", name, spec)
}

/// A service entry for `db.example.com` on the TCP port 3306.
fn database(resolution: &str, more: Value) -> Value {
    let mut spec = json!({
        "hosts": ["db.example.com"], "addresses": ["10.9.0.1"], "location": "MESH_INTERNAL",
        "ports": [{"number": 3306, "name": "tcp-db", "protocol": "TCP"}], "resolution": resolution,
    });
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

#[test]
fn a_static_entry_becomes_a_service_with_endpoints() {
    let endpoints = json!({"endpoints": [
        {"address": "10.0.0.7", "ports": {"tcp-db": 13306}, "labels": {"version": "v1"},
         "locality": "eu/eu-1/rack-7", "weight": 3},
        {"address": "10.0.0.8"},
    ]});
    let world = world_of(vec![], vec![entry("db", database("STATIC", endpoints))]);
    assert_eq!(codes(&world), [""; 0]);
    let service = &world.services[&host("db.example.com")];
    assert_eq!(service.resolution, Resolution::Static);
    assert_eq!(service.location, Placement::Mesh);
    assert_eq!(service.addresses, ["10.9.0.1".parse().unwrap()]);
    let list = world.endpoints_of(&host("db.example.com"), 3306);
    let shown: Vec<_> = list.iter().map(|e| (reach(e).0, e.weight)).collect();
    assert_eq!(
        shown,
        [("10.0.0.7:13306".into(), 3), ("10.0.0.8:3306".into(), 1)]
    );
    assert_eq!(&*list[0].locality.subzone, "rack-7");
    assert_eq!(list[0].labels.get("version"), Some("v1"));
}

#[test]
fn a_name_without_endpoints_is_resolved_itself() {
    let spec = json!({
        "hosts": ["api.example.com", "www.example.com"], "resolution": "DNS",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}],
    });
    let world = world_of(vec![], vec![entry("api", spec)]);
    assert_eq!(codes(&world), [""; 0]);
    for name in ["api.example.com", "www.example.com"] {
        let service = &world.services[&host(name)];
        assert_eq!(service.location, Placement::External);
        let targets: Vec<_> = service.named.iter().map(|n| n.target.clone()).collect();
        assert_eq!(targets, [NamedTarget::Name(name.into(), 8080)]);
        assert!(world.endpoints_of(&host(name), 80).is_empty());
    }
}

#[test]
fn a_selector_takes_workload_entries_and_instances_of_the_namespace() {
    let spec = json!({
        "hosts": ["all-reviews.example.com"], "resolution": "STATIC",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 9080}],
        "workloadSelector": {"labels": {"version": "v1"}},
    });
    let vm = json!({"address": "10.0.3.3", "labels": {"version": "v1"}, "ports": {"http": 7000}});
    let other = json!({"address": "10.0.3.4", "labels": {"version": "v2"}});
    let objects = vec![
        entry("all", spec),
        workload_entry("vm", vm),
        workload_entry("other", other),
    ];
    let world = world_of(vec![reviews(2)], objects.clone());
    assert_eq!(codes(&world), [""; 0]);
    let list = world.endpoints_of(&host("all-reviews.example.com"), 80);
    let shown: Vec<_> = list.iter().map(|e| reach(e).0).collect();
    assert_eq!(shown, ["10.0.3.3:7000", "10.0.0.1:31001", "10.0.0.2:31002"]);
    let alone = world_of(vec![], objects[..1].to_vec());
    assert_eq!(codes(&alone), ["PH0710"]);
}

#[test]
fn instances_that_come_later_join_a_selecting_entry() {
    let spec = json!({
        "hosts": ["r.example.com"], "resolution": "STATIC",
        "ports": [{"number": 9080, "name": "http", "protocol": "HTTP"}],
        "workloadSelector": {"labels": {"version": "v1"}},
    });
    let mut index = index();
    index.apply(config(api::event::Event::Apply(entry("r", spec))));
    let key = host("r.example.com");
    assert_eq!(
        published(&mut index).world.endpoints_of(&key, 9080).len(),
        0
    );
    index.apply(workload(api::event::Event::Apply(reviews(1))));
    let grown = published(&mut index);
    assert_eq!(grown.world.endpoints_of(&key, 9080).len(), 1);
    assert!(grown.changes.endpoints.iter().any(|port| port.host == key));
    index.apply(config(api::event::Event::Delete(entry("r", json!({})).key)));
    assert!(!published(&mut index).world.services.contains_key(&key));
}

#[test]
fn an_entry_extends_a_service_of_workloads() {
    let spec = json!({
        "hosts": ["reviews"], "resolution": "STATIC", "addresses": ["10.9.0.2"],
        "ports": [{"number": 9080, "name": "http", "protocol": "HTTP"},
                  {"number": 9090, "name": "http-admin", "protocol": "HTTP"}],
        "endpoints": [{"address": "10.0.5.5"}],
    });
    let world = world_of(vec![reviews(1)], vec![entry("more", spec)]);
    assert_eq!(codes(&world), [""; 0]);
    assert_eq!(endpoints(&world, "reviews", 9080).len(), 2);
    assert_eq!(endpoints(&world, "reviews", 9090).len(), 1);
    assert_eq!(service(&world, "reviews").addresses.len(), 1);
}

#[test]
fn what_does_not_go_together_is_told_and_harms_nobody() {
    let dns = json!({
        "hosts": ["reviews"], "resolution": "DNS",
        "ports": [{"number": 9080, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "elsewhere.example.com"}],
    });
    let world = world_of(vec![reviews(1)], vec![entry("dns", dns)]);
    assert_eq!(codes(&world), ["PH0709"]);
    assert_eq!(service(&world, "reviews").resolution, Resolution::Static);
    assert!(service(&world, "reviews").named.is_empty());
    let grpc = json!({
        "hosts": ["reviews"], "resolution": "STATIC", "endpoints": [{"address": "10.0.5.5"}],
        "ports": [{"number": 9080, "name": "grpc", "protocol": "GRPC"}],
    });
    let world = world_of(vec![reviews(1)], vec![entry("grpc", grpc)]);
    assert_eq!(codes(&world), ["PH0709"]);
    assert_eq!(endpoints(&world, "reviews", 9080).len(), 2);
}

#[test]
fn digits_and_dots_are_an_address_or_nothing() {
    let http = json!([{"number": 80, "name": "http", "protocol": "HTTP"}]);
    for address in ["300.1.1.1", "10.0.0", "1.2.3.4.5", "7"] {
        let wrong = workload_entry("wrong", json!({"address": address}));
        assert_eq!(codes(&world_of(vec![], vec![wrong])), ["PH0705"]);
        let spec = json!({
            "hosts": ["a.example.com"], "resolution": "DNS", "ports": http,
            "endpoints": [{"address": address}],
        });
        let world = world_of(vec![], vec![entry("wrong", spec)]);
        assert_eq!(codes(&world), ["PH0705"], "{address}");
    }
    let accounts = json!({"address": "10.0.0.1", "serviceAccount": "Not an account"});
    let world = world_of(vec![], vec![workload_entry("wrong", accounts)]);
    assert_eq!(codes(&world), ["PH0705"]);
}

#[test]
fn names_that_are_resolved_as_they_are_asked_for_may_be_wildcards_and_have_no_endpoints() {
    let spec = json!({
        "hosts": ["*.example.com", "a.example.org"], "resolution": "DYNAMIC_DNS",
        "ports": [
            {"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 80},
            {"number": 443, "name": "tls"},
        ],
    });
    let world = world_of(vec![], vec![entry("names", spec)]);
    assert_eq!(codes(&world), [""; 0]);
    for host in ["*.example.com", "a.example.org"] {
        let service = &world.services[&Hostname::parse(host).unwrap()];
        assert_eq!(service.resolution, Resolution::Dynamic);
        assert!(service.named.is_empty());
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_code() {
    let http = json!([{"number": 80, "name": "http", "protocol": "HTTP"}]);
    let tcp = json!([{"number": 80, "name": "tcp", "protocol": "TCP"}]);
    let spec = |hosts: Value, resolution: &str, ports: &Value, more: Value| {
        let mut spec = json!({"hosts": hosts, "resolution": resolution, "ports": ports});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    };
    let a = || json!(["a.example.com"]);
    let ip = json!([{"address": "10.0.0.1"}]);
    let with = |endpoints: Value| json!({"endpoints": endpoints});
    for (expected, spec) in [
        ("PH0304", spec(json!([]), "NONE", &http, json!({}))),
        ("PH0305", spec(json!(["*"]), "NONE", &http, json!({}))),
        (
            "PH0703",
            spec(json!(["*.example.com"]), "DNS", &http, json!({})),
        ),
        ("PH0703", spec(a(), "DYNAMIC_DNS", &tcp, json!({}))),
        (
            "PH0701",
            spec(
                a(),
                "DYNAMIC_DNS",
                &http,
                json!({"addresses": ["10.0.0.1"]}),
            ),
        ),
        (
            "PH0702",
            spec(
                a(),
                "DYNAMIC_DNS",
                &json!([{"number": 80, "name": "x", "protocol": "HTTP", "targetPort": 81}]),
                json!({}),
            ),
        ),
        ("PH0704", spec(a(), "DYNAMIC_DNS", &http, with(ip.clone()))),
        (
            "PH0704",
            spec(
                a(),
                "DYNAMIC_DNS",
                &http,
                json!({"workloadSelector": {"labels": {"a": "b"}}}),
            ),
        ),
        ("PH0703", spec(a(), "SOMEHOW", &http, json!({}))),
        (
            "PH0703",
            spec(a(), "NONE", &http, json!({"location": "HERE"})),
        ),
        (
            "PH0701",
            spec(a(), "NONE", &http, json!({"addresses": ["10.0.0"]})),
        ),
        (
            "PH0701",
            spec(a(), "DNS", &http, json!({"addresses": ["10.0.0.0/8"]})),
        ),
        (
            "PH0702",
            spec(
                a(),
                "NONE",
                &json!([{"number": 80, "protocol": "HTTP"}]),
                json!({}),
            ),
        ),
        (
            "PH0702",
            spec(
                a(),
                "NONE",
                &json!([{"number": 80, "name": "x", "protocol": "X"}]),
                json!({}),
            ),
        ),
        (
            "PH0702",
            spec(json!(["a.b", "c.d"]), "NONE", &tcp, json!({})),
        ),
        ("PH0704", spec(a(), "STATIC", &http, json!({}))),
        ("PH0704", spec(a(), "NONE", &http, with(ip.clone()))),
        (
            "PH0704",
            spec(
                a(),
                "STATIC",
                &http,
                json!({"endpoints": ip, "workloadSelector": {"labels": {"a": "b"}}}),
            ),
        ),
        (
            "PH0704",
            spec(
                a(),
                "DNS_ROUND_ROBIN",
                &http,
                with(json!([{"address": "a.b"}, {"address": "c.d"}])),
            ),
        ),
        (
            "PH0705",
            spec(a(), "STATIC", &http, with(json!([{"address": "a.b"}]))),
        ),
        (
            "PH0705",
            spec(
                a(),
                "STATIC",
                &http,
                with(json!([{"address": "unix://a.sock"}])),
            ),
        ),
        (
            "PH0705",
            spec(
                a(),
                "STATIC",
                &http,
                with(json!([{"address": "unix:///a", "ports": {"http": 1}}])),
            ),
        ),
        (
            "PH0705",
            spec(
                a(),
                "STATIC",
                &http,
                with(json!([{"address": "10.0.0.1", "ports": {"grpc": 1}}])),
            ),
        ),
        (
            "PH0706",
            spec(a(), "NONE", &http, json!({"exportTo": ["*", "a"]})),
        ),
        ("PH0707", spec(a(), "NONE", &tcp, json!({}))),
        (
            "PH0708",
            spec(
                a(),
                "STATIC",
                &http,
                with(json!([{"address": "10.0.0.1", "network": "n"}])),
            ),
        ),
    ] {
        let world = world_of(vec![], vec![entry("bad", spec.clone())]);
        assert_eq!(codes(&world), [expected], "{spec}");
    }
}
