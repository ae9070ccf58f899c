//! What Envoy would refuse is left out alone.

use model::route::*;
use model::{Diagnostic, Severity};

use crate::Kind;
use crate::finding::code;
use crate::fixtures::routes::*;
use crate::fixtures::*;

/// Compiles a rule between two good ones, and returns what is said about it.
fn refused(rule: HttpRoute) -> Diagnostic {
    let good = || when(vec![path(prefix("/good"))], forward("reviews"));
    let rules = vec![good(), rule, good()];
    let world = bookinfo()
        .virtual_service(virtual_service("reviews", &["reviews"], rules))
        .world();
    let rendered = render(&world, &sidecar("productpage", &[]));
    let host = rendered.virtual_host("9080", "reviews.marathon.slave.mesos:9080");
    assert_eq!(host["routes"].as_array().unwrap().len(), 2);
    assert_eq!(rendered.codes(), [code::ROUTE_REFUSED]);
    rendered.diagnostics[0].clone()
}

fn field(rule: HttpRoute) -> String {
    refused(rule).field
}

#[test]
fn a_refusal_tells_where_why_and_what_to_do() {
    let rule = when(
        vec![path(exact("/a")), path(regex("(?=x)"))],
        forward("reviews"),
    );
    let world = bookinfo()
        .virtual_service(virtual_service("reviews", &["reviews"], vec![rule]))
        .world();
    let rendered = render(&world, &sidecar("productpage", &[]));
    let [diagnostic] = rendered.diagnostics.as_slice() else {
        panic!("{:?}", rendered.diagnostics);
    };
    assert_eq!(diagnostic.severity, Severity::Error);
    assert_eq!(diagnostic.object, Some(object("VirtualService", "reviews")));
    assert_eq!(diagnostic.field, "spec.http[0].match[1].uri.regex");
    assert!(diagnostic.why.contains("look-around"), "{}", diagnostic.why);
    assert_eq!(diagnostic.remedy, "correct spec.http[0].match[1].uri.regex");
}

#[test]
fn conditions() {
    let with = |change: fn(&mut HttpMatch)| {
        let mut condition = HttpMatch::default();
        change(&mut condition);
        field(when(vec![condition], forward("reviews")))
    };
    let header = with(|c| c.headers = vec![("cookie".into(), regex("("))]);
    assert_eq!(header, "spec.http[1].match[0].headers[cookie].regex");
    let query = with(|c| c.query_params = vec![("q".into(), regex("*"))]);
    assert_eq!(query, "spec.http[1].match[0].queryParams[q].regex");
    let nameless = with(|c| c.headers = vec![("".into(), exact("x"))]);
    assert_eq!(nameless, "spec.http[1].match[0].headers[]");
    let large = with(|c| c.uri = Some(regex("((a{100}){100}){100}")));
    assert_eq!(large, "spec.http[1].match[0].uri.regex");
}

#[test]
fn actions() {
    let respond = |status, length| {
        rule(Action::Respond {
            status,
            body: Some(Body::Text("x".repeat(length))),
        })
    };
    assert_eq!(field(respond(199, 1)), "spec.http[1].directResponse.status");
    assert_eq!(field(respond(600, 1)), "spec.http[1].directResponse.status");
    assert_eq!(
        field(respond(200, 1024 * 1024 + 1)),
        "spec.http[1].directResponse.body"
    );
    let redirect = |code, authority: &str| {
        rule(Action::Redirect(Redirect {
            code,
            authority: Some(authority.into()),
            ..Redirect::default()
        }))
    };
    assert_eq!(
        field(redirect(300, "a")),
        "spec.http[1].redirect.redirectCode"
    );
    assert_eq!(
        field(redirect(301, "a\r\nb")),
        "spec.http[1].redirect.authority"
    );
    let none = Action::Forward(vec![to("reviews/v1", 0), to("reviews/v2", 0)]);
    assert_eq!(field(rule(none)), "spec.http[1].route");
    let much = Action::Forward(vec![to("reviews/v1", u32::MAX), to("reviews/v2", 1)]);
    assert_eq!(field(rule(much)), "spec.http[1].route");
    let rewrite = UriRewrite::Regex {
        pattern: "[".into(),
        substitution: String::new(),
    };
    let rewritten = HttpRoute {
        rewrite: Some(Rewrite {
            uri: Some(rewrite),
            authority: None,
        }),
        ..forward("reviews")
    };
    assert_eq!(
        field(rewritten),
        "spec.http[1].rewrite.uriRegexRewrite.match"
    );
}

#[test]
fn faults() {
    let none = HttpRoute {
        fault: delay(0, 100.0),
        ..forward("reviews")
    };
    assert_eq!(field(none), "spec.http[1].fault.delay.fixedDelay");
    let abort = Abort {
        status: AbortStatus::Http(199),
        share: Share::ALL,
    };
    let odd = HttpRoute {
        fault: Fault {
            delay: None,
            abort: Some(abort),
        },
        ..forward("reviews")
    };
    assert_eq!(field(odd), "spec.http[1].fault.abort.httpStatus");
}

#[test]
fn headers() {
    let request = |name: &str, value: &str| HttpRoute {
        headers: set(&[(name, value)]),
        ..forward("reviews")
    };
    assert_eq!(field(request("a b", "x")), "spec.http[1].headers.request");
    assert_eq!(field(request(":path", "x")), "spec.http[1].headers.request");
    let destination = WeightedDestination {
        response_headers: set(&[("a b", "x")]),
        ..to("reviews/v2", 1)
    };
    let weighted = rule(Action::Forward(vec![to("reviews/v1", 1), destination]));
    assert_eq!(field(weighted), "spec.http[1].route[1].headers.response");
}

#[test]
fn a_refused_catch_all_does_not_end_the_list() {
    let bad = rule(Action::Respond {
        status: 99,
        body: None,
    });
    let world = bookinfo()
        .virtual_service(virtual_service(
            "reviews",
            &["reviews"],
            vec![bad, forward("reviews")],
        ))
        .world();
    let rendered = render(&world, &sidecar("productpage", &[]));
    let host = rendered.virtual_host("9080", "reviews.marathon.slave.mesos:9080");
    assert_eq!(host["routes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_connect_timeout_of_zero_does_not_lose_every_cluster() {
    let mut draft = bookinfo();
    draft.mesh.connect_timeout = std::time::Duration::ZERO;
    let rendered = render(&draft.world(), &sidecar("productpage", &[]));
    let cluster = rendered.get(Kind::Cluster, "outbound|9080||reviews.marathon.slave.mesos");
    assert_eq!(cluster["connect_timeout"], "0.001s");
    assert_eq!(rendered.codes(), [""; 0]);
}
