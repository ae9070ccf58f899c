//! Listeners of sidecars.

use model::{Hostname, OutboundPolicy, Proxy, Reach};
use serde_json::{Value, json};

use crate::Kind;
use crate::finding::code;
use crate::fixtures::*;

fn web() -> Proxy {
    sidecar("web", &[(80, 8080, "http"), (6379, 6379, "tcp")])
}

/// The `@type` of a filter without its package, or the cluster of a TCP proxy.
fn filter(chain: &Value) -> &str {
    let config = &chain["filters"][0]["typed_config"];
    match config["cluster"].as_str() {
        Some(cluster) => cluster,
        None => config["@type"]
            .as_str()
            .unwrap()
            .rsplit('.')
            .next()
            .unwrap(),
    }
}

fn chains(listener: &Value) -> Vec<(&str, &str)> {
    let chains = listener["filter_chains"].as_array().unwrap();
    chains
        .iter()
        .map(|chain| (chain["name"].as_str().unwrap_or_default(), filter(chain)))
        .collect()
}

#[test]
fn both_kinds_of_interception_rules_are_served() {
    let rendered = render(&bookinfo().world(), &web());
    assert_eq!(
        rendered.names(Kind::Listener),
        [
            "0.0.0.0_9080",
            "172.17.0.9_6379",
            "172.17.0.9_8080",
            "virtualInbound",
            "virtualOutbound"
        ]
    );
    let outbound = rendered.get(Kind::Listener, "virtualOutbound");
    assert_eq!(outbound["use_original_dst"], true);
    assert_eq!(outbound["address"]["socket_address"]["port_value"], 15001);
    assert_eq!(
        chains(outbound),
        [
            ("virtualOutbound-blackhole", "BlackHoleCluster"),
            ("virtualOutbound-own-address", "BlackHoleCluster"),
            ("virtualOutbound-catchall-tcp", "PassthroughCluster")
        ]
    );
    let inbound = rendered.get(Kind::Listener, "virtualInbound");
    assert_eq!(
        inbound["listener_filters"][0]["name"],
        "envoy.filters.listener.original_dst"
    );
    assert_eq!(
        chains(inbound),
        [
            ("virtualInbound-blackhole", "BlackHoleCluster"),
            ("0.0.0.0_6379", "inbound|6379||"),
            ("0.0.0.0_8080", "HttpConnectionManager"),
            ("virtualInbound", "InboundPassthroughCluster")
        ]
    );
    let match_of = |at: usize| &inbound["filter_chains"][at]["filter_chain_match"];
    assert_eq!(*match_of(2), json!({ "destination_port": 8080 }));
    assert_eq!(*match_of(3), json!(null));
}

#[test]
fn an_outbound_http_listener_is_not_bound_and_discovers_its_routes() {
    let mut draft = bookinfo();
    draft.mesh.reporting = reporting("/dev/stdout");
    let rendered = render(&draft.world(), &web());
    let listener = rendered.get(Kind::Listener, "0.0.0.0_9080");
    assert_eq!(listener["bind_to_port"], false);
    assert_eq!(listener["traffic_direction"], "OUTBOUND");
    assert_eq!(listener["listener_filters"], json!(null));
    let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["stat_prefix"], "outbound_0.0.0.0_9080;");
    assert_eq!(manager["use_remote_address"], false);
    assert_eq!(manager["stream_idle_timeout"], "0s");
    assert_eq!(manager["normalize_path"], true);
    assert_eq!(
        manager["path_with_escaped_slashes_action"],
        "KEEP_UNCHANGED"
    );
    assert_eq!(
        manager["upgrade_configs"],
        json!([{ "upgrade_type": "websocket" }])
    );
    assert_eq!(
        manager["rds"],
        json!({
            "route_config_name": "9080",
            "config_source": {
                "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "5s",
            },
        })
    );
    let names: Vec<_> = manager["http_filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["name"])
        .collect();
    assert_eq!(
        names,
        [
            "envoy.filters.http.grpc_stats",
            "envoy.filters.http.fault",
            "envoy.filters.http.cors",
            "envoy.filters.http.router"
        ]
    );
    let log = &manager["access_log"][0]["typed_config"];
    assert_eq!(log["path"], "/dev/stdout");
    assert!(log["log_format"]["text_format_source"]["inline_string"].is_string());
}

#[test]
fn an_inbound_listener_leads_to_the_application() {
    let rendered = render(&bookinfo().world(), &web());
    let listener = rendered.get(Kind::Listener, "172.17.0.9_8080");
    assert_eq!(listener["bind_to_port"], false);
    assert_eq!(listener["traffic_direction"], "INBOUND");
    let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["stat_prefix"], "inbound_172.17.0.9_8080;");
    assert_eq!(manager["server_name"], "istio-envoy");
    assert_eq!(manager["forward_client_cert_details"], "APPEND_FORWARD");
    assert_eq!(
        manager["route_config"],
        json!({
            "name": "inbound|8080||",
            "validate_clusters": false,
            "virtual_hosts": [{
                "name": "inbound|http|8080",
                "domains": ["*"],
                "routes": [{
                    "name": "default",
                    "match": { "prefix": "/" },
                    "decorator": { "operation": "web.marathon.slave.mesos:80/*" },
                    "route": { "cluster": "inbound|8080||", "timeout": "0s" },
                }],
            }],
        })
    );
    let tcp = rendered.get(Kind::Listener, "172.17.0.9_6379");
    assert_eq!(chains(tcp), [("172.17.0.9_6379", "inbound|6379||")]);
}

#[test]
fn unknown_destinations_are_blocked_if_the_mesh_says_so() {
    let mut draft = bookinfo();
    draft.mesh.outbound = OutboundPolicy::RegistryOnly;
    let rendered = render(&draft.world(), &web());
    let outbound = rendered.get(Kind::Listener, "virtualOutbound");
    assert_eq!(chains(outbound)[2].1, "BlackHoleCluster");
    let blocked = rendered.virtual_host("9080", "block_all");
    assert_eq!(
        blocked["routes"][0]["direct_response"],
        json!({ "status": 502 })
    );
}

#[test]
fn raw_tcp_is_told_apart_by_address() {
    let here = bridge(AGENT_A, 31001, "172.17.0.2:6379");
    let there = bridge(AGENT_B, 31002, "172.17.0.2:6379");
    let alone = Reach::everywhere(at("[fd00::5]:6379"));
    let world = Draft::default()
        .service("redis", &[(6379, "redis")])
        .endpoint("redis", 6379, version("v1"), here.clone())
        .endpoint("redis", 6379, version("v1"), alone)
        .service("zoo", &[(6379, "tcp")])
        .endpoint("zoo", 6379, version("v1"), here)
        .endpoint("zoo", 6379, version("v1"), there)
        .world();
    let rendered = render(&world, &web());
    let listener = rendered.get(Kind::Listener, "0.0.0.0_6379");
    let redis = "outbound|6379||redis.marathon.slave.mesos";
    let zoo = "outbound|6379||zoo.marathon.slave.mesos";
    assert_eq!(
        chains(listener),
        [
            ("10.0.1.91_6379", redis),
            ("10.0.4.101_6379", zoo),
            ("172.17.0.2_6379", redis),
            ("fd00::5_6379", redis)
        ]
    );
    assert_eq!(
        listener["filter_chains"][0]["filter_chain_match"],
        json!({ "prefix_ranges": [{ "address_prefix": "10.0.1.91", "prefix_len": 32 }] })
    );
    let six = &listener["filter_chains"][3]["filter_chain_match"]["prefix_ranges"][0];
    assert_eq!(six["prefix_len"], 128);
    assert_eq!(
        filter(&listener["default_filter_chain"]),
        "PassthroughCluster"
    );
    assert_eq!(rendered.codes(), [code::SERVICE_CONFLICT; 2]);
    assert!(rendered.diagnostics[0].to_string().contains("zoo"));
    // On agent B the container of agent A has no meaning, and there is no conflict about it.
    let proxy = Proxy {
        spot: beside(AGENT_B),
        ..web()
    };
    let rendered = render(&world, &proxy);
    let listener = rendered.get(Kind::Listener, "0.0.0.0_6379");
    assert!(chains(listener).contains(&("172.17.0.2_6379", zoo)));
    assert_eq!(rendered.codes(), [code::SERVICE_CONFLICT]);
}

#[test]
fn tls_is_told_apart_by_server_name() {
    let world = Draft::default()
        .service("a", &[(443, "https")])
        .alias("shop.example.com")
        .service("b", &[(443, "tls")])
        .alias("shop.example.com")
        .world();
    let rendered = render(&world, &web());
    let listener = rendered.get(Kind::Listener, "0.0.0.0_443");
    assert_eq!(
        chains(listener),
        [
            (
                "a.marathon.slave.mesos_443",
                "outbound|443||a.marathon.slave.mesos"
            ),
            (
                "b.marathon.slave.mesos_443",
                "outbound|443||b.marathon.slave.mesos"
            )
        ]
    );
    assert_eq!(
        listener["filter_chains"][0]["filter_chain_match"],
        json!({
            "server_names": ["a.marathon.slave.mesos", "shop.example.com"],
            "transport_protocol": "tls",
        })
    );
    assert_eq!(
        listener["listener_filters"][0]["name"],
        "envoy.filters.listener.tls_inspector"
    );
    assert_eq!(listener["listener_filters_timeout"], "0s");
    assert_eq!(rendered.codes(), [code::SERVICE_CONFLICT]);
}

#[test]
fn http_tcp_and_tls_share_a_port() {
    let world = Draft::default()
        .service("a-tcp", &[(80, "tcp")])
        .endpoint(
            "a-tcp",
            80,
            version("v1"),
            Reach::everywhere(at("10.0.0.1:80")),
        )
        .service("http", &[(80, "http")])
        .service("tls", &[(80, "tls")])
        .world();
    let rendered = render(&world, &web());
    let listener = rendered.get(Kind::Listener, "0.0.0.0_80");
    let tls = "outbound|80||tls.marathon.slave.mesos";
    assert_eq!(
        chains(listener),
        [
            ("0.0.0.0_80", "HttpConnectionManager"),
            ("10.0.0.1_80_http", "HttpConnectionManager"),
            ("tls.marathon.slave.mesos_80", tls),
            ("tls.marathon.slave.mesos_80_10.0.0.1", tls),
            ("10.0.0.1_80", "outbound|80||a-tcp.marathon.slave.mesos")
        ]
    );
    let plaintext = &listener["filter_chains"][0]["filter_chain_match"];
    assert_eq!(
        *plaintext,
        json!({
            "transport_protocol": "raw_buffer",
            "application_protocols": ["http/1.0", "http/1.1", "h2c"],
        })
    );
    let inspectors = listener["listener_filters"].as_array().unwrap();
    let names: Vec<_> = inspectors.iter().map(|f| &f["name"]).collect();
    assert_eq!(
        names,
        [
            "envoy.filters.listener.tls_inspector",
            "envoy.filters.listener.http_inspector"
        ]
    );
    // A server that speaks first must not wait for its client.
    assert_eq!(listener["listener_filters_timeout"], "0.100s");
    assert_eq!(
        filter(&listener["default_filter_chain"]),
        "PassthroughCluster"
    );
    assert_eq!(rendered.codes(), [""; 0]);
}

#[test]
fn tls_and_tcp_share_a_port() {
    let world = Draft::default()
        .service("db", &[(3306, "mysql")])
        .endpoint(
            "db",
            3306,
            version("v1"),
            Reach::everywhere(at("10.0.0.1:3306")),
        )
        .service("tls", &[(3306, "tls")])
        .world();
    let rendered = render(&world, &web());
    let listener = rendered.get(Kind::Listener, "0.0.0.0_3306");
    let tls = "outbound|3306||tls.marathon.slave.mesos";
    assert_eq!(
        chains(listener),
        [
            ("tls.marathon.slave.mesos_3306", tls),
            ("tls.marathon.slave.mesos_3306_10.0.0.1", tls),
            ("10.0.0.1_3306", "outbound|3306||db.marathon.slave.mesos")
        ]
    );
    // A server that speaks first must not wait for a client hello.
    assert_eq!(listener["listener_filters_timeout"], "0.100s");
    assert_eq!(listener["continue_on_listener_filters_timeout"], true);
}

#[test]
fn a_wildcard_service_takes_every_server_name() {
    let world = Draft::default().service("*", &[(443, "tls")]).world();
    let rendered = render(&world, &web());
    let chain = &rendered.get(Kind::Listener, "0.0.0.0_443")["filter_chains"][0];
    assert_eq!(
        chain["filter_chain_match"],
        json!({ "transport_protocol": "tls" })
    );
    assert!(Hostname::parse("*").unwrap().is_wildcard());
}

#[test]
fn grpc_web_has_its_filter() {
    let world = Draft::default().service("ui", &[(80, "grpc-web")]).world();
    let rendered = render(&world, &web());
    let listener = rendered.get(Kind::Listener, "0.0.0.0_80");
    let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(
        manager["http_filters"][0]["name"],
        "envoy.filters.http.grpc_web"
    );
}
