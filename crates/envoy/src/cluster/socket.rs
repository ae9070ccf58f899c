//! How connections to endpoints are wrapped: TLS, and the header that tells who calls.

use model::tls::{ClientTls, MeshTls};
use model::traffic_policy::ProxyProtocol;

use super::http;
use super::outbound::{OutboundKey, Speaks};
use crate::{endpoint, message, names, pb, tls};

/// The transport sockets of a service's cluster.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// For all endpoints that have none of their own; `None` for plain connections.
    pub(super) all: Option<pb::core::TransportSocket>,
    /// For endpoints that are known to take mutual TLS, as their metadata tells.
    pub(super) of_mesh: Option<pb::cluster::cluster::TransportSocketMatch>,
}

pub(super) fn outbound(key: &OutboundKey<'_>) -> Sockets {
    let wrapped = |inner| match key.policy.proxy_protocol {
        Some(version) => Some(proxy_protocol(version, inner)),
        None => inner,
    };
    let tls = key.policy.port.tls.as_deref();
    let of_mesh = ClientTls::Mesh(MeshTls::default());
    let of_mesh = key.automatic.then(|| wrapped(secured(key, &of_mesh)));
    Sockets {
        all: wrapped(tls.and_then(|tls| secured(key, tls))),
        of_mesh: of_mesh.map(|socket| pb::cluster::cluster::TransportSocketMatch {
            name: "tlsMode-istio".to_owned(),
            r#match: Some(message::structure([endpoint::TAKES_MUTUAL])),
            transport_socket: socket,
        }),
    }
}

fn secured(key: &OutboundKey<'_>, settings: &ClientTls) -> Option<pb::core::TransportSocket> {
    tls::client(&tls::ClientKey {
        tls: settings,
        http2: key.speaks == Speaks::Http2 || http::upgrades(key.policy, key.speaks),
        server_name: &names::mesh_server_name(key.port, key.subset, key.host),
        accounts: key.accounts,
    })
}

/// The header goes first, in front of TLS.
fn proxy_protocol(
    version: ProxyProtocol,
    inner: Option<pb::core::TransportSocket>,
) -> pb::core::TransportSocket {
    use pb::core::proxy_protocol_config::Version;
    let version = match version {
        ProxyProtocol::V1 => Version::V1,
        ProxyProtocol::V2 => Version::V2,
    };
    let transport = pb::proxy_protocol::ProxyProtocolUpstreamTransport {
        config: Some(pb::core::ProxyProtocolConfig {
            version: version.into(),
            ..Default::default()
        }),
        transport_socket: Some(inner.unwrap_or_else(plain)),
        ..Default::default()
    };
    named(
        "envoy.transport_sockets.upstream_proxy_protocol",
        message::any(&transport),
    )
}

fn plain() -> pb::core::TransportSocket {
    let buffer = pb::raw_buffer::RawBuffer::default();
    named("envoy.transport_sockets.raw_buffer", message::any(&buffer))
}

fn named(name: &str, config: pb::Any) -> pb::core::TransportSocket {
    use pb::core::transport_socket::ConfigType;
    pb::core::TransportSocket {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(config)),
    }
}
