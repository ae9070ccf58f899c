//! The steps of the Bookinfo walkthrough, one by one.

use serde_json::json;

use crate::Kind;
use crate::fixtures::routes::*;
use crate::fixtures::*;
use model::route::Action;

fn productpage() -> model::Proxy {
    sidecar("productpage", &[(9080, 9080, "http")])
}

fn reviews() -> Draft {
    bookinfo().subsets("reviews", &["v1", "v2", "v3"])
}

const V2: &str = "outbound|9080|v2|reviews.marathon.slave.mesos";
const V3: &str = "outbound|9080|v3|reviews.marathon.slave.mesos";

#[test]
fn step_1_without_configuration_every_service_has_a_default_route() {
    let rendered = render(&bookinfo().world(), &productpage());
    assert_eq!(rendered.codes(), [""; 0]);
    assert_eq!(
        rendered.virtual_hosts("9080"),
        [
            "details.marathon.slave.mesos:9080",
            "productpage.marathon.slave.mesos:9080",
            "ratings.marathon.slave.mesos:9080",
            "reviews.marathon.slave.mesos:9080",
            "allow_any"
        ]
    );
    let reviews = rendered.virtual_host("9080", "reviews.marathon.slave.mesos:9080");
    assert_eq!(
        *reviews,
        json!({
            "name": "reviews.marathon.slave.mesos:9080",
            "domains": [
                "reviews.marathon.slave.mesos", "reviews.marathon.slave.mesos.",
                "reviews", "reviews.marathon", "reviews.marathon.slave",
            ],
            "include_request_attempt_count": true,
            "routes": [{
                "name": "default",
                "match": { "prefix": "/" },
                "decorator": { "operation": "reviews.marathon.slave.mesos:9080/*" },
                "route": {
                    "cluster": "outbound|9080||reviews.marathon.slave.mesos",
                    "timeout": "0s",
                    "retry_policy": {
                        "retry_on":
                            "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
                        "num_retries": 2,
                        "host_selection_retry_max_attempts": "5",
                        "retry_host_predicate": [{
                            "name": "envoy.retry_host_predicates.previous_hosts",
                            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" },
                        }],
                    },
                },
            }],
        })
    );
    let all = rendered.endpoints("outbound|9080||reviews.marathon.slave.mesos");
    // Of the three, v1 and v3 are on the proxy's own agent.
    assert_eq!(
        all,
        ["10.0.4.101:31003", "172.17.0.4:9080", "172.17.0.6:9080"]
    );
}

#[test]
fn step_2_the_gateway_takes_everything_to_productpage() {
    let productpage = || forward("productpage:9080");
    let catch_all = when(vec![path(prefix("/"))], productpage());
    let unreachable = when(vec![path(prefix("/productpage"))], productpage());
    let service = virtual_service("productpage", &["*"], vec![catch_all, unreachable]);
    let world = bookinfo()
        .gateway("productpage-gateway", &[(80, "http", &["*"])])
        .virtual_service(on_gateway(service, "productpage-gateway"))
        .world();
    let rendered = render(&world, &ingress(&[]));
    assert_eq!(rendered.names(Kind::Listener), ["0.0.0.0_80"]);
    let listener = rendered.get(Kind::Listener, "0.0.0.0_80");
    assert_eq!(listener["bind_to_port"], json!(null));
    let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["rds"]["route_config_name"], "http.80");
    assert_eq!(manager["use_remote_address"], true);
    let routes = rendered.get(Kind::Route, "http.80");
    assert_eq!(routes["ignore_port_in_host_matching"], true);
    assert_eq!(rendered.virtual_hosts("http.80"), ["*:80"]);
    let host = rendered.virtual_host("http.80", "*:80");
    assert_eq!(host["domains"], json!(["*"]));
    assert_eq!(host["routes"].as_array().unwrap().len(), 1);
    let action = &host["routes"][0]["route"];
    assert_eq!(
        action["cluster"],
        "outbound|9080||productpage.marathon.slave.mesos"
    );
    assert_eq!(action["timeout"], "0s");
    // Who is not selected has neither, and the mesh itself has no such routes.
    let other = render(&world, &productpage_router());
    assert_eq!(other.names(Kind::Listener), [""; 0]);
    let mesh = render(&world, &super::walkthrough::productpage());
    assert!(!mesh.has(Kind::Route, "http.80"));
}

fn productpage_router() -> model::Proxy {
    model::Proxy {
        labels: version("v1"),
        ..ingress(&[])
    }
}

#[test]
fn step_3_subsets_are_clusters_with_their_endpoints() {
    let rendered = render(&reviews().world(), &productpage());
    let clusters = rendered.names(Kind::Cluster);
    for subset in ["v1", "v2", "v3"] {
        let name = format!("outbound|9080|{subset}|reviews.marathon.slave.mesos");
        assert!(clusters.contains(&name.as_str()));
        assert_eq!(rendered.endpoints(&name).len(), 1, "{name}");
    }
    assert_eq!(rendered.endpoints(V2), ["10.0.4.101:31003"]);
    assert_eq!(rendered.endpoints(V3), ["172.17.0.6:9080"]);
}

#[test]
fn step_4_jason_goes_to_v2_and_the_others_to_v3() {
    let rules = vec![
        when(vec![jason()], forward("reviews/v2")),
        forward("reviews/v3"),
    ];
    let world = reviews()
        .virtual_service(virtual_service("reviews", &["reviews"], rules))
        .world();
    let rendered = render(&world, &productpage());
    let host = rendered.virtual_host("9080", "reviews.marathon.slave.mesos:9080");
    let routes = host["routes"].as_array().unwrap();
    assert_eq!(routes.len(), 2);
    assert_eq!(
        routes[0]["match"],
        json!({
            "prefix": "/",
            "headers": [{ "name": "end-user", "string_match": { "exact": "jason" } }],
        })
    );
    assert_eq!(routes[0]["route"]["cluster"], V2);
    assert_eq!(routes[1]["match"], json!({ "prefix": "/" }));
    assert_eq!(routes[1]["route"]["cluster"], V3);
}

#[test]
fn step_5_jason_waits_seven_seconds_and_step_6_no_longer() {
    let delayed = model::route::HttpRoute {
        fault: delay(7, 100.0),
        ..when(vec![jason()], forward("ratings"))
    };
    let rules = vec![delayed, forward("ratings")];
    let service = virtual_service("ratings", &["ratings"], rules);
    let world = bookinfo().virtual_service(service).world();
    let host = "ratings.marathon.slave.mesos:9080";
    let rendered = render(&world, &productpage());
    let routes = &rendered.virtual_host("9080", host)["routes"];
    assert_eq!(
        routes[0]["typed_per_filter_config"],
        json!({ "envoy.filters.http.fault": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "delay": { "fixed_delay": "7s", "percentage": { "numerator": 100 } },
        }})
    );
    assert_eq!(routes[1]["typed_per_filter_config"], json!(null));
    let after = render(&bookinfo().world(), &productpage());
    assert_eq!(
        after.virtual_host("9080", host)["routes"][0]["name"],
        "default"
    );
}

#[test]
fn step_7_half_and_half_then_all() {
    let half = rule(Action::Forward(vec![
        to("reviews/v1", 50),
        to("reviews/v3", 50),
    ]));
    let world = reviews()
        .virtual_service(virtual_service("reviews", &["reviews"], vec![half]))
        .world();
    let rendered = render(&world, &productpage());
    let host = rendered.virtual_host("9080", "reviews.marathon.slave.mesos:9080");
    assert_eq!(
        host["routes"][0]["route"]["weighted_clusters"],
        json!({ "clusters": [
            { "name": "outbound|9080|v1|reviews.marathon.slave.mesos", "weight": 50 },
            { "name": V3, "weight": 50 },
        ]})
    );
    // Several of which only one has a weight are one, and one alone is all, whatever its weight.
    for all in [
        vec![to("reviews/v1", 0), to("reviews/v3", 1)],
        vec![to("reviews/v3", 0)],
    ] {
        let all = rule(Action::Forward(all));
        let world = reviews()
            .virtual_service(virtual_service("reviews", &["reviews"], vec![all]))
            .world();
        let rendered = render(&world, &productpage());
        let host = rendered.virtual_host("9080", "reviews.marathon.slave.mesos:9080");
        assert_eq!(host["routes"][0]["route"]["cluster"], V3);
    }
}
