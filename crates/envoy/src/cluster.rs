//! Clusters: where requests can go.

mod balance;
mod http;
mod outbound;
mod policy;
mod socket;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use model::{Mesh, OutboundPolicy};
use pb::cluster::cluster::{ClusterDiscoveryType, DiscoveryType, LbPolicy};
use pb::upstream_http::http_protocol_options as options;

use crate::{endpoint, message, names, pb};

pub(crate) use http::http1_said;
pub(crate) use outbound::{Outbound, OutboundKey, Speaks};

const PASSTHROUGH_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// The source of connections that the inbound passthrough makes to its own workload. Today's
/// interception rules let it pass; from any other source they would send it back to the proxy.
const INBOUND_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// All that the cluster of a workload's own port depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct InboundKey {
    /// Where connections arrive.
    pub(crate) port: u16,
    pub(crate) application: Application,
    pub(crate) http2: bool,
    pub(crate) connect_timeout: Duration,
}

/// Where the application of a workload's port is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Application {
    At(SocketAddr),
    /// At the workload's own address, to which interception rules would send connections back to
    /// the proxy but for their source.
    Intercepted(SocketAddr),
    /// The path of a socket.
    Pipe(Arc<str>),
}

/// The workload's own application. A fixed address reaches it whether it listens on all addresses
/// or on this one only, and needs no help from interception rules.
pub(crate) fn inbound(key: &InboundKey) -> pb::cluster::Cluster {
    let name = names::inbound_cluster(key.port);
    let address = match &key.application {
        Application::At(address) | Application::Intercepted(address) => message::address(*address),
        Application::Pipe(path) => message::pipe(path),
    };
    let source = match &key.application {
        Application::Intercepted(address) if address.is_ipv4() => Some(own_source()),
        _ => None,
    };
    pb::cluster::Cluster {
        load_assignment: Some(endpoint::fixed(&name, address)),
        circuit_breakers: Some(policy::limits(None, None)),
        upstream_bind_config: source,
        typed_extension_protocol_options: http::version(key.http2),
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
    cluster.typed_extension_protocol_options = http::extensions(&options);
    cluster
}

/// The port of the workload that a connection was made to, though no service declares it.
pub(crate) fn inbound_passthrough(connect_timeout: Duration) -> pb::cluster::Cluster {
    pb::cluster::Cluster {
        upstream_bind_config: Some(own_source()),
        ..original_destination(names::INBOUND_PASSTHROUGH, connect_timeout)
    }
}

fn own_source() -> pb::core::BindConfig {
    let source = SocketAddr::new(IpAddr::V4(INBOUND_SOURCE), 0);
    pb::core::BindConfig {
        source_address: Some(message::socket_address(source)),
        ..Default::default()
    }
}

/// The cluster of traffic to destinations that the mesh does not know.
pub(crate) fn unknown_destination(mesh: &Mesh) -> Arc<str> {
    match (mesh.outbound, &mesh.egress_proxy) {
        (OutboundPolicy::RegistryOnly, _) => names::BLACK_HOLE.into(),
        (OutboundPolicy::AllowAny, None) => names::PASSTHROUGH.into(),
        (OutboundPolicy::AllowAny, Some(proxy)) => {
            names::outbound_cluster(proxy.port, proxy.subset.as_deref(), &proxy.host).into()
        }
    }
}

fn original_destination(name: &str, connect_timeout: Duration) -> pb::cluster::Cluster {
    pb::cluster::Cluster {
        lb_policy: LbPolicy::ClusterProvided.into(),
        circuit_breakers: Some(policy::limits(None, None)),
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
