//! The conversation of one proxy, in both variants of the protocol.

use envoy_types::pb::envoy::config::cluster::v3::{Cluster, cluster};
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as manager;
use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::protobuf::Any;
use prost::Message as _;

use super::*;
use crate::board::Mark;
use crate::sieve::{HEADER, Sieve};

/// A proxy, and what it says.
struct Talk {
    proxy: Proxy,
    names: Names,
    board: Board,
    nonce: u32,
}

impl Talk {
    fn new(mode: Mode) -> Talk {
        let node = request::node("sidecar~x", &[], false).into();
        let identity = Identity {
            index: 7,
            mode,
            node,
            remembers: true,
            records: true,
        };
        Talk {
            proxy: Proxy::new(identity),
            names: Names::default(),
            board: Board::new(),
            nonce: 0,
        }
    }

    fn open(&mut self) -> Vec<String> {
        let requests = self.proxy.open(&self.names);
        told(self.proxy.mode(), &requests)
    }

    /// Sends resources to the proxy; what it answers.
    fn send(&mut self, kind: Kind, resources: &[(&str, Vec<u8>)]) -> Vec<String> {
        self.nonce += 1;
        let (nonce, type_url) = (self.nonce.to_string(), kind.type_url().to_owned());
        let any = |value: &Vec<u8>| Any {
            type_url: type_url.clone(),
            value: value.clone(),
        };
        let body = match self.proxy.mode() {
            Mode::Delta => {
                let resource = |(name, value): &(&str, Vec<u8>)| discovery::Resource {
                    name: (*name).into(),
                    version: format!("v-{name}"),
                    resource: Some(any(value)),
                    ..Default::default()
                };
                let resources = resources.iter().map(resource).collect();
                discovery::DeltaDiscoveryResponse {
                    nonce,
                    resources,
                    type_url: type_url.clone(),
                    ..Default::default()
                }
                .encode_to_vec()
            }
            Mode::Sotw => {
                let resources = resources.iter().map(|(_, value)| any(value)).collect();
                discovery::DiscoveryResponse {
                    nonce,
                    resources,
                    version_info: "w".into(),
                    type_url: type_url.clone(),
                    ..Default::default()
                }
                .encode_to_vec()
            }
        };
        let mut requests = Vec::new();
        let (proxy, names, board) = (&mut self.proxy, &mut self.names, &self.board);
        let framed = request::framed(&body, 0);
        Sieve::default()
            .feed(&framed, |part| {
                requests.extend(proxy.take(part, names, board))
            })
            .unwrap();
        told(self.proxy.mode(), &requests)
    }
}

/// Requests as text: type, nonce, names, what is held.
fn told(mode: Mode, requests: &[Request]) -> Vec<String> {
    let one = |request: &Request| {
        let bytes = [&request.head[HEADER..], &request.tail[..]].concat();
        let (url, nonce, names, held, node) = match mode {
            Mode::Delta => {
                let r = discovery::DeltaDiscoveryRequest::decode(&*bytes).unwrap();
                let held = r.initial_resource_versions.len();
                (
                    r.type_url,
                    r.response_nonce,
                    r.resource_names_subscribe,
                    held,
                    r.node,
                )
            }
            Mode::Sotw => {
                let r = discovery::DiscoveryRequest::decode(&*bytes).unwrap();
                (r.type_url, r.response_nonce, r.resource_names, 0, r.node)
            }
        };
        let kind = Kind::from_type_url(url.as_bytes()).unwrap().short();
        let node = if node.is_some() { " node" } else { "" };
        format!(
            "{kind} nonce={nonce} [{}] held={held}{node}",
            names.join(",")
        )
    };
    requests.iter().map(one).collect()
}

fn eds_cluster(name: &str) -> (&str, Vec<u8>) {
    let kind = cluster::ClusterDiscoveryType::Type(cluster::DiscoveryType::Eds.into());
    (
        name,
        Cluster {
            name: name.into(),
            cluster_discovery_type: Some(kind),
            ..Default::default()
        }
        .encode_to_vec(),
    )
}

fn listener(route: &str) -> Vec<u8> {
    let rds = manager::Rds {
        config_source: None,
        route_config_name: route.into(),
    };
    let route_specifier = Some(manager::http_connection_manager::RouteSpecifier::Rds(rds));
    let value = manager::HttpConnectionManager {
        route_specifier,
        ..Default::default()
    }
    .encode_to_vec();
    let any = Any {
        type_url: "x.HttpConnectionManager".into(),
        value,
    };
    let filters = vec![Filter {
        name: "f".into(),
        config_type: Some(filter::ConfigType::TypedConfig(any)),
    }];
    let filter_chains = vec![FilterChain {
        filters,
        ..Default::default()
    }];
    Listener {
        name: "l".into(),
        filter_chains,
        ..Default::default()
    }
    .encode_to_vec()
}

/// A message whose only field is its name.
fn named(name: &str) -> (&str, Vec<u8>) {
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, 1, name.as_bytes());
    (name, bytes)
}

#[test]
fn a_stream_begins_as_that_of_envoy() {
    let mut talk = Talk::new(Mode::Delta);
    assert_eq!(talk.open(), ["CDS nonce= [] held=0 node"]);
    let clusters = [eds_cluster("a"), eds_cluster("b"), named("static")];
    assert_eq!(
        talk.send(Kind::Cluster, &clusters),
        ["EDS nonce= [a,b] held=0"],
        "no ACK while they warm"
    );
    assert_eq!(
        talk.send(Kind::Endpoint, &[named("a")]),
        ["EDS nonce=2 [] held=0"]
    );
    let warm = [
        "EDS nonce=3 [] held=0",
        "CDS nonce=1 [] held=0",
        "LDS nonce= [] held=0",
    ];
    assert_eq!(talk.send(Kind::Endpoint, &[named("b")]), warm);
    assert_eq!(
        talk.send(Kind::Listener, &[("l", listener("80"))]),
        ["LDS nonce=4 [] held=0", "RDS nonce= [80] held=0"]
    );
    assert_eq!(talk.board.complete.get(), 0);
    assert_eq!(
        talk.send(Kind::Route, &[named("80")]),
        ["RDS nonce=5 [] held=0"]
    );
    assert_eq!(
        (talk.board.complete.get(), talk.board.answered.get()),
        (1, 1)
    );
    assert_eq!(talk.proxy.recorded.len(), 5);
}

#[test]
fn state_of_the_world_repeats_names_in_every_ack() {
    let mut talk = Talk::new(Mode::Sotw);
    talk.open();
    assert_eq!(
        talk.send(Kind::Cluster, &[eds_cluster("a"), eds_cluster("b")]),
        ["EDS nonce= [a,b] held=0"]
    );
    assert_eq!(
        talk.send(Kind::Endpoint, &[named("b")]),
        ["EDS nonce=2 [a,b] held=0"]
    );
    assert_eq!(
        talk.send(Kind::Endpoint, &[named("a")])[0],
        "EDS nonce=3 [a,b] held=0"
    );
    assert_eq!(
        talk.send(Kind::Cluster, &[eds_cluster("a"), eds_cluster("c")]),
        ["EDS nonce=3 [a,b,c] held=0"]
    );
}

#[test]
fn a_reconnect_names_what_is_held() {
    let mut talk = Talk::new(Mode::Delta);
    talk.open();
    talk.send(Kind::Cluster, &[eds_cluster("a")]);
    talk.send(Kind::Endpoint, &[named("a")]);
    talk.send(Kind::Listener, &[("l", listener("80"))]);
    talk.send(Kind::Route, &[named("80")]);
    let again = [
        "CDS nonce= [] held=1 node",
        "EDS nonce= [a] held=1",
        "LDS nonce= [] held=1",
        "RDS nonce= [80] held=1",
    ];
    assert_eq!(talk.open(), again);
    assert_eq!(talk.send(Kind::Cluster, &[]), ["CDS nonce=5 [] held=0"]);
}

#[test]
fn a_change_is_seen_once_by_each_proxy() {
    let mut talk = Talk::new(Mode::Delta);
    talk.open();
    talk.board.mark(Mark {
        change: 9,
        resource: b"a".to_vec(),
        needles: vec![b"a".to_vec()],
    });
    talk.send(Kind::Endpoint, &[named("a")]);
    talk.send(Kind::Endpoint, &[named("a")]);
    let (arrivals, sightings) = talk.board.take();
    assert_eq!(arrivals.len(), 2);
    assert_eq!(
        sightings
            .iter()
            .map(|s| (s.change, s.proxy))
            .collect::<Vec<_>>(),
        [(9, 7)]
    );
}
