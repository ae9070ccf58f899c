//! Conditions of routes.

use model::Labels;
use model::route::{GatewayRef, HttpMatch, StringMatch};
use serde_json::{Value, json};

use crate::fixtures::routes::*;
use crate::fixtures::*;

fn routes(conditions: Vec<HttpMatch>) -> Vec<Value> {
    let rules = vec![when(conditions, forward("reviews"))];
    let world = bookinfo()
        .virtual_service(virtual_service("reviews", &["reviews"], rules))
        .world();
    let rendered = render(&world, &sidecar("productpage", &[]));
    assert_eq!(rendered.codes(), [""; 0]);
    let host = rendered.virtual_host("9080", "reviews.marathon.slave.mesos:9080");
    host["routes"].as_array().cloned().unwrap_or_default()
}

fn condition(change: impl FnOnce(&mut HttpMatch)) -> Value {
    let mut condition = HttpMatch::default();
    change(&mut condition);
    routes(vec![condition]).remove(0)["match"].clone()
}

#[test]
fn paths() {
    for (uri, expected) in [
        (exact("/a"), json!({ "path": "/a" })),
        (prefix("/a"), json!({ "prefix": "/a" })),
        (
            regex("/a/[0-9]+"),
            json!({ "safe_regex": { "regex": "/a/[0-9]+" } }),
        ),
        (StringMatch::Present, json!({ "prefix": "/" })),
    ] {
        assert_eq!(condition(|c| c.uri = Some(uri)), expected);
    }
    let ignoring = condition(|c| {
        c.uri = Some(prefix("/A"));
        c.ignore_uri_case = true;
    });
    assert_eq!(ignoring, json!({ "prefix": "/A", "case_sensitive": false }));
}

#[test]
fn headers_and_what_is_asked_like_one() {
    let built = condition(|c| {
        c.scheme = Some(exact("https"));
        c.method = Some(regex("GET|HEAD"));
        c.authority = Some(prefix("a."));
        c.headers = vec![
            ("cookie".into(), regex("^(.*?;)?(user=jason)(;.*)?$")),
            ("x-any".into(), StringMatch::Present),
            ("x-empty".into(), prefix("")),
        ];
    });
    assert_eq!(
        built["headers"],
        json!([
            { "name": ":scheme", "string_match": { "exact": "https" } },
            { "name": ":method", "string_match": { "safe_regex": { "regex": "GET|HEAD" } } },
            { "name": ":authority", "string_match": { "prefix": "a." } },
            {
                "name": "cookie",
                "string_match": { "safe_regex": { "regex": "^(.*?;)?(user=jason)(;.*)?$" } },
            },
            { "name": "x-any", "present_match": true },
            { "name": "x-empty", "present_match": true },
        ])
    );
}

#[test]
fn headers_that_must_not_match() {
    let built = condition(|c| {
        c.without_headers = vec![
            ("x-gone".into(), StringMatch::Present),
            ("x-other".into(), exact("v")),
        ];
    });
    assert_eq!(
        built["headers"],
        json!([
            { "name": "x-gone", "present_match": true, "invert_match": true },
            {
                "name": "x-other",
                "string_match": { "exact": "v" },
                "invert_match": true,
                "treat_missing_header_as_empty": true,
            },
        ])
    );
}

#[test]
fn query_parameters() {
    let built = condition(|c| {
        c.query_params = vec![("a".into(), exact("1")), ("b".into(), StringMatch::Present)];
    });
    assert_eq!(
        built["query_parameters"],
        json!([
            { "name": "a", "string_match": { "exact": "1" } },
            { "name": "b", "present_match": true },
        ])
    );
}

#[test]
fn what_is_known_before_any_request_is_decided_then() {
    let admitted = |change: &dyn Fn(&mut HttpMatch)| {
        let mut condition = path(prefix("/x"));
        change(&mut condition);
        !routes(vec![condition]).is_empty()
    };
    let labels = |value| Labels::from_iter([("istio", value)]);
    assert!(admitted(&|c| c.port = Some(9080)));
    assert!(!admitted(&|c| c.port = Some(80)));
    assert!(admitted(&|c| c.source_labels = labels("productpage")));
    assert!(!admitted(&|c| c.source_labels = labels("ratings")));
    assert!(admitted(&|c| c.source_namespace = Some("default".into())));
    assert!(!admitted(&|c| c.source_namespace = Some("other".into())));
    assert!(admitted(
        &|c| c.gateways = vec![gateway_ref("g"), GatewayRef::Mesh]
    ));
    assert!(!admitted(&|c| c.gateways = vec![gateway_ref("g")]));
    assert!(!admitted(&|c| {
        c.gateways = vec![GatewayRef::Mesh];
        c.source_labels = labels("ratings");
    }));
}

#[test]
fn each_condition_is_a_route_up_to_one_that_always_holds() {
    let later = path(exact("/never"));
    for always in [
        HttpMatch::default(),
        path(prefix("/")),
        path(prefix("")),
        path(regex(".*")),
        path(StringMatch::Present),
    ] {
        let built = routes(vec![path(exact("/a")), always, later.clone()]);
        assert_eq!(built.len(), 2);
    }
    let narrower = HttpMatch {
        method: Some(exact("GET")),
        ..path(prefix("/"))
    };
    assert_eq!(routes(vec![narrower, later]).len(), 2);
}
