//! Proxies: who asks, and what that changes in the answer.

use std::net::IpAddr;
use std::sync::Arc;

use crate::tls::IdentityFiles;
use crate::{Instance, Labels, Spot};

/// A connected Envoy, identified. Equal proxies get equal resources.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// The node id, as Envoy sent it.
    pub id: Arc<str>,
    pub role: Role,
    /// The instance it belongs to; `None` while the registry does not know it.
    pub instance: Option<Arc<Instance>>,
    pub namespace: Arc<str>,
    /// The instance's labels, else those that the node claims.
    pub labels: Labels,
    /// Where it calls from; `None` counts as a place without endpoints.
    pub spot: Option<Spot>,
    /// The domain that it completes short names with.
    pub domain: Arc<str>,
    pub capture: Capture,
    /// Where the application listens that an inbound request is handed to.
    pub application: IpAddr,
    pub identity: ProxyIdentity,
}

/// The files that hold a proxy's certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyIdentity {
    /// Shown to servers, and checked against.
    pub client: IdentityFiles,
    /// Shown to clients.
    pub server: IdentityFiles,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Sidecar,
    /// A gateway.
    Router,
}

/// How connections come into the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capture {
    /// By iptables, to 15001 and 15006; the listeners of ports are not bound.
    Redirect,
    /// By configuration of the application, which calls this address; every listener is bound.
    Explicit { outbound: IpAddr },
}
