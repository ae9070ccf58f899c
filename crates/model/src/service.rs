//! Services: a host name and its ports.

use std::sync::Arc;

use crate::{Cidr, ExportTo, Hostname, Labels, Locality, Protocol};

/// A host that the mesh serves, merged from all workloads and service entries that claim its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub host: Hostname,
    pub namespace: Arc<str>,
    /// Sorted by number, each number once.
    pub ports: Vec<Port>,
    /// Other names under which callers know it.
    pub aliases: Vec<Hostname>,
    /// Virtual addresses at which callers connect to it; no endpoint has them. Sorted, each once.
    pub addresses: Vec<Cidr>,
    pub resolution: Resolution,
    pub location: Placement,
    /// Endpoints that are no IP address and so have no place in the World's: names that proxies
    /// resolve, and socket files. If there are any, they are all that the service has.
    pub named: Vec<NamedEndpoint>,
    /// Who the workloads prove to be, for TLS that a destination rule begins. Sorted, each once.
    pub subject_alt_names: Vec<String>,
    /// Those of them that an object names, which hold for TLS of every kind, not only between
    /// workloads of the mesh. Sorted, each once.
    pub named_subjects: Vec<Arc<str>>,
    pub export_to: ExportTo,
}

/// How a proxy comes from a service to an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// It is told the endpoints.
    #[default]
    Static,
    /// It goes where the connection was going.
    Passthrough,
    /// It resolves names and uses all addresses.
    Dns,
    /// It resolves a name and uses one address at a time.
    DnsRoundRobin,
    /// It resolves the name that each request, or each TLS connection, asks for.
    Dynamic,
}

/// Whether the workloads of a service are part of the mesh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placement {
    #[default]
    Mesh,
    External,
}

/// An endpoint of one port that has no IP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedEndpoint {
    /// The port that callers use.
    pub port: u16,
    pub target: NamedTarget,
    pub labels: Labels,
    pub locality: Locality,
    /// At least 1.
    pub weight: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedTarget {
    /// A host name, or an address among host names, and a port.
    Name(Arc<str>, u16),
    /// The absolute path of a socket on the proxy's machine.
    Pipe(Arc<str>),
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
    /// A service without ports, with nothing special about it.
    pub fn new(host: Hostname, namespace: Arc<str>) -> Service {
        Service {
            host,
            namespace,
            ports: Vec::new(),
            aliases: Vec::new(),
            addresses: Vec::new(),
            resolution: Resolution::default(),
            location: Placement::default(),
            named: Vec::new(),
            subject_alt_names: Vec::new(),
            named_subjects: Vec::new(),
            export_to: ExportTo::default(),
        }
    }

    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }
}
