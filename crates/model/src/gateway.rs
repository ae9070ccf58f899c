//! Gateways: which proxies listen for which hosts.

use std::sync::Arc;

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
}

/// A host that a server serves, and whose routes may bind to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHost {
    /// Only virtual services of this namespace may bind; `None` lets all.
    pub namespace: Option<Arc<str>>,
    pub host: Hostname,
}
