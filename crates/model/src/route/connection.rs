//! Routes of connections: `tls` and `tcp` of a virtual service, which look at no request.

use std::sync::Arc;

use super::{Destination, GatewayRef};
use crate::{Cidr, Hostname, Labels};

/// One rule: conditions, and where connections go then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRoute {
    /// The index in `spec.tls` or `spec.tcp`, for diagnostics.
    pub position: usize,
    /// Any of them must hold; empty holds always, and never is for TLS.
    pub matches: Vec<ConnectionMatch>,
    /// Never empty; the weights' sum is not zero.
    pub to: Vec<ConnectionDestination>,
}

/// Conditions, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionMatch {
    /// The names that a client hello asks for: any of them. Empty for TCP, never for TLS.
    pub server_names: Vec<Hostname>,
    /// The addresses that connections go to: any of them; empty for the service's own.
    pub subnets: Vec<Cidr>,
    /// The listener's port; decided when compiling.
    pub port: Option<u16>,
    /// Labels of the calling proxy; decided when compiling.
    pub source_labels: Labels,
    /// Namespace of the calling proxy; decided when compiling.
    pub source_namespace: Option<Arc<str>>,
    /// Narrows the virtual service's own list; empty does not.
    pub gateways: Vec<GatewayRef>,
}

/// A cluster, and its share of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionDestination {
    pub destination: Destination,
    /// Not zero: destinations without a share are left out.
    pub weight: u32,
}
