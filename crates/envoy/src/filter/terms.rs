//! What a traffic policy says of connections whose bytes are no requests to us.
//!
//! Limits and addresses are the cluster's business. How long a connection may live, whether its
//! caller sticks to an endpoint and whether it goes through a tunnel is told by the TCP proxy alone.

use std::sync::Arc;
use std::time::Duration;

use model::TrafficPolicy;
use model::traffic_policy::{HashKey, Tunnel};
use pb::tcp_proxy::tcp_proxy::TunnelingConfig;

use crate::{message, pb};

/// Of one connection, whichever of several weighted clusters it goes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Terms {
    /// Other keys of a hash need a request.
    by_source: bool,
    /// Zero is for ever, `None` Envoy's hour.
    idle: Option<Duration>,
    lifetime: Option<Duration>,
    tunnel: Option<Arc<Tunnel>>,
}

// === impl Terms ===

impl Terms {
    pub(crate) fn of(policy: &TrafficPolicy) -> Terms {
        let pool = policy.port.connection_pool.as_deref();
        Terms {
            by_source: policy.hash_key() == Some(&HashKey::SourceIp),
            idle: pool.and_then(|pool| pool.tcp_idle_timeout),
            lifetime: pool.and_then(|pool| pool.max_connection_duration),
            tunnel: policy.tunnel.clone(),
        }
    }

    /// A TCP proxy that keeps to them.
    pub(super) fn with(&self, proxy: pb::tcp_proxy::TcpProxy) -> pb::tcp_proxy::TcpProxy {
        pb::tcp_proxy::TcpProxy {
            idle_timeout: self.idle.map(message::duration),
            max_downstream_connection_duration: self.lifetime.map(message::duration),
            hash_policy: self.by_source.then(source_ip).into_iter().collect(),
            tunneling_config: self.tunnel.as_deref().map(tunneling),
            ..proxy
        }
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
