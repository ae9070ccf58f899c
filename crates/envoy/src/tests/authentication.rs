//! What policies of authentication do to the listeners of a workload.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::authentication::*;
use model::tls::FilePath;
use model::{Authentication, Proxy, World};
use serde_json::{Value, json};

use crate::Kind;
use crate::fixtures::*;

fn web() -> Proxy {
    sidecar("web", &[(80, 8080, "http"), (6379, 6379, "tcp")])
}

/// The World with one policy for everything.
fn demanding(mode: Mode) -> World {
    let policy = Authentication {
        object: object("Policy", "default"),
        family: Family::Policy,
        scope: Scope::Mesh,
        demand: Some(Demand::of(mode)),
        by_port: BTreeMap::new(),
        origins: None,
    };
    with(vec![policy])
}

fn with(policies: Vec<Authentication>) -> World {
    World {
        authentication: policies.into_iter().map(Arc::new).collect(),
        ..bookinfo().world()
    }
}

/// Name, condition and whether there is TLS, of each chain.
fn chains(listener: &Value) -> Vec<(&str, Value, bool)> {
    let chains = listener["filter_chains"].as_array().unwrap();
    let each = chains.iter().map(|chain| {
        let name = chain["name"].as_str().unwrap();
        let condition = chain["filter_chain_match"].clone();
        (name, condition, chain.get("transport_socket").is_some())
    });
    each.collect()
}

/// Of a chain of the mesh's own TLS.
fn context(listener: &Value, at: usize) -> &Value {
    &listener["filter_chains"][at]["transport_socket"]["typed_config"]
}

fn filters(listener: &Value) -> Vec<&str> {
    let filters = listener["listener_filters"].as_array();
    let names = filters.into_iter().flatten();
    names.map(|f| f["name"].as_str().unwrap()).collect()
}

#[test]
fn without_a_policy_nothing_changes() {
    let open = render(&bookinfo().world(), &web());
    let disabled = render(&demanding(Mode::Disable), &web());
    assert_eq!(open.resources, disabled.resources);
    let text = serde_json::to_string(open.get(Kind::Listener, "virtualInbound")).unwrap();
    assert!(!text.contains("transport_socket") && !text.contains("tls_inspector"));
}

#[test]
fn strict_is_one_chain_with_tls_and_without_a_condition() {
    let rendered = render(&demanding(Mode::Strict), &web());
    for name in ["172.17.0.9_8080", "172.17.0.9_6379"] {
        let listener = rendered.get(Kind::Listener, name);
        assert_eq!(chains(listener), [(name, Value::Null, true)]);
        assert_eq!(filters(listener), Vec::<&str>::new());
        assert_eq!(context(listener, 0)["require_client_certificate"], true);
    }
    let inbound = rendered.get(Kind::Listener, "virtualInbound");
    let to = |port: u16| json!({ "destination_port": port });
    assert_eq!(
        chains(inbound),
        [
            ("virtualInbound-blackhole", to(15006), false),
            ("0.0.0.0_6379", to(6379), true),
            ("0.0.0.0_8080", to(8080), true),
            ("virtualInbound", Value::Null, false),
        ]
    );
    assert_eq!(filters(inbound), ["envoy.filters.listener.original_dst"]);
}

#[test]
fn permissive_takes_both_on_an_http_port() {
    let rendered = render(&demanding(Mode::Permissive), &web());
    let listener = rendered.get(Kind::Listener, "172.17.0.9_8080");
    assert_eq!(
        chains(listener),
        [
            (
                "172.17.0.9_8080",
                json!({ "transport_protocol": "tls" }),
                true
            ),
            (
                "172.17.0.9_8080-plain",
                json!({ "transport_protocol": "raw_buffer" }),
                false
            ),
        ]
    );
    assert_eq!(filters(listener), ["envoy.filters.listener.tls_inspector"]);
    assert_eq!(listener["listener_filters_timeout"], "0s");
    assert!(
        listener["listener_filters"][0]
            .get("filter_disabled")
            .is_none()
    );
}

#[test]
fn permissive_leaves_the_applications_own_tls_alone_on_a_tcp_port() {
    let rendered = render(&demanding(Mode::Permissive), &web());
    let listener = rendered.get(Kind::Listener, "172.17.0.9_6379");
    let found = chains(listener);
    let offered = found[0].1["application_protocols"].as_array().unwrap();
    assert!(offered.contains(&json!("istio")) && found[0].2);
    assert_eq!(
        found[1..],
        [
            (
                "172.17.0.9_6379-application",
                json!({ "transport_protocol": "tls" }),
                false
            ),
            (
                "172.17.0.9_6379-plain",
                json!({ "transport_protocol": "raw_buffer" }),
                false
            ),
        ]
    );
    // The server may speak first.
    assert_eq!(listener["listener_filters_timeout"], "1s");
    assert_eq!(listener["continue_on_listener_filters_timeout"], true);
}

#[test]
fn only_permissive_ports_are_inspected_behind_interception() {
    let selected = Authentication {
        object: object("PeerAuthentication", "web"),
        family: Family::PeerAuthentication,
        scope: Scope::Workloads {
            labels: version("v1"),
            everywhere: false,
        },
        demand: Some(Demand::default()),
        by_port: [(8080, Demand::of(Mode::Permissive))].into(),
        origins: None,
    };
    let rendered = render(&with(vec![selected]), &web());
    let inbound = rendered.get(Kind::Listener, "virtualInbound");
    assert_eq!(
        inbound["listener_filters"][1]["filter_disabled"],
        json!({ "not_match": { "destination_port_range": { "start": 8080, "end": 8081 } } })
    );
    assert_eq!(inbound["listener_filters_timeout"], "0s");
    let names: Vec<&str> = chains(inbound).iter().map(|chain| chain.0).collect();
    assert_eq!(
        names,
        [
            "virtualInbound-blackhole",
            "0.0.0.0_6379",
            "0.0.0.0_8080",
            "0.0.0.0_8080-plain",
            "virtualInbound"
        ]
    );
    let both = render(&demanding(Mode::Permissive), &web());
    let inbound = both.get(Kind::Listener, "virtualInbound");
    let disabled = &inbound["listener_filters"][1]["filter_disabled"];
    let rules = disabled["not_match"]["or_match"]["rules"].as_array();
    assert_eq!(rules.map(Vec::len), Some(2));
}

#[test]
fn a_later_policy_closes_ports_that_no_service_declares() {
    let strict = Authentication {
        object: object("PeerAuthentication", "default"),
        family: Family::PeerAuthentication,
        scope: Scope::Namespace,
        demand: Some(Demand::STRICT),
        by_port: BTreeMap::new(),
        origins: None,
    };
    let rendered = render(&with(vec![strict]), &web());
    let inbound = rendered.get(Kind::Listener, "virtualInbound");
    let last = chains(inbound).pop().unwrap();
    assert_eq!(last, ("virtualInbound", Value::Null, true));
}

#[test]
fn anonymous_clients_are_taken_where_the_policy_says_so() {
    let policy = Authentication {
        object: object("Policy", "web"),
        family: Family::Policy,
        scope: Scope::Services(vec![Target {
            host: host("web"),
            ports: vec![PortSelector::Number(80)],
        }]),
        demand: Some(Demand {
            anonymous: true,
            ..Demand::STRICT
        }),
        by_port: BTreeMap::new(),
        origins: None,
    };
    let rendered = render(&with(vec![policy]), &web());
    let listener = rendered.get(Kind::Listener, "172.17.0.9_8080");
    assert_eq!(context(listener, 0)["require_client_certificate"], false);
    let other = rendered.get(Kind::Listener, "172.17.0.9_6379");
    assert_eq!(
        chains(other),
        [("172.17.0.9_6379", Value::Null, false)],
        "the policy names another port"
    );
}

#[test]
fn a_bound_listener_has_the_same_chains() {
    let proxy = explicit(web(), "127.0.2.9");
    let rendered = render(&demanding(Mode::Permissive), &proxy);
    let listener = rendered.get(Kind::Listener, "172.17.0.9_8080");
    assert_eq!(chains(listener).len(), 2);
    assert!(listener.get("bind_to_port").is_none());
}

#[test]
fn gateways_get_no_tls_from_a_policy() {
    let draft = bookinfo().gateway("ingress", &[(80, "http", &["*"])]);
    let open = draft.world();
    let strict = World {
        authentication: demanding(Mode::Strict).authentication,
        ..open.clone()
    };
    let proxy = ingress(&[(80, 80, "http")]);
    assert_eq!(
        render(&open, &proxy).resources,
        render(&strict, &proxy).resources
    );
}

#[test]
fn every_proxy_may_ask_for_its_identity_and_for_nothing_else() {
    for proxy in [web(), ingress(&[(80, 80, "http")])] {
        let rendered = render(&bookinfo().world(), &proxy);
        assert_eq!(rendered.names(Kind::Secret), ["ROOTCA", "default"]);
    }
}

#[test]
fn a_proxy_may_have_its_certificates_elsewhere() {
    let mut proxy = web();
    let file = |path| FilePath::parse(path).unwrap();
    proxy.identity.server.pair.key = file("/server/key.pem");
    proxy.identity.server.root = file("/server/root.pem");
    proxy.identity.client.root = file("/client/root.pem");
    let rendered = render(&demanding(Mode::Strict), &proxy);
    let pair = "file-cert:/etc/certs/cert-chain.pem~/server/key.pem";
    let root = "file-root:/server/root.pem";
    assert_eq!(
        rendered.names(Kind::Secret),
        ["ROOTCA", "default", pair, root]
    );
    let trusted = &rendered.get(Kind::Secret, "ROOTCA")["validation_context"]["trusted_ca"];
    assert_eq!(trusted["filename"], "/client/root.pem");
    let listener = rendered.get(Kind::Listener, "172.17.0.9_8080");
    let common = &context(listener, 0)["common_tls_context"];
    assert_eq!(
        common["tls_certificate_sds_secret_configs"][0]["name"],
        pair
    );
    let combined = &common["combined_validation_context"];
    assert_eq!(
        combined["validation_context_sds_secret_config"]["name"],
        root
    );
}
