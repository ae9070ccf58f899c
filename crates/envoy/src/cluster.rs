//! Clusters: where requests can go.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::{Hostname, OutboundPolicy};
use pb::cluster::cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig, LbPolicy};
use pb::upstream_http::http_protocol_options as options;

use crate::built::Built;
use crate::{Kind, endpoint, message, names, pb, wire};

/// The extension under which Envoy looks for HTTP options of a cluster.
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const PASSTHROUGH_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// The source of connections that the inbound passthrough makes to its own workload. Today's
/// interception rules let it pass; from any other source they would send it back to the proxy.
const INBOUND_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// Which cluster of a service: all that its name and protocol depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OutboundKey<'a> {
    pub(crate) host: &'a Hostname,
    pub(crate) port: u16,
    pub(crate) subset: Option<&'a str>,
    /// Whether connections must be HTTP/2, as gRPC needs.
    pub(crate) http2: bool,
}

/// The clusters of services. They are alike but for their names, so all else is encoded once.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    http1: Alike,
    http2: Alike,
}

/// What clusters of one protocol have in common, in the order of the fields.
#[derive(Debug, Clone)]
struct Alike {
    kind: Box<[u8]>,
    eds_config: Box<[u8]>,
    rest: Box<[u8]>,
}

/// All that the cluster of a workload's own port depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct InboundKey {
    pub(crate) application: SocketAddr,
    pub(crate) http2: bool,
    pub(crate) connect_timeout: Duration,
}

/// The workload's own application. A fixed address reaches it whether it listens on all addresses
/// or on this one only, and needs no help from interception rules.
pub(crate) fn inbound(key: &InboundKey) -> pb::cluster::Cluster {
    let name = names::inbound_cluster(key.application.port());
    pb::cluster::Cluster {
        load_assignment: Some(endpoint::fixed(&name, key.application)),
        circuit_breakers: Some(no_limits()),
        typed_extension_protocol_options: http_options(key.http2),
        ..base(name, DiscoveryType::Static, key.connect_timeout)
    }
}

/// Nowhere: a cluster without endpoints.
pub(crate) fn black_hole(connect_timeout: Duration) -> pb::cluster::Cluster {
    base(
        names::BLACK_HOLE.to_owned(),
        DiscoveryType::Static,
        connect_timeout,
    )
}

/// Wherever the connection was going.
pub(crate) fn passthrough(connect_timeout: Duration) -> pb::cluster::Cluster {
    let mut cluster = original_destination(names::PASSTHROUGH, connect_timeout);
    let options = pb::upstream_http::HttpProtocolOptions {
        common_http_protocol_options: Some(pb::core::HttpProtocolOptions {
            idle_timeout: Some(message::duration(PASSTHROUGH_IDLE_TIMEOUT)),
            ..Default::default()
        }),
        upstream_protocol_options: Some(
            options::UpstreamProtocolOptions::UseDownstreamProtocolConfig(
                options::UseDownstreamHttpConfig {
                    http_protocol_options: Some(Default::default()),
                    http2_protocol_options: Some(Default::default()),
                    ..Default::default()
                },
            ),
        ),
        ..Default::default()
    };
    cluster
        .typed_extension_protocol_options
        .insert(HTTP_OPTIONS.to_owned(), message::any(&options));
    cluster
}

/// The port of the workload that a connection was made to, though no service declares it.
pub(crate) fn inbound_passthrough(connect_timeout: Duration) -> pb::cluster::Cluster {
    let source = SocketAddr::new(IpAddr::V4(INBOUND_SOURCE), 0);
    pb::cluster::Cluster {
        upstream_bind_config: Some(pb::core::BindConfig {
            source_address: Some(message::socket_address(source)),
            ..Default::default()
        }),
        ..original_destination(names::INBOUND_PASSTHROUGH, connect_timeout)
    }
}

// === impl Outbound ===

impl Outbound {
    pub(crate) fn new(connect_timeout: Duration) -> Outbound {
        Outbound {
            http1: Alike::new(connect_timeout, false),
            http2: Alike::new(connect_timeout, true),
        }
    }

    /// The endpoints of a service, discovered under the cluster's own name.
    pub(crate) fn build(&self, key: &OutboundKey<'_>, buffer: &mut Vec<u8>) -> Built {
        let alike = if key.http2 { &self.http2 } else { &self.http1 };
        let name = names::outbound_cluster(key.port, key.subset, key.host);
        buffer.clear();
        alike.encode(&name, buffer);
        Built::sound(Kind::Cluster, name.into(), buffer)
    }
}

impl Alike {
    fn new(connect_timeout: Duration, http2: bool) -> Alike {
        let kind = Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into()));
        let kind = pb::cluster::Cluster {
            cluster_discovery_type: kind,
            ..Default::default()
        };
        let eds_config = EdsClusterConfig {
            eds_config: Some(message::ads()),
            ..Default::default()
        };
        let rest = pb::cluster::Cluster {
            connect_timeout: Some(message::duration(connect_timeout)),
            lb_policy: LbPolicy::LeastRequest.into(),
            circuit_breakers: Some(no_limits()),
            common_lb_config: Some(Default::default()),
            typed_extension_protocol_options: http_options(http2),
            ..Default::default()
        };
        Alike {
            kind: wire::constant(&kind),
            eds_config: wire::constant(&eds_config),
            rest: wire::constant(&rest),
        }
    }

    fn encode(&self, name: &str, buffer: &mut Vec<u8>) {
        wire::text(buffer, 1, name);
        buffer.extend_from_slice(&self.kind);
        wire::message(buffer, 3, |buffer| {
            buffer.extend_from_slice(&self.eds_config);
            wire::text(buffer, 2, name);
        });
        buffer.extend_from_slice(&self.rest);
    }
}

/// The cluster of traffic to destinations that the mesh does not know.
pub(crate) fn unknown_destination(policy: OutboundPolicy) -> &'static str {
    match policy {
        OutboundPolicy::AllowAny => names::PASSTHROUGH,
        OutboundPolicy::RegistryOnly => names::BLACK_HOLE,
    }
}

fn original_destination(name: &str, connect_timeout: Duration) -> pb::cluster::Cluster {
    pb::cluster::Cluster {
        lb_policy: LbPolicy::ClusterProvided.into(),
        circuit_breakers: Some(no_limits()),
        ..base(name.to_owned(), DiscoveryType::OriginalDst, connect_timeout)
    }
}

fn base(name: String, kind: DiscoveryType, connect_timeout: Duration) -> pb::cluster::Cluster {
    pb::cluster::Cluster {
        name,
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(kind.into())),
        connect_timeout: Some(message::duration(connect_timeout)),
        ..Default::default()
    }
}

/// Envoy's own limits of 1024 are for a proxy at the edge; between services, limits are a policy.
fn no_limits() -> pb::cluster::CircuitBreakers {
    pb::cluster::CircuitBreakers {
        thresholds: vec![pb::cluster::circuit_breakers::Thresholds {
            max_connections: message::number(u32::MAX),
            max_pending_requests: message::number(u32::MAX),
            max_requests: message::number(u32::MAX),
            max_retries: message::number(u32::MAX),
            track_remaining: true,
            ..Default::default()
        }],
        ..Default::default()
    }
}

type Extensions = std::collections::HashMap<String, pb::Any>;

/// Without options Envoy speaks HTTP/1.1 upstream.
fn http_options(http2: bool) -> Extensions {
    if !http2 {
        return Extensions::default();
    }
    let explicit = options::ExplicitHttpConfig {
        protocol_config: Some(
            options::explicit_http_config::ProtocolConfig::Http2ProtocolOptions(Default::default()),
        ),
    };
    let options = pb::upstream_http::HttpProtocolOptions {
        upstream_protocol_options: Some(options::UpstreamProtocolOptions::ExplicitHttpConfig(
            explicit,
        )),
        ..Default::default()
    };
    Extensions::from([(HTTP_OPTIONS.to_owned(), message::any(&options))])
}
