//! Addresses: which listeners a sidecar has, and who keeps an address that two want.

use model::Proxy;
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
fn without_interception_every_listener_is_bound() {
    let world = bookinfo()
        .service("redis", &[(6379, "redis")])
        .service("zoo", &[(6379, "tcp")])
        .world();
    let rendered = render(&world, &explicit(web(), "127.0.2.9"));
    assert_eq!(
        rendered.names(Kind::Listener),
        [
            "127.0.2.9_6379",
            "127.0.2.9_9080",
            "172.17.0.9_6379",
            "172.17.0.9_8080"
        ]
    );
    for name in rendered.names(Kind::Listener) {
        let listener = rendered.get(Kind::Listener, name);
        assert_eq!(listener["bind_to_port"], json!(null), "{name}");
        assert_eq!(listener["default_filter_chain"], json!(null), "{name}");
    }
    // The port is all that tells a TCP service.
    let tcp = rendered.get(Kind::Listener, "127.0.2.9_6379");
    assert_eq!(
        chains(tcp),
        [(
            "127.0.2.9_6379",
            "outbound|6379||redis.marathon.slave.mesos"
        )]
    );
    assert_eq!(rendered.codes(), [code::SERVICE_CONFLICT]);
    let socket = &rendered.get(Kind::Listener, "127.0.2.9_9080")["address"]["socket_address"];
    assert_eq!(
        *socket,
        json!({ "address": "127.0.2.9", "port_value": 9080 })
    );
}

#[test]
fn inbound_keeps_an_address_that_outbound_also_wants() {
    let world = bookinfo().world();
    let proxy = sidecar("productpage", &[(9080, 9080, "http")]);
    let rendered = render(&world, &explicit(proxy, "172.17.0.9"));
    assert_eq!(rendered.names(Kind::Listener), ["172.17.0.9_9080"]);
    let listener = rendered.get(Kind::Listener, "172.17.0.9_9080");
    assert_eq!(listener["traffic_direction"], "INBOUND");
    assert_eq!(rendered.codes(), [code::ADDRESS_CONFLICT]);
    assert!(rendered.diagnostics[0].why.contains("172.17.0.9:9080"));
}

#[test]
fn a_port_of_the_interception_itself_is_not_taken() {
    let world = Draft::default()
        .service("odd", &[(15001, "http"), (15006, "http")])
        .world();
    let proxy = sidecar("odd", &[(15006, 15006, "http")]);
    let rendered = render(&world, &proxy);
    assert_eq!(
        rendered.names(Kind::Listener),
        ["172.17.0.9_15006", "virtualInbound", "virtualOutbound"]
    );
    assert_eq!(rendered.codes(), [code::ADDRESS_CONFLICT; 2]);
}

#[test]
fn a_proxy_cannot_listen_where_its_application_does() {
    let proxy = Proxy {
        application: ip("172.17.0.9"),
        ..explicit(web(), "127.0.2.9")
    };
    let rendered = render(&bookinfo().world(), &proxy);
    assert_eq!(rendered.names(Kind::Listener), ["127.0.2.9_9080"]);
    assert_eq!(rendered.codes(), [code::APPLICATION_ADDRESS]);
}

#[test]
fn an_unknown_instance_has_outbound_only() {
    let proxy = Proxy {
        instance: None,
        ..web()
    };
    let rendered = render(&bookinfo().world(), &proxy);
    assert_eq!(
        rendered.names(Kind::Listener),
        ["0.0.0.0_9080", "virtualInbound", "virtualOutbound"]
    );
    assert_eq!(rendered.names(Kind::Route), ["9080"]);
}
