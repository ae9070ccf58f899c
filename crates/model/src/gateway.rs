//! Gateways: which proxies listen for which hosts.

use std::net::IpAddr;
use std::sync::Arc;

use crate::tls::ServerTls;
use crate::{Hostname, Labels, ObjectRef, Protocol};

/// Listeners for the proxies that a selector selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    pub object: ObjectRef,
    /// Compared with the labels of the proxy's instance; empty selects every gateway proxy.
    pub selector: Labels,
    pub servers: Vec<Server>,
}

/// One listening port of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The index in `spec.servers`, for diagnostics.
    pub position: usize,
    pub port: u16,
    pub name: Arc<str>,
    pub protocol: Protocol,
    pub hosts: Vec<ServerHost>,
    /// The address to listen on; `None` for the proxy's own choice.
    pub bind: Option<IpAddr>,
    pub security: Security,
}

/// What a server does with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// There is none.
    Plaintext,
    /// There is none, and requests are sent to where there is.
    Redirect,
    /// It is left to whoever is behind the gateway.
    Passthrough,
    Terminate(Arc<ServerTls>),
}

/// A host that a server serves, and whose routes may bind to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHost {
    /// Only virtual services of this namespace may bind; `None` lets all.
    pub namespace: Option<Arc<str>>,
    pub host: Hostname,
}
