//! What the client must find in resources: their names, and the names that they refer to.

use crate::wire::{bytes_of, each_of, varint_of};

/// The types of a sidecar's configuration, in the order in which Envoy asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Cluster,
    Endpoint,
    Listener,
    Route,
}

/// The two variants of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    Delta,
    Sotw,
}

/// One resource of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resource<'a> {
    /// `None` for a type that no proxy of ours asks for.
    pub(crate) kind: Option<Kind>,
    pub(crate) name: &'a [u8],
    /// Only in delta.
    pub(crate) version: &'a [u8],
    /// The message in its `Any`.
    pub(crate) body: &'a [u8],
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Cluster, Kind::Endpoint, Kind::Listener, Kind::Route];

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn type_url(self) -> &'static str {
        match self {
            Kind::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Kind::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Kind::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Kind::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        }
    }

    pub(crate) fn from_type_url(url: &[u8]) -> Option<Kind> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.type_url().as_bytes() == url)
    }

    pub(crate) fn short(self) -> &'static str {
        ["CDS", "EDS", "LDS", "RDS"][self.index()]
    }
}

// === impl Mode ===

impl Mode {
    pub(crate) const ALL: [Mode; 2] = [Mode::Delta, Mode::Sotw];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Delta => "delta",
            Mode::Sotw => "sotw",
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Mode::Delta => {
                "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
            }
            Mode::Sotw => {
                "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
            }
        }
    }
}

// === impl Resource ===

impl<'a> Resource<'a> {
    /// Reads an element of `resources`: a `Resource` (version 1, resource 2, name 3) in delta, an
    /// `Any` (type_url 1, value 2) else, where the name is field 1 of all four messages.
    pub(crate) fn read(mode: Mode, bytes: &'a [u8]) -> Resource<'a> {
        let any = match mode {
            Mode::Delta => bytes_of(bytes, 2).unwrap_or_default(),
            Mode::Sotw => bytes,
        };
        let body = bytes_of(any, 2).unwrap_or_default();
        let (name, version) = match mode {
            Mode::Delta => (bytes_of(bytes, 3), bytes_of(bytes, 1)),
            Mode::Sotw => (bytes_of(body, 1), None),
        };
        let kind = bytes_of(any, 1).and_then(Kind::from_type_url);
        Resource {
            kind,
            name: name.unwrap_or_default(),
            version: version.unwrap_or_default(),
            body,
        }
    }
}

/// The name by which a cluster asks for endpoints: `Cluster` name 1, type 2 (EDS is 3),
/// eds_cluster_config 3 with service_name 2.
pub(crate) fn endpoints_of(cluster: &[u8]) -> Option<&[u8]> {
    const EDS: u64 = 3;
    if varint_of(cluster, 2) != Some(EDS) {
        return None;
    }
    let service = bytes_of(cluster, 3).and_then(|config| bytes_of(config, 2));
    service
        .filter(|name| !name.is_empty())
        .or_else(|| bytes_of(cluster, 1))
}

/// The route configurations that a listener asks for: `Listener` filter_chains 3 and
/// default_filter_chain 25, `FilterChain` filters 3, `Filter` typed_config 4, `Any` value 2,
/// `HttpConnectionManager` rds 3, `Rds` route_config_name 2.
pub(crate) fn routes_of(listener: &[u8]) -> impl Iterator<Item = &[u8]> {
    const MANAGER: &[u8] = b".HttpConnectionManager";
    let chains = each_of(listener, 3).chain(each_of(listener, 25));
    let filters = chains.flat_map(|chain| each_of(chain, 3));
    let configs = filters.filter_map(|filter| bytes_of(filter, 4));
    let managers = configs.filter(|any| bytes_of(any, 1).is_some_and(|url| url.ends_with(MANAGER)));
    managers.filter_map(|any| bytes_of(bytes_of(bytes_of(any, 2)?, 3)?, 2))
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::cluster::v3::{Cluster, cluster};
    use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
    use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as manager;
    use envoy_types::pb::envoy::service::discovery::v3 as discovery;
    use envoy_types::pb::google::protobuf::Any;
    use prost::Message;

    use super::*;

    fn cluster(kind: cluster::DiscoveryType, service_name: &str) -> Vec<u8> {
        let message = Cluster {
            name: "c".into(),
            cluster_discovery_type: Some(cluster::ClusterDiscoveryType::Type(kind.into())),
            eds_cluster_config: Some(cluster::EdsClusterConfig {
                eds_config: None,
                service_name: service_name.into(),
            }),
            ..Default::default()
        };
        message.encode_to_vec()
    }

    fn filter(url: &str, value: Vec<u8>) -> FilterChain {
        let any = Any {
            type_url: url.into(),
            value,
        };
        let config_type = Some(filter::ConfigType::TypedConfig(any));
        FilterChain {
            filters: vec![Filter {
                name: "f".into(),
                config_type,
            }],
            ..Default::default()
        }
    }

    fn routed(name: &str) -> FilterChain {
        let rds = manager::Rds {
            config_source: None,
            route_config_name: name.into(),
        };
        let route_specifier = Some(manager::http_connection_manager::RouteSpecifier::Rds(rds));
        let message = manager::HttpConnectionManager {
            stat_prefix: "s".into(),
            route_specifier,
            ..Default::default()
        };
        filter(
            "type.googleapis.com/envoy.x.v3.HttpConnectionManager",
            message.encode_to_vec(),
        )
    }

    #[test]
    fn only_clusters_of_type_eds_ask_for_endpoints() {
        use cluster::DiscoveryType::{Eds, OriginalDst, Static};
        assert_eq!(endpoints_of(&cluster(Eds, "")), Some(&b"c"[..]));
        assert_eq!(endpoints_of(&cluster(Eds, "other")), Some(&b"other"[..]));
        assert_eq!(
            endpoints_of(&cluster(Static, "other")),
            None,
            "the default, which is not on the wire"
        );
        assert_eq!(endpoints_of(&cluster(OriginalDst, "")), None);
    }

    #[test]
    fn routes_are_found_in_every_chain_of_a_listener() {
        let listener = Listener {
            name: "l".into(),
            filter_chains: vec![routed("9080"), filter("tcp", vec![1, 2]), routed("80")],
            default_filter_chain: Some(routed("last")),
            ..Default::default()
        };
        let bytes = listener.encode_to_vec();
        let names: Vec<_> = routes_of(&bytes).collect();
        assert_eq!(names, [&b"9080"[..], b"80", b"last"]);
    }

    #[test]
    fn both_variants_of_a_resource_are_read() {
        let body = cluster(cluster::DiscoveryType::Eds, "");
        let any = Any {
            type_url: Kind::Cluster.type_url().into(),
            value: body.clone(),
        };
        let delta = discovery::Resource {
            name: "c".into(),
            version: "v".into(),
            resource: Some(any.clone()),
            ..Default::default()
        };
        let expected = Resource {
            kind: Some(Kind::Cluster),
            name: b"c",
            version: b"v",
            body: &body,
        };
        assert_eq!(
            Resource::read(Mode::Delta, &delta.encode_to_vec()),
            expected
        );
        assert_eq!(
            Resource::read(Mode::Sotw, &any.encode_to_vec()),
            Resource {
                version: b"",
                ..expected
            }
        );
    }
}
