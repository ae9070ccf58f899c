//! Sidecars: what the proxies of workloads see of the mesh, and where they listen.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::{Hostname, Labels, ObjectRef, OutboundPolicy, Protocol};

/// What holds for the proxies that it selects, of its namespace; in the root namespace and without
/// a selector, for all that no other selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    pub object: ObjectRef,
    /// `None` selects the whole namespace.
    pub selector: Option<Labels>,
    /// What proxies see, by listeners; empty hides nothing. Of those with a port each port once, and
    /// at most one without, which stands last.
    pub egress: Vec<Egress>,
    /// Where the workload is reached; empty leaves it to the ports that the registry knows.
    pub ingress: Vec<Ingress>,
    /// In place of the mesh's.
    pub outbound: Option<OutboundPolicy>,
    /// Only with `outbound`, and only where that allows everything.
    pub egress_proxy: Option<EgressProxy>,
}

/// The service that takes what goes to hosts that the mesh does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressProxy {
    pub host: Hostname,
    pub port: u16,
    pub subset: Option<String>,
}

/// Listeners towards services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// `None` stands for the ports of the services, but for those that another listener has.
    pub port: Option<EgressPort>,
    pub binding: Binding,
    /// Never empty.
    pub hosts: Vec<EgressHost>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressPort {
    pub number: u16,
    pub protocol: Protocol,
}

/// Where a listener stands, as far as the configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    pub address: Option<IpAddr>,
    /// Connections come to the listener itself, not by interception.
    pub bound: bool,
}

/// Services that are seen: those of a namespace that a host covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressHost {
    pub namespace: EgressNamespace,
    pub host: Hostname,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EgressNamespace {
    Any,
    /// That of the proxy.
    Own,
    /// `~`: none at all.
    Nowhere,
    Named(Arc<str>),
}

/// A listener in front of the workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingress {
    pub port: u16,
    pub name: Arc<str>,
    pub protocol: Protocol,
    pub binding: Binding,
    pub target: IngressTarget,
}

/// Where the application behind an ingress listener is. Always on the proxy's own machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IngressTarget {
    /// The port of the listener, at the address where the proxy finds its application.
    Port,
    /// A loopback address.
    Loopback(SocketAddr),
    /// A port at the instance's own address.
    Instance(u16),
    /// The absolute path of a socket.
    Pipe(Arc<str>),
}

// === impl EgressHost ===

impl EgressHost {
    /// Whether a proxy of the namespace `own` sees a service.
    pub fn shows(&self, namespace: &str, host: &Hostname, own: &str) -> bool {
        let there = match &self.namespace {
            EgressNamespace::Any => true,
            EgressNamespace::Own => namespace == own,
            EgressNamespace::Nowhere => false,
            EgressNamespace::Named(named) => **named == *namespace,
        };
        there && self.host.covers(host)
    }
}
