//! Each rule is Envoy's own: what the lint refuses, Envoy refuses too.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use prost::Message;
use serde_json::Value;

use super::*;
use model::Mesh;

use crate::filter::Handling;
use crate::finding::Refusal;
use crate::fixtures::{at, host, ip};
use crate::render::to_json;
use crate::tests::validate::{ask, bootstrap};
use crate::{Kind, filter, message, names, pb};

fn shown<M: Message>(kind: Kind, name: &str, message: &M) -> ((Kind, String), Value) {
    let value = to_json(kind, &message.encode_to_vec()).unwrap();
    ((kind, name.to_owned()), value)
}

#[track_caller]
fn both_refuse(verdict: Result<(), Refusal>, resource: ((Kind, String), Value)) {
    let resources = BTreeMap::from([resource]);
    let (accepted, log) = ask(&bootstrap(&resources));
    assert!(verdict.is_err(), "the lint takes {resources:#?}");
    assert!(!accepted, "Envoy takes {resources:#?}: {log}");
}

fn fixed() -> pb::cluster::Cluster {
    crate::cluster::inbound(&crate::cluster::InboundKey {
        port: 80,
        application: crate::cluster::Application::At(at("127.0.0.1:80")),
        http2: false,
        connect_timeout: Duration::from_secs(1),
    })
}

#[track_caller]
fn refused_cluster(change: impl FnOnce(&mut pb::cluster::Cluster)) {
    let mut broken = fixed();
    assert_eq!(cluster(&broken), Ok(()));
    change(&mut broken);
    both_refuse(cluster(&broken), shown(Kind::Cluster, "c", &broken));
}

fn endpoints(cluster: &mut pb::cluster::Cluster) -> &mut Vec<pb::endpoint::LbEndpoint> {
    let assignment = cluster.load_assignment.as_mut().unwrap();
    &mut assignment.endpoints[0].lb_endpoints
}

#[test]
fn clusters() {
    use pb::cluster::cluster::{ClusterDiscoveryType, DiscoveryType};
    let kind = |kind: DiscoveryType| Some(ClusterDiscoveryType::Type(kind.into()));
    refused_cluster(|c| c.name.clear());
    refused_cluster(|c| c.connect_timeout = Some(message::duration(Duration::ZERO)));
    refused_cluster(|c| c.cluster_discovery_type = kind(DiscoveryType::OriginalDst));
    refused_cluster(|c| {
        c.cluster_discovery_type = kind(DiscoveryType::OriginalDst);
        c.lb_policy = pb::cluster::cluster::LbPolicy::ClusterProvided.into();
    });
    refused_cluster(|c| endpoints(c)[0].load_balancing_weight = message::number(0));
    refused_cluster(|c| {
        use pb::core::address::Address;
        use pb::endpoint::lb_endpoint::HostIdentifier;
        let Some(HostIdentifier::Endpoint(endpoint)) = &mut endpoints(c)[0].host_identifier else {
            panic!("the endpoint is inline");
        };
        let Some(Address::SocketAddress(socket)) = &mut endpoint.address.as_mut().unwrap().address
        else {
            panic!("the address is a socket's");
        };
        socket.address = "agent.example.com".into();
    });
}

/// Envoy checks the sum only when it discovers endpoints, so it is not asked here.
#[test]
fn weights_must_fit_into_32_bits() {
    let mut broken = fixed();
    let twin = endpoints(&mut broken)[0].clone();
    endpoints(&mut broken).push(twin);
    for endpoint in endpoints(&mut broken) {
        endpoint.load_balancing_weight = message::number(u32::MAX);
    }
    assert!(cluster(&broken).is_err());
}

#[test]
fn a_discovered_cluster_needs_a_source() {
    let clusters = crate::cluster::Outbound::new(Duration::from_secs(1));
    let key = crate::cluster::OutboundKey {
        host: &host("db"),
        port: 80,
        subset: None,
        speaks: crate::cluster::Speaks::Http1,
        policy: &model::TrafficPolicy::default(),
        automatic: false,
        accounts: &[],
        rule: None,
    };
    let built = clusters.build(&key, &mut Vec::new());
    let mut broken = pb::cluster::Cluster::decode(built.body.unwrap()).unwrap();
    assert_eq!(cluster(&broken), Ok(()));
    broken.eds_cluster_config = None;
    let (_, value) = shown(Kind::Cluster, "c", &broken);
    assert!(cluster(&broken).is_err());
    // As JSON it stays EDS, for there is nothing to make static.
    let bootstrap = serde_json::json!({ "static_resources": { "clusters": [value] } });
    let (accepted, log) = ask(&bootstrap);
    assert!(!accepted, "{log}");
}

fn tcp_listener(names: &[&[&str]], addresses: &[&[&str]]) -> pb::listener::Listener {
    let chain = |(names, addresses): (&&[&str], &&[&str])| pb::listener::FilterChain {
        filter_chain_match: Some(pb::listener::FilterChainMatch {
            server_names: names.iter().map(|name| name.to_string()).collect(),
            prefix_ranges: addresses
                .iter()
                .map(|a| message::single_address(ip(a)))
                .collect(),
            ..Default::default()
        }),
        filters: filter::tcp(&filter::TcpKey {
            cluster: names::BLACK_HOLE,
            handling: Handling::new(&Mesh::default(), None),
        }),
        ..Default::default()
    };
    pb::listener::Listener {
        name: "l".into(),
        address: Some(message::address(SocketAddr::from(([127, 0, 0, 1], 0)))),
        filter_chains: names.iter().zip(addresses).map(chain).collect(),
        listener_filters: vec![filter::tls_inspector()],
        ..Default::default()
    }
}

#[track_caller]
fn refused_listener(broken: pb::listener::Listener) {
    both_refuse(listener(&broken), shown(Kind::Listener, "l", &broken));
}

#[test]
fn listeners() {
    let good = || tcp_listener(&[&["a", "*.b"], &["c"]], &[&["10.0.0.1"], &["10.0.0.1"]]);
    assert_eq!(listener(&good()), Ok(()));
    refused_listener(tcp_listener(&[&[], &[]], &[&["10.0.0.1"], &["10.0.0.1"]]));
    refused_listener(tcp_listener(
        &[&[], &[]],
        &[&["10.0.0.1", "10.0.0.2"], &["10.0.0.2"]],
    ));
    refused_listener(tcp_listener(&[&["a", "b"], &["B"]], &[&[], &[]]));
    refused_listener(tcp_listener(&[&["a*"]], &[&[]]));
    refused_listener(pb::listener::Listener {
        filter_chains: Vec::new(),
        ..good()
    });
    refused_listener(pb::listener::Listener {
        address: None,
        ..good()
    });
    let mut twice = tcp_listener(&[&[], &[]], &[&[], &[]]);
    for (chain, protocols) in twice
        .filter_chains
        .iter_mut()
        .zip([&["a", "b"][..], &["b"]])
    {
        let condition = chain.filter_chain_match.as_mut().unwrap();
        condition.application_protocols = protocols.iter().map(|p| p.to_string()).collect();
    }
    refused_listener(twice);
    // This Envoy takes, and no chain is ever found.
    let blind = pb::listener::Listener {
        listener_filters: Vec::new(),
        ..good()
    };
    assert!(listener(&blind).is_err());
}

fn answer() -> pb::route::Route {
    pb::route::Route {
        r#match: Some(pb::route::RouteMatch {
            path_specifier: Some(pb::route::route_match::PathSpecifier::Prefix("/".into())),
            ..Default::default()
        }),
        action: Some(pb::route::route::Action::DirectResponse(
            pb::route::DirectResponseAction {
                status: 200,
                ..Default::default()
            },
        )),
        ..Default::default()
    }
}

/// A gateway's listener with these virtual hosts.
fn with_hosts(hosts: Vec<pb::route::VirtualHost>) -> BTreeMap<(Kind, String), Value> {
    let listener = crate::listener::gateway(&crate::listener::GatewayKey {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        chains: vec![crate::listener::Served {
            name: String::new(),
            destination: None,
            server_names: Vec::new(),
            terminate: None,
            to: crate::listener::ServedTo::Requests {
                routes: "80".into(),
                grpc_web: false,
                resolving: None,
            },
        }],
        tls: false,
        identity: crate::tls::Identity {
            pair: "default",
            root: "ROOTCA",
            trust_domains: &[],
            min: model::tls::TlsVersion::V1_2,
        },
        handling: Handling::new(&Mesh::default(), None),
    });
    let routes = pb::route::RouteConfiguration {
        name: "80".into(),
        virtual_hosts: hosts,
        ..Default::default()
    };
    BTreeMap::from([
        shown(Kind::Listener, "l", &listener),
        shown(Kind::Route, "80", &routes),
    ])
}

fn named(domains: &[&str], routes: Vec<pb::route::Route>) -> pb::route::VirtualHost {
    pb::route::VirtualHost {
        name: "h".into(),
        domains: domains.iter().map(|domain| domain.to_string()).collect(),
        routes,
        ..Default::default()
    }
}

#[test]
fn virtual_hosts_that_would_be_refused_are_taken_out() {
    let good = || named(&["a", "*.b"], vec![answer()]);
    for bad in [
        named(&["A"], vec![]),
        named(&[], vec![]),
        named(&["c", "C"], vec![]),
    ] {
        let hosts = vec![good(), bad];
        let (accepted, log) = ask(&bootstrap(&with_hosts(hosts.clone())));
        assert!(!accepted, "{log}");
        let mut routes = pb::route::RouteConfiguration {
            virtual_hosts: hosts,
            ..Default::default()
        };
        assert_eq!(virtual_hosts(&mut routes).len(), 1);
        assert_eq!(routes.virtual_hosts, [good()]);
        let (accepted, log) = ask(&bootstrap(&with_hosts(routes.virtual_hosts)));
        assert!(accepted, "{log}");
    }
}

#[track_caller]
fn refused_route(change: impl FnOnce(&mut pb::route::Route)) {
    let mut broken = answer();
    assert_eq!(route(&broken), Ok(()));
    change(&mut broken);
    let (accepted, log) = ask(&bootstrap(&with_hosts(vec![named(
        &["*"],
        vec![broken.clone()],
    )])));
    assert!(route(&broken).is_err(), "the lint takes {broken:#?}");
    assert!(!accepted, "Envoy takes {broken:#?}: {log}");
}

fn added(name: &str, value: &str) -> Vec<pb::core::HeaderValueOption> {
    vec![pb::core::HeaderValueOption {
        header: Some(pb::core::HeaderValue {
            key: name.into(),
            value: value.into(),
            ..Default::default()
        }),
        ..Default::default()
    }]
}

#[test]
fn routes() {
    use pb::route::route::Action;
    use pb::route::route_match::PathSpecifier;
    let regex = |pattern: &str| Some(PathSpecifier::SafeRegex(message::regex(pattern)));
    for pattern in [
        "",
        "*",
        r"\x{100}",
        "(?=x)",
        "a{1001}",
        "(((a{9}){100}){100}){100}",
    ] {
        refused_route(|r| r.r#match.as_mut().unwrap().path_specifier = regex(pattern));
    }
    refused_route(|r| r.r#match = None);
    refused_route(|r| r.action = None);
    refused_route(|r| r.request_headers_to_add = added(":path", "x"));
    refused_route(|r| r.request_headers_to_add = added("host", "x"));
    refused_route(|r| r.response_headers_to_add = added("x", "a\nb"));
    refused_route(|r| r.request_headers_to_remove = vec!["Host".into()]);
    refused_route(|r| {
        r.action = Some(Action::DirectResponse(pb::route::DirectResponseAction {
            status: 600,
            ..Default::default()
        }));
    });
    refused_route(|r| {
        r.action = Some(Action::Redirect(pb::route::RedirectAction {
            host_redirect: "a\nb".into(),
            ..Default::default()
        }));
    });
}

#[test]
fn weights_need_a_sum() {
    use pb::route::route_action::ClusterSpecifier;
    refused_route(|r| {
        let none = pb::route::weighted_cluster::ClusterWeight {
            name: names::BLACK_HOLE.into(),
            weight: message::number(0),
            ..Default::default()
        };
        let weighted = pb::route::WeightedCluster {
            clusters: vec![none],
            ..Default::default()
        };
        r.action = Some(pb::route::route::Action::Route(pb::route::RouteAction {
            cluster_specifier: Some(ClusterSpecifier::WeightedClusters(weighted)),
            ..Default::default()
        }));
    });
}

/// What the regular-expression check takes, Envoy takes.
#[test]
fn expressions_that_pass_are_re2() {
    use pb::route::route_match::PathSpecifier;
    let with = |pattern: &&str| pb::route::Route {
        r#match: Some(pb::route::RouteMatch {
            path_specifier: Some(PathSpecifier::SafeRegex(message::regex(pattern))),
            ..Default::default()
        }),
        ..answer()
    };
    let routes: Vec<_> = regex::ACCEPTED.iter().map(with).collect();
    for checked in &routes {
        assert_eq!(route(checked), Ok(()));
    }
    let (accepted, log) = ask(&bootstrap(&with_hosts(vec![named(&["*"], routes)])));
    assert!(accepted, "{log}");
}
