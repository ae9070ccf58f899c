//! Each field of an HTTP route: what it becomes, and when it is refused.

use std::time::Duration;

use model::HeaderValue;
use model::route::{
    Abort, AbortStatus, Action, Body, Delay, PathRedirect, Redirect, Share, StringMatch, UriRewrite,
};
use serde_json::{Value, json};

use super::fixtures::*;

/// A route to `reviews` with more fields.
fn with(more: Value) -> Value {
    let mut http = json!({"route": [{"destination": {"host": "reviews"}}]});
    for (key, value) in more.as_object().unwrap() {
        http[key] = value.clone();
    }
    http
}

fn converted(http: Value) -> model::route::HttpRoute {
    let (service, codes) = route(http.clone());
    assert_eq!(codes, [""; 0], "{http}");
    service.unwrap().http[0].clone()
}

fn weights(http: Value) -> (Vec<u32>, Vec<&'static str>) {
    let (service, codes) = route(http);
    match service.map(|s| s.http[0].action.clone()) {
        Some(Action::Forward(list)) => (list.iter().map(|d| d.weight).collect(), codes),
        _ => (Vec::new(), codes),
    }
}

#[test]
fn a_route_is_refused_for_each_of_these() {
    let destination = json!({"destination": {"host": "reviews"}});
    for (http, code) in [
        (json!({}), "PH0306"),
        (with(json!({"redirect": {"uri": "/x"}})), "PH0306"),
        (
            json!({"redirect": {"uri": "/x"}, "directResponse": {"status": 200}}),
            "PH0306",
        ),
        (
            json!({"redirect": {"uri": "/x"}, "rewrite": {"uri": "/y"}}),
            "PH0306",
        ),
        (json!({"delegate": {}}), "PH0340"),
        (with(json!({"delegate": {"name": "x"}})), "PH0340"),
        (json!({"route": [{}]}), "PH0308"),
        (json!({"route": [{"destination": {}}]}), "PH0308"),
        (json!({"route": [{"destination": {"host": "*"}}]}), "PH0308"),
        (
            json!({"route": [{"destination": {"host": "reviews", "port": {}}}]}),
            "PH0308",
        ),
        (
            json!({"route": [{"destination": {"host": "a..b"}}]}),
            "PH0305",
        ),
        (
            json!({"route": [{"destination": {"host": "reviews", "subset": "a|b"}}]}),
            "PH0320",
        ),
        (json!({"route": [destination, destination]}), "PH0309"),
        (
            with(json!({"fault": {"delay": {"percent": 101, "fixedDelay": "1s"}}})),
            "PH0311",
        ),
        (
            with(json!({"fault": {"delay": {"percentage": {"value": -1}, "fixedDelay": "1s"}}})),
            "PH0311",
        ),
        (
            with(json!({"fault": {"abort": {"percent": 1, "httpStatus": 99}}})),
            "PH0311",
        ),
        (
            with(json!({"fault": {"abort": {"percent": 1, "grpcStatus": "NOPE"}}})),
            "PH0311",
        ),
        (
            with(
                json!({"fault": {"abort": {"percent": 1, "grpcStatus": "ABORTED", "httpStatus": 500}}}),
            ),
            "PH0311",
        ),
        (json!({"directResponse": {"status": 99}}), "PH0313"),
        (json!({"directResponse": {}}), "PH0313"),
        (
            json!({"directResponse": {"status": 200, "body": {"string": "x".repeat(1_048_577)}}}),
            "PH0313",
        ),
        (json!({"redirect": {}}), "PH0313"),
        (
            json!({"redirect": {"uri": "/x", "redirectCode": 300}}),
            "PH0313",
        ),
        (json!({"redirect": {"scheme": "ftp"}}), "PH0313"),
        (
            with(json!({"match": [{"uri": {"regex": "(?=x)"}}]})),
            "PH0314",
        ),
        (
            with(json!({"match": [{"headers": {"a": {"regex": "(a"}}}]})),
            "PH0314",
        ),
        (
            with(json!({"rewrite": {"uriRegexRewrite": {"match": "a", "rewrite": "\\1"}}})),
            "PH0314",
        ),
        (
            with(json!({"match": [{"headers": {"a b": {"exact": "x"}}}]})),
            "PH0315",
        ),
        (
            with(json!({"headers": {"request": {"set": {":path": "/"}}}})),
            "PH0315",
        ),
        (
            with(json!({"headers": {"request": {"remove": ["Host"]}}})),
            "PH0315",
        ),
        (
            with(json!({"headers": {"response": {"add": {"Host": "x"}}}})),
            "PH0315",
        ),
        (
            with(json!({"headers": {"response": {"add": {"x": "a\r\nb"}}}})),
            "PH0315",
        ),
        (with(json!({"rewrite": {}})), "PH0316"),
        (
            with(
                json!({"rewrite": {"uri": "/", "uriRegexRewrite": {"match": "a", "rewrite": ""}}}),
            ),
            "PH0316",
        ),
        (
            with(json!({"retries": {"attempts": 1, "retryOn": "5xx,sometimes"}})),
            "PH0317",
        ),
        (with(json!({"match": [{"uri": {"prefix": ""}}]})), "PH0318"),
        (with(json!({"retries": {"attempts": -1}})), "PH0301"),
        (with(json!({"match": [{"gateways": ["a/b/c"]}]})), "PH0321"),
    ] {
        let (service, codes) = route(http.clone());
        assert!(service.is_none(), "{http}");
        assert_eq!(codes, [code], "{http}");
    }
}

#[test]
fn hosts_are_needed_and_stars_belong_to_gateways() {
    let http = json!([{"route": [{"destination": {"host": "reviews"}}]}]);
    for (spec, code) in [
        (json!({"http": http}), "PH0342"),
        (json!({"http": http, "gateways": ["g"]}), "PH0304"),
        (json!({"hosts": ["-"], "http": http}), "PH0305"),
        (json!({"hosts": ["*"], "http": http}), "PH0305"),
        (json!({"hosts": ["reviews"]}), "PH0306"),
        (json!({"hosts": ["reviews"], "tcp": [{}]}), "PH0308"),
    ] {
        let world = world_of(vec![reviews(1)], vec![virtual_service("a", spec.clone())]);
        assert!(world.virtual_services.is_empty(), "{spec}");
        assert!(codes(&world).contains(&code), "{spec} {:?}", codes(&world));
    }
    let spec =
        json!({"hosts": ["*", "b.example.com", "b.example.com"], "gateways": ["g"], "http": http});
    let world = world_of(vec![reviews(1)], vec![virtual_service("a", spec)]);
    assert_eq!(
        world.virtual_services[0].hosts,
        [host("*"), host("b.example.com")]
    );
}

#[test]
fn weights_become_shares() {
    let list = |weights: &[Option<u32>]| {
        let route: Vec<Value> = weights
            .iter()
            .map(|w| json!({"destination": {"host": "reviews"}, "weight": w}))
            .collect();
        json!({ "route": route })
    };
    assert_eq!(weights(list(&[None])), (vec![100], vec![]));
    assert_eq!(weights(list(&[Some(0)])), (vec![100], vec![]));
    assert_eq!(weights(list(&[Some(30)])), (vec![30], vec![]));
    assert_eq!(weights(list(&[Some(50), Some(50)])), (vec![50, 50], vec![]));
    assert_eq!(weights(list(&[Some(100), None])), (vec![100], vec![]));
    assert_eq!(
        weights(list(&[Some(1), Some(2)])),
        (vec![1, 2], vec!["PH0310"])
    );
    assert_eq!(
        weights(list(&[Some(u32::MAX), Some(1)])),
        (vec![], vec!["PH0309"])
    );
}

#[test]
fn faults_fire_only_with_a_percentage() {
    let delay = |share| Delay {
        fixed: Duration::from_secs(7),
        share,
    };
    let fault = |fault: Value| converted(with(json!({ "fault": fault }))).fault;
    let seed = fault(json!({"delay": {"percent": 100, "fixedDelay": "7s"}}));
    assert_eq!((seed.delay, seed.abort), (Some(delay(Share::ALL)), None));
    let half = json!({"delay": {"percentage": {"value": 0.5}, "fixedDelay": "7s"}});
    assert_eq!(fault(half).delay.map(|d| d.share.millionths()), Some(5_000));
    let both = json!({"delay": {"percent": 1, "percentage": {"value": 0.5}, "fixedDelay": "7s"}});
    let (service, codes) = route(with(json!({ "fault": both })));
    let delay_of = |service: model::route::VirtualService| service.http[0].fault.delay.clone();
    assert_eq!(
        service.and_then(delay_of).map(|d| d.share.millionths()),
        Some(5_000)
    );
    assert_eq!(codes, ["PH0346"]);
    let abort = |status| Abort {
        status,
        share: Share::ALL,
    };
    let grpc = fault(json!({"abort": {"percent": 100, "grpcStatus": "UNAVAILABLE"}}));
    assert_eq!(grpc.abort, Some(abort(AbortStatus::Grpc(14))));
    let http = fault(json!({"abort": {"percent": 100, "httpStatus": 555}}));
    assert_eq!(http.abort, Some(abort(AbortStatus::Http(555))));
    for silent in [
        json!({"delay": {"fixedDelay": "7s"}}),
        json!({"delay": {"percent": 1, "fixedDelay": "0s"}}),
        json!({"delay": {"percent": 1}}),
        json!({"abort": {"percent": 1}}),
        json!({"abort": {"httpStatus": 500}}),
        json!({}),
    ] {
        let (service, codes) = route(with(json!({ "fault": silent })));
        assert_eq!(codes, ["PH0312"], "{silent}");
        let route = &service.unwrap().http[0];
        assert_eq!(route.fault, model::route::Fault::default(), "{silent}");
    }
}

#[test]
fn redirects_and_responses() {
    let redirect = converted(json!({"redirect": {"uri": "/x", "authority": "a"}})).action;
    let expected = Redirect {
        path: Some(PathRedirect::Whole("/x".into())),
        authority: Some("a".into()),
        code: 301,
        ..Redirect::default()
    };
    assert_eq!(redirect, Action::Redirect(expected));
    let respond =
        converted(json!({"direct_response": {"status": 503, "body": {"string": "x"}}})).action;
    let expected = Action::Respond {
        status: 503,
        body: Some(Body::Text("x".into())),
    };
    assert_eq!(respond, expected);
}

#[test]
fn conditions_keep_their_meaning() {
    let http = with(json!({"match": [{
        "uri": {"prefix": "/a"}, "ignoreUriCase": true, "method": {"exact": "GET"}, "scheme": {},
        "headers": {"End-User": {"exact": "jason"}, "x-any": {}, "x-star": {"regex": "*"}},
        "withoutHeaders": {"x": {"regex": "a+"}}, "queryParams": {"q": {"exact": "1"}},
        "port": 9080, "sourceLabels": {"app": "x"}, "source_namespace": "ns", "gateways": ["mesh"],
    }]}));
    let block = converted(http).matches.remove(0);
    assert_eq!(block.uri, Some(StringMatch::Prefix("/a".into())));
    assert!(block.ignore_uri_case && block.scheme.is_none());
    assert_eq!(block.method, Some(StringMatch::Exact("GET".into())));
    let headers: Vec<_> = block
        .headers
        .iter()
        .map(|(n, m)| (n.as_str(), m.clone()))
        .collect();
    assert_eq!(
        headers,
        [
            ("end-user", StringMatch::Exact("jason".into())),
            ("x-any", StringMatch::Present),
            ("x-star", StringMatch::Present)
        ]
    );
    assert_eq!(
        block.without_headers,
        [("x".into(), StringMatch::Regex("a+".into()))]
    );
    assert_eq!(
        block.query_params,
        [("q".into(), StringMatch::Exact("1".into()))]
    );
    assert_eq!(
        (block.port, block.source_namespace.as_deref()),
        (Some(9080), Some("ns"))
    );
    assert_eq!(block.source_labels.get("app"), Some("x"));
    assert_eq!(block.gateways, [model::route::GatewayRef::Mesh]);
}

#[test]
fn the_rest_of_a_route() {
    let http = with(json!({
        "name": "n", "timeout": "0.5s",
        "retries": {"attempts": 3, "perTryTimeout": "2s", "retryOn": "5xx, 503"},
        "rewrite": {"uriRegexRewrite": {"match": "^/a/(.*)", "rewrite": "/b/\\1"}, "authority": "h"},
        "headers": {"request": {"set": {"Host": "x", "B": "1", "a": "100%%"}, "remove": ["C"]},
            "response": {"add": {"d": "2"}}},
    }));
    let route = converted(http);
    assert_eq!(route.name.as_deref(), Some("n"));
    assert_eq!(route.timeout, Some(Duration::from_millis(500)));
    let retries = route.retries.unwrap();
    assert_eq!(
        (retries.attempts, retries.retry_on.as_deref()),
        (3, Some("5xx,503"))
    );
    assert_eq!(retries.per_try_timeout, Some(Duration::from_secs(2)));
    let rewrite = route.rewrite.unwrap();
    let expected = UriRewrite::Regex {
        pattern: "^/a/(.*)".into(),
        substitution: "/b/\\1".into(),
    };
    assert_eq!(
        (rewrite.uri, rewrite.authority.as_deref()),
        (Some(expected), Some("h"))
    );
    let pair = |a: &str, b: &str| (a.to_owned(), HeaderValue::parse(b).unwrap());
    assert_eq!(route.headers.host.as_deref(), Some("x"));
    assert_eq!(route.headers.set, [pair("a", "100%%"), pair("b", "1")]);
    assert_eq!(route.headers.remove, ["c"]);
    assert_eq!(route.response_headers.add, [pair("d", "2")]);
    let bare = converted(with(json!({"timeout": "0s", "retries": {}})));
    assert_eq!(
        (bare.timeout, bare.retries.map(|r| r.attempts)),
        (Some(Duration::ZERO), Some(0))
    );
}
