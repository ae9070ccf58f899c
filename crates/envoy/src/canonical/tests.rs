//! Equal messages have equal bytes, and shapes are those of Envoy.

use std::collections::BTreeSet;

use envoy_types::pb::google::protobuf::value::Kind as ValueKind;
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value};
use prost_reflect::MessageDescriptor;

use super::shape::{ROOTS, Shape};
use super::*;
use crate::{message, pb};

const KEYS: [&str; 5] = ["", "a", "b", "cc", "aa"];

fn value(kind: ValueKind) -> Value {
    Value { kind: Some(kind) }
}

/// Maps in maps in lists.
fn nested(depth: u32) -> Struct {
    let inner = |_: &&str| match depth {
        0 => value(ValueKind::NumberValue(1.0)),
        _ => value(ValueKind::ListValue(ListValue {
            values: vec![value(ValueKind::StructValue(nested(depth - 1)))],
        })),
    };
    let fields = KEYS.iter().map(|key| (key.to_string(), inner(key)));
    Struct {
        fields: fields.collect(),
    }
}

fn metadata() -> Option<pb::core::Metadata> {
    let filters = KEYS.iter().map(|key| (key.to_string(), nested(1)));
    let typed = KEYS.iter().map(|key| (key.to_string(), pb::Any::default()));
    Some(pb::core::Metadata {
        filter_metadata: filters.collect(),
        typed_filter_metadata: typed.collect(),
    })
}

fn anys() -> std::collections::HashMap<String, pb::Any> {
    let any = |key: &str| message::any(&pb::cors::Cors {}).type_url + key;
    let entries = KEYS.iter().map(|key| {
        let any = pb::Any {
            type_url: any(key),
            ..Default::default()
        };
        (key.to_string(), any)
    });
    entries.collect()
}

fn one_encoding<M: Canonical + Default + PartialEq>(build: impl Fn() -> M) {
    let encodings: BTreeSet<Vec<u8>> = (0..200).map(|_| encode(&build())).collect();
    assert_eq!(encodings.len(), 1);
    // Nothing is lost or invented: what is decoded is what was built.
    for encoded in &encodings {
        assert!(M::decode(encoded.as_slice()).unwrap() == build());
    }
}

fn routes() -> pb::route::RouteConfiguration {
    use pb::route::route_action::ClusterSpecifier;
    let weight = pb::route::weighted_cluster::ClusterWeight {
        metadata_match: metadata(),
        typed_per_filter_config: anys(),
        ..Default::default()
    };
    let weighted = pb::route::WeightedCluster {
        clusters: vec![weight.clone(), weight],
        ..Default::default()
    };
    let action = pb::route::RouteAction {
        metadata_match: metadata(),
        cluster_specifier: Some(ClusterSpecifier::WeightedClusters(weighted)),
        ..Default::default()
    };
    let route = pb::route::Route {
        name: "after the maps".into(),
        metadata: metadata(),
        typed_per_filter_config: anys(),
        action: Some(pb::route::route::Action::Route(action)),
        ..Default::default()
    };
    let host = pb::route::VirtualHost {
        routes: vec![route],
        typed_per_filter_config: anys(),
        metadata: metadata(),
        ..Default::default()
    };
    pb::route::RouteConfiguration {
        virtual_hosts: vec![host],
        typed_per_filter_config: anys(),
        metadata: metadata(),
        vhost_header: "x".into(),
        ..Default::default()
    }
}

fn assignment() -> pb::endpoint::ClusterLoadAssignment {
    let endpoint = pb::endpoint::LbEndpoint {
        metadata: metadata(),
        ..Default::default()
    };
    let names = KEYS.iter().map(|key| (key.to_string(), Default::default()));
    pb::endpoint::ClusterLoadAssignment {
        endpoints: vec![pb::endpoint::LocalityLbEndpoints {
            metadata: metadata(),
            lb_endpoints: vec![endpoint],
            ..Default::default()
        }],
        named_endpoints: names.collect(),
        ..Default::default()
    }
}

#[test]
fn clusters_have_one_encoding() {
    one_encoding(|| pb::cluster::Cluster {
        name: "c".into(),
        metadata: metadata(),
        typed_extension_protocol_options: anys(),
        load_assignment: Some(assignment()),
        transport_socket_matches: vec![pb::cluster::cluster::TransportSocketMatch {
            r#match: Some(nested(2)),
            ..Default::default()
        }],
        ..Default::default()
    });
}

#[test]
fn assignments_have_one_encoding() {
    one_encoding(assignment);
}

#[test]
fn listeners_have_one_encoding() {
    let chain = || pb::listener::FilterChain {
        metadata: metadata(),
        ..Default::default()
    };
    one_encoding(|| pb::listener::Listener {
        metadata: metadata(),
        filter_chains: vec![chain(), chain()],
        default_filter_chain: Some(chain()),
        ..Default::default()
    });
}

#[test]
fn routes_have_one_encoding() {
    one_encoding(routes);
}

#[test]
fn filters_have_one_encoding() {
    use pb::hcm::http_connection_manager::RouteSpecifier;
    one_encoding(|| pb::hcm::HttpConnectionManager {
        route_specifier: Some(RouteSpecifier::RouteConfig(routes())),
        ..Default::default()
    });
    one_encoding(|| pb::tcp_proxy::TcpProxy {
        metadata_match: metadata(),
        ..Default::default()
    });
    one_encoding(|| pb::fault::HttpFault {
        filter_metadata: Some(nested(2)),
        ..Default::default()
    });
}

#[test]
fn entries_are_in_the_order_of_their_keys() {
    let configuration = pb::route::RouteConfiguration {
        typed_per_filter_config: anys(),
        ..Default::default()
    };
    let bytes = encode(&configuration);
    let mut at = 0;
    let mut keys = Vec::new();
    while let Some(field) = next_delimited(&bytes, &mut at) {
        keys.push(String::from_utf8(map_key(&bytes[field.body]).to_vec()).unwrap());
    }
    assert_eq!(keys, ["", "a", "aa", "b", "cc"]);
}

#[test]
fn shapes_are_those_of_the_descriptors() {
    let mut seen = BTreeSet::new();
    for shape in ROOTS {
        compare(shape, &mut seen);
    }
    assert!(seen.len() > ROOTS.len());
}

fn compare(shape: &Shape, seen: &mut BTreeSet<&'static str>) {
    if !seen.insert(shape.message) {
        return;
    }
    let descriptor = descriptor(shape.message);
    for field in shape.fields {
        let described = descriptor.get_field(field.number).unwrap();
        assert_eq!(described.name(), field.name, "{}", shape.message);
        let kind = described.kind();
        let message = kind.as_message().unwrap();
        match field.holds {
            Holds::Message(inner) => {
                assert!(!described.is_map());
                assert_eq!(message.full_name(), inner.message);
                compare(inner, seen);
            }
            Holds::Map(inner) => {
                assert!(described.is_map());
                if let Some(inner) = inner {
                    let value = message.map_entry_value_field().kind();
                    assert_eq!(value.as_message().unwrap().full_name(), inner.message);
                    compare(inner, seen);
                }
            }
        }
    }
    let maps = descriptor.fields().filter(|field| field.is_map());
    for map in maps {
        assert!(
            shape.holds(map.number()).is_some(),
            "{} is not in the shape",
            map.full_name()
        );
    }
}

fn descriptor(message: &str) -> MessageDescriptor {
    crate::render::POOL.get_message_by_name(message).unwrap()
}
