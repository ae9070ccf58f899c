//! What routes do.

use std::time::Duration;

use model::route::*;
use serde_json::{Value, json};

use crate::finding::code;
use crate::fixtures::routes::*;
use crate::fixtures::*;

const REVIEWS: &str = "reviews.marathon.slave.mesos:9080";

fn proxy() -> model::Proxy {
    sidecar("productpage", &[(9080, 9080, "http")])
}

/// The routes of reviews under these rules.
fn routes(rules: Vec<HttpRoute>) -> Vec<Value> {
    let world = bookinfo()
        .virtual_service(virtual_service("reviews", &["reviews"], rules))
        .world();
    let rendered = render(&world, &proxy());
    assert_eq!(rendered.codes(), [""; 0]);
    let host = rendered.virtual_host("9080", REVIEWS);
    host["routes"].as_array().unwrap().clone()
}

fn route(rule: HttpRoute) -> Value {
    routes(vec![rule]).remove(0)
}

#[test]
fn redirects_and_responses_are_actions_of_their_own() {
    let redirect = Redirect {
        path: Some(PathRedirect::Whole("/new".into())),
        authority: Some("example.com".into()),
        scheme: Some("https".into()),
        port: Some(RedirectPort::Number(8443)),
        code: 308,
    };
    assert_eq!(
        route(rule(Action::Redirect(redirect)))["redirect"],
        json!({
            "path_redirect": "/new",
            "host_redirect": "example.com",
            "scheme_redirect": "https",
            "port_redirect": 8443,
            "response_code": "PERMANENT_REDIRECT",
        })
    );
    let respond = Action::Respond {
        status: 503,
        body: Some(Body::Text("closed".into())),
    };
    let built = route(rule(respond));
    assert_eq!(
        built["direct_response"],
        json!({ "status": 503, "body": { "inline_string": "closed" } })
    );
    assert_eq!(built["decorator"]["operation"], "reviews:9080/*");
}

#[test]
fn timeouts_and_retries_are_those_of_the_rule() {
    let retries = |attempts| {
        Some(Retries {
            attempts,
            per_try_timeout: Some(Duration::from_millis(2500)),
            retry_on: Some("5xx,503".into()),
            ..Retries::default()
        })
    };
    let built = route(HttpRoute {
        timeout: Some(Duration::from_millis(500)),
        retries: retries(3),
        ..forward("reviews")
    });
    assert_eq!(built["route"]["timeout"], "0.500s");
    let policy = &built["route"]["retry_policy"];
    assert_eq!(policy["num_retries"], 3);
    assert_eq!(policy["per_try_timeout"], "2.500s");
    assert_eq!(policy["retry_on"], "5xx,retriable-status-codes");
    assert_eq!(policy["retriable_status_codes"], json!([503]));
    let off = route(HttpRoute {
        retries: retries(0),
        ..forward("reviews")
    });
    assert_eq!(off["route"]["retry_policy"], json!(null));
    assert_eq!(off["route"]["timeout"], "0s");
}

#[test]
fn an_unknown_retry_condition_is_reported() {
    let rule = HttpRoute {
        retries: Some(Retries {
            attempts: 1,
            per_try_timeout: None,
            retry_on: Some("conect-failure,reset".into()),
            ..Retries::default()
        }),
        ..forward("reviews")
    };
    let world = bookinfo()
        .virtual_service(virtual_service("reviews", &["reviews"], vec![rule]))
        .world();
    let rendered = render(&world, &proxy());
    let host = rendered.virtual_host("9080", REVIEWS);
    assert_eq!(
        host["routes"][0]["route"]["retry_policy"]["retry_on"],
        "reset"
    );
    assert_eq!(rendered.codes(), [code::UNKNOWN_RETRY_CONDITION]);
    assert_eq!(
        rendered.diagnostics[0].field,
        "spec.http[0].retries.retryOn"
    );
}

#[test]
fn rewrites_change_path_and_host() {
    let rewrite = |uri, authority: Option<&str>| {
        let rewrite = Rewrite {
            uri,
            authority: authority.map(str::to_owned),
        };
        let rule = HttpRoute {
            rewrite: Some(rewrite),
            headers: set(&[("Host", "from-headers")]),
            ..forward("reviews")
        };
        route(rule)["route"].clone()
    };
    let plain = rewrite(Some(UriRewrite::Prefix("/v2".into())), Some("other"));
    assert_eq!(plain["prefix_rewrite"], "/v2");
    assert_eq!(plain["host_rewrite_literal"], "other");
    let uri = UriRewrite::Regex {
        pattern: "^/a/(.*)$".into(),
        substitution: r"/b/\1".into(),
    };
    let by_regex = rewrite(Some(uri), None);
    assert_eq!(
        by_regex["regex_rewrite"],
        json!({ "pattern": { "regex": "^/a/(.*)$" }, "substitution": r"/b/\1" })
    );
    assert_eq!(by_regex["host_rewrite_literal"], "from-headers");
}

#[test]
fn header_values_are_formats_of_envoy() {
    let operations = HeaderOperations {
        host: None,
        set: vec![("x-set".into(), value("50%% %REQ(x)%"))],
        add: vec![("x-add".into(), value(""))],
        remove: vec!["x-gone".into()],
    };
    let built = route(HttpRoute {
        headers: operations.clone(),
        response_headers: operations,
        ..forward("reviews")
    });
    for side in ["request", "response"] {
        assert_eq!(
            built[format!("{side}_headers_to_add")],
            json!([
                {
                    "header": { "key": "x-set", "value": "50%% %REQ(x)%" },
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                },
                { "header": { "key": "x-add" }, "keep_empty_value": true },
            ])
        );
        assert_eq!(
            built[format!("{side}_headers_to_remove")],
            json!(["x-gone"])
        );
    }
}

#[test]
fn header_changes_of_a_destination_stay_with_it_unless_it_is_the_only_one() {
    let destination = |version: &str, weight| WeightedDestination {
        headers: set(&[("x-version", version), (":authority", version)]),
        response_headers: set(&[("x-answer", version)]),
        ..to(&format!("reviews/{version}"), weight)
    };
    let both = Action::Forward(vec![destination("v1", 1), destination("v2", 2)]);
    let built = route(rule(both));
    let second = &built["route"]["weighted_clusters"]["clusters"][1];
    assert_eq!(second["weight"], 2);
    assert_eq!(
        second["request_headers_to_add"][0]["header"]["key"],
        "x-version"
    );
    assert_eq!(
        second["response_headers_to_add"][0]["header"]["value"],
        "v2"
    );
    assert_eq!(second["host_rewrite_literal"], "v2");
    let only = HttpRoute {
        headers: set(&[("x-route", "r")]),
        ..rule(Action::Forward(vec![destination("v1", 1)]))
    };
    let built = route(only);
    let keys = built["request_headers_to_add"].as_array().unwrap().iter();
    let keys: Vec<_> = keys.map(|option| &option["header"]["key"]).collect();
    assert_eq!(keys, ["x-route", "x-version"]);
    assert_eq!(built["route"]["host_rewrite_literal"], "v1");
}

#[test]
fn faults_can_abort_and_have_fine_shares() {
    let abort = |status, percent| Fault {
        delay: None,
        abort: Some(Abort {
            status,
            share: Share::percent(percent).unwrap(),
        }),
    };
    let fault = |fault| {
        let rule = HttpRoute {
            fault,
            ..forward("reviews")
        };
        route(rule)["typed_per_filter_config"]["envoy.filters.http.fault"]["abort"].clone()
    };
    assert_eq!(
        fault(abort(AbortStatus::Http(418), 12.5)),
        json!({
            "http_status": 418,
            "percentage": { "numerator": 125_000, "denominator": "MILLION" },
        })
    );
    assert_eq!(
        fault(abort(AbortStatus::Grpc(14), 50.0)),
        json!({ "grpc_status": 14, "percentage": { "numerator": 50 } })
    );
}
