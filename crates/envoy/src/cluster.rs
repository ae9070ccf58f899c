//! Clusters: where requests can go.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::{Hostname, OutboundPolicy};
use pb::cluster::cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig, LbPolicy};
use pb::upstream_http::http_protocol_options as options;

use crate::{endpoint, message, names, pb};

/// The extension under which Envoy looks for HTTP options of a cluster.
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const PASSTHROUGH_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// The source of connections that the inbound passthrough makes to its own workload. Today's
/// interception rules let it pass; from any other source they would send it back to the proxy.
const INBOUND_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// All that a cluster of a service depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OutboundKey<'a> {
    pub(crate) host: &'a Hostname,
    pub(crate) port: u16,
    pub(crate) subset: Option<&'a str>,
    /// Whether connections must be HTTP/2, as gRPC needs.
    pub(crate) http2: bool,
    pub(crate) connect_timeout: Duration,
}

/// All that the cluster of a workload's own port depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct InboundKey {
    pub(crate) application: SocketAddr,
    pub(crate) http2: bool,
    pub(crate) connect_timeout: Duration,
}

/// The endpoints of a service, discovered under the cluster's own name.
pub(crate) fn outbound(key: &OutboundKey<'_>) -> pb::cluster::Cluster {
    let name = names::outbound_cluster(key.port, key.subset, key.host);
    pb::cluster::Cluster {
        eds_cluster_config: Some(EdsClusterConfig {
            eds_config: Some(message::ads()),
            service_name: name.clone(),
        }),
        lb_policy: LbPolicy::LeastRequest.into(),
        circuit_breakers: Some(no_limits()),
        common_lb_config: Some(Default::default()),
        typed_extension_protocol_options: http_options(key.http2),
        ..base(name, DiscoveryType::Eds, key.connect_timeout)
    }
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
