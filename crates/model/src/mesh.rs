//! What holds for the whole mesh.

use std::time::Duration;

use crate::Protocol;

/// Settings that change what every proxy gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// The domain of the mesh's host names; short names are completed with it.
    pub domain: String,
    pub outbound: OutboundPolicy,
    pub connect_timeout: Duration,
    /// The file, on the proxy, to which access is logged.
    pub access_log: Option<String>,
    /// For ports whose name declares none.
    pub default_protocol: Protocol,
}

/// What happens to requests for hosts that the mesh does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundPolicy {
    AllowAny,
    RegistryOnly,
}

impl Default for Mesh {
    /// The seed's mesh, on today's Istio defaults where the seed is silent.
    fn default() -> Mesh {
        Mesh {
            domain: "marathon.slave.mesos".into(),
            outbound: OutboundPolicy::AllowAny,
            connect_timeout: Duration::from_secs(10),
            access_log: None,
            default_protocol: Protocol::Http,
        }
    }
}
