//! The terms of a connection, as the TCP proxy is told them.

use model::traffic_policy::{Terms, Tunnel};
use pb::tcp_proxy::tcp_proxy::TunnelingConfig;

use crate::{message, pb};

/// A TCP proxy that keeps to them.
pub(super) fn with(terms: &Terms, proxy: pb::tcp_proxy::TcpProxy) -> pb::tcp_proxy::TcpProxy {
    pb::tcp_proxy::TcpProxy {
        idle_timeout: terms.idle.map(message::duration),
        max_downstream_connection_duration: terms.lifetime.map(message::duration),
        hash_policy: terms.by_source.then(source_ip).into_iter().collect(),
        tunneling_config: terms.tunnel.as_deref().map(tunneling),
        ..proxy
    }
}

fn source_ip() -> pb::percent::HashPolicy {
    use pb::percent::hash_policy::{PolicySpecifier, SourceIp};
    pb::percent::HashPolicy {
        policy_specifier: Some(PolicySpecifier::SourceIp(SourceIp {})),
    }
}

fn tunneling(tunnel: &Tunnel) -> TunnelingConfig {
    let host = match tunnel.host.contains(':') {
        true => format!("[{}]", tunnel.host),
        false => tunnel.host.clone(),
    };
    TunnelingConfig {
        hostname: format!("{host}:{}", tunnel.port),
        use_post: tunnel.post,
        ..Default::default()
    }
}
