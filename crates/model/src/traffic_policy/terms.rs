//! What a traffic policy says of connections whose bytes are no requests to the proxy.
//!
//! Limits and addresses are the cluster's business. How long a connection may live, whether its
//! caller sticks to an endpoint and whether it goes through a tunnel is settled before one of
//! several weighted destinations is drawn.

use std::sync::Arc;
use std::time::Duration;

use super::{HashKey, TrafficPolicy, Tunnel};

/// Of one connection, whichever of several destinations it goes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Terms {
    /// Other keys of a hash need a request.
    pub by_source: bool,
    /// Zero is for ever, `None` Envoy's hour.
    pub idle: Option<Duration>,
    pub lifetime: Option<Duration>,
    pub tunnel: Option<Arc<Tunnel>>,
}

impl Terms {
    pub fn of(policy: &TrafficPolicy) -> Terms {
        let pool = policy.port.connection_pool.as_deref();
        Terms {
            by_source: policy.hash_key() == Some(&HashKey::SourceIp),
            idle: pool.and_then(|pool| pool.tcp_idle_timeout),
            lifetime: pool.and_then(|pool| pool.max_connection_duration),
            tunnel: policy.tunnel.clone(),
        }
    }
}
