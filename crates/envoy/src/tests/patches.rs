//! EnvoyFilter: what patches make of resources, and that Envoy takes it.

mod refused;

use model::envoy_filter::{
    ClusterMatch, Context, ListenerMatch, Operation, Patch, RoutesMatch, Target,
};
use serde_json::{Value, json};

use super::validate::{bootstrap, validate};
use crate::Kind;
use crate::fixtures::extensions::{envoy_filter, patch};
use crate::fixtures::rendered::Rendered;
use crate::fixtures::rich::{proxies, rich};
use crate::fixtures::*;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

fn lua(name: &str) -> Value {
    json!({"name": name, "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": "function envoy_on_request(h) end"},
    }})
}

fn with(patches: Vec<Patch>) -> Rendered {
    let mut draft = bookinfo();
    draft.envoy_filters = vec![envoy_filter("f", patches)];
    render(&draft.world(), &sidecar("reviews", &[(9080, 9080, "http")]))
}

fn get<'a>(rendered: &'a Rendered, kind: Kind, name: &str) -> &'a Value {
    &rendered.resources[&(kind, name.to_owned())]
}

fn http_filters(listener: &Value) -> Vec<&str> {
    let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_array().unwrap();
    filters
        .iter()
        .map(|f| f["name"].as_str().unwrap())
        .collect()
}

fn at_sub_filter(name: &str, operation: Operation, value: Value) -> Patch {
    Patch {
        listener: ListenerMatch {
            filter: Some(MANAGER.into()),
            sub_filter: Some(name.into()),
            ..ListenerMatch::default()
        },
        context: Context::SidecarOutbound,
        ..patch(Target::HttpFilter, operation, value)
    }
}

#[test]
fn http_filters_go_where_the_operation_says() {
    let rendered = with(vec![
        at_sub_filter(
            "envoy.filters.http.cors",
            Operation::InsertBefore,
            lua("before"),
        ),
        at_sub_filter(
            "envoy.filters.http.cors",
            Operation::InsertAfter,
            lua("after"),
        ),
        at_sub_filter(
            "envoy.filters.http.grpc_stats",
            Operation::Remove,
            Value::Null,
        ),
        Patch {
            context: Context::SidecarOutbound,
            ..patch(Target::HttpFilter, Operation::InsertFirst, lua("first"))
        },
        Patch {
            context: Context::SidecarOutbound,
            ..patch(Target::HttpFilter, Operation::Add, lua("added"))
        },
    ]);
    assert_eq!(rendered.diagnostics, []);
    let outbound = get(&rendered, Kind::Listener, "0.0.0.0_9080");
    let expected = [
        "first",
        "envoy.filters.http.fault",
        "before",
        "envoy.filters.http.cors",
        "after",
        "added",
        "envoy.filters.http.router",
    ];
    assert_eq!(http_filters(outbound), expected);
    let inbound = get(&rendered, Kind::Listener, "172.17.0.9_9080");
    assert!(
        !http_filters(inbound).contains(&"first"),
        "the context is another"
    );
    validate("filters", &bootstrap(&rendered.resources));
}

#[test]
fn clusters_are_merged_added_and_removed_by_what_they_are() {
    let of = |service: &str, subset: Option<&str>| ClusterMatch {
        service: Some(host(service).as_str().into()),
        subset: subset.map(Into::into),
        ..ClusterMatch::default()
    };
    let rendered = with(vec![
        Patch {
            cluster: of("ratings", None),
            ..patch(
                Target::Cluster,
                Operation::Merge,
                json!({
                    "connect_timeout": "0.25s",
                    "circuit_breakers": {"thresholds": [{"priority": "HIGH", "max_connections": 3}]},
                }),
            )
        },
        Patch {
            cluster: of("details", None),
            ..patch(Target::Cluster, Operation::Remove, Value::Null)
        },
        patch(
            Target::Cluster,
            Operation::Add,
            json!({
                "name": "extra", "type": "STRICT_DNS", "connectTimeout": "1s",
                "load_assignment": {"cluster_name": "extra", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": {"socket_address": {"address": "x.y", "port_value": 1}}}}]}]},
            }),
        ),
    ]);
    assert_eq!(rendered.diagnostics, []);
    let ratings = get(
        &rendered,
        Kind::Cluster,
        "outbound|9080||ratings.marathon.slave.mesos",
    );
    assert_eq!(ratings["connect_timeout"], "0.250s");
    let thresholds = ratings["circuit_breakers"]["thresholds"]
        .as_array()
        .unwrap();
    assert_eq!(thresholds.len(), 2, "lists get longer");
    let details = "outbound|9080||details.marathon.slave.mesos".to_owned();
    assert!(!rendered.resources.contains_key(&(Kind::Cluster, details)));
    assert_eq!(
        get(&rendered, Kind::Cluster, "extra")["connect_timeout"],
        "1s"
    );
    validate("clusters", &bootstrap(&rendered.resources));
}

#[test]
fn routes_are_patched_where_they_are_discovered_and_where_they_are_inline() {
    let rendered = with(vec![
        Patch {
            context: Context::SidecarInbound,
            ..patch(
                Target::HttpRoute,
                Operation::Merge,
                json!({"route": {"timeout": "3s"}}),
            )
        },
        Patch {
            context: Context::SidecarOutbound,
            routes: RoutesMatch {
                name: Some("9080".into()),
                virtual_host: Some("ratings.marathon.slave.mesos:9080".into()),
                ..RoutesMatch::default()
            },
            ..patch(
                Target::HttpRoute,
                Operation::InsertFirst,
                json!({
                    "name": "teapot", "match": {"path": "/pot"}, "direct_response": {"status": 418},
                }),
            )
        },
        Patch {
            context: Context::SidecarOutbound,
            routes: RoutesMatch {
                port: Some(9080),
                ..RoutesMatch::default()
            },
            ..patch(
                Target::VirtualHost,
                Operation::Add,
                json!({
                    "name": "own", "domains": ["own.example.com"],
                    "routes": [{"match": {"prefix": "/"}, "redirect": {"host_redirect": "x"}}],
                }),
            )
        },
    ]);
    assert_eq!(rendered.diagnostics, []);
    let inbound = get(&rendered, Kind::Listener, "172.17.0.9_9080");
    let manager = &inbound["filter_chains"][0]["filters"][0]["typed_config"];
    let route = &manager["route_config"]["virtual_hosts"][0]["routes"][0];
    assert_eq!(route["route"]["timeout"], "3s");
    let hosts = get(&rendered, Kind::Route, "9080")["virtual_hosts"]
        .as_array()
        .unwrap();
    let ratings = hosts
        .iter()
        .find(|h| h["name"] == "ratings.marathon.slave.mesos:9080")
        .unwrap();
    assert_eq!(ratings["routes"][0]["name"], "teapot");
    assert!(hosts.iter().any(|host| host["name"] == "own"));
    validate("routes", &bootstrap(&rendered.resources));
}

#[test]
fn listeners_chains_and_network_filters_are_patched_by_port() {
    let on = |port, target, operation, value| Patch {
        listener: ListenerMatch {
            port: Some(port),
            ..ListenerMatch::default()
        },
        ..patch(target, operation, value)
    };
    let rendered = with(vec![
        on(
            9080,
            Target::Listener,
            Operation::Merge,
            json!({"per_connection_buffer_limit_bytes": 9}),
        ),
        on(
            9080,
            Target::NetworkFilter,
            Operation::Merge,
            json!({"typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "xff_num_trusted_hops": 2,
            }}),
        ),
        on(
            15001,
            Target::FilterChain,
            Operation::Merge,
            json!({"transport_socket_connect_timeout": "5s"}),
        ),
        on(
            15006,
            Target::ListenerFilter,
            Operation::Add,
            json!({
            "name": "envoy.filters.listener.tls_inspector", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}}),
        ),
    ]);
    assert_eq!(rendered.diagnostics, []);
    let outbound = get(&rendered, Kind::Listener, "0.0.0.0_9080");
    assert_eq!(outbound["per_connection_buffer_limit_bytes"], 9);
    let manager = &outbound["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["xff_num_trusted_hops"], 2);
    let inbound = get(&rendered, Kind::Listener, "virtualInbound");
    assert!(inbound.get("per_connection_buffer_limit_bytes").is_none());
    // The listener that tells ports apart by chains has the port there.
    let chains = inbound["filter_chains"].as_array().unwrap();
    let hops: Vec<bool> = chains
        .iter()
        .map(|c| c["filters"][0]["typed_config"]["xff_num_trusted_hops"] == 2)
        .collect();
    assert_eq!(hops, [false, true, false]);
    assert_eq!(inbound["listener_filters"].as_array().unwrap().len(), 2);
    let virtual_ = get(&rendered, Kind::Listener, "virtualOutbound");
    assert_eq!(
        virtual_["filter_chains"][0]["transport_socket_connect_timeout"],
        "5s"
    );
    validate("listeners", &bootstrap(&rendered.resources));
}

/// Each would make Envoy refuse a resource; the resource is served without the patch.
#[test]
fn the_root_namespace_comes_first_and_others_are_not_concerned() {
    let mut draft = bookinfo();
    let timeout = |name: &str, namespace: &str, seconds: u32| {
        let value = json!({"connect_timeout": format!("{seconds}s")});
        let mut filter = envoy_filter(name, vec![patch(Target::Cluster, Operation::Merge, value)]);
        filter.object.namespace = namespace.into();
        filter
    };
    draft.envoy_filters = vec![
        timeout("a", "default", 3),
        timeout("b", "istio-system", 2),
        timeout("c", "elsewhere", 9),
    ];
    let rendered = render(&draft.world(), &sidecar("reviews", &[]));
    let black_hole = get(&rendered, Kind::Cluster, "BlackHoleCluster");
    assert_eq!(black_hole["connect_timeout"], "3s");
}

#[test]
fn envoy_takes_patched_configuration_of_every_kind_of_proxy() {
    let mut draft = rich();
    draft.envoy_filters = vec![envoy_filter(
        "f",
        vec![
            patch(Target::HttpFilter, Operation::InsertFirst, lua("lua")),
            patch(
                Target::Cluster,
                Operation::Merge,
                json!({"metadata": {"filter_metadata": {"b": {"x": 1}, "a": {}}}}),
            ),
            patch(
                Target::RouteConfiguration,
                Operation::Merge,
                json!({"response_headers_to_remove": ["x-a"]}),
            ),
        ],
    )];
    let world = draft.world();
    for (name, proxy) in proxies() {
        let rendered = render(&world, &proxy);
        validate(name, &bootstrap(&rendered.resources));
        let again = crate::compile(&world, &proxy);
        assert_eq!(
            again,
            crate::compile(&world, &proxy),
            "equal bytes every time"
        );
    }
}
