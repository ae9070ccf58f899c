//! Services: a host name and its ports.

use std::sync::Arc;

use crate::{Hostname, Protocol};

/// A host that the mesh serves, merged from all workloads that claim its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub host: Hostname,
    pub namespace: Arc<str>,
    /// Sorted by number, each number once.
    pub ports: Vec<Port>,
    /// Other names under which callers know it.
    pub aliases: Vec<Hostname>,
}

/// A port that callers use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub number: u16,
    pub name: Arc<str>,
    pub protocol: Protocol,
}

/// One port of one service: the unit of clusters and endpoints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    pub host: Hostname,
    pub port: u16,
}

// === impl Service ===

impl Service {
    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }
}
