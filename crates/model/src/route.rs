//! Virtual services: how requests to hosts are routed.

mod connection;

use std::sync::Arc;
use std::time::Duration;

use crate::{ExportTo, Hostname, Labels, ObjectRef};

pub use connection::{ConnectionDestination, ConnectionMatch, ConnectionRoute};

/// The routes of one or more hosts, for the mesh, for gateways, or for both.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualService {
    pub object: ObjectRef,
    pub hosts: Vec<Hostname>,
    /// Where it applies; never empty.
    pub gateways: Vec<GatewayRef>,
    /// Tried in order.
    pub http: Vec<HttpRoute>,
    /// Of connections that ask for a server name. Tried in order.
    pub tls: Vec<ConnectionRoute>,
    /// Of connections of which nothing is known but where they go. Tried in order.
    pub tcp: Vec<ConnectionRoute>,
    pub export_to: ExportTo,
}

/// A place where a virtual service applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GatewayRef {
    /// Every sidecar.
    Mesh,
    Gateway {
        namespace: Arc<str>,
        name: Arc<str>,
    },
}

/// One rule: conditions and what then happens.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRoute {
    /// The index in `spec.http`, for diagnostics.
    pub position: usize,
    pub name: Option<String>,
    /// Any of them must hold; empty holds always.
    pub matches: Vec<HttpMatch>,
    pub action: Action,
    pub rewrite: Option<Rewrite>,
    /// `None` waits for ever, unlike Envoy's own default of 15 s.
    pub timeout: Option<Duration>,
    /// `None` applies the mesh's default.
    pub retries: Option<Retries>,
    pub fault: Fault,
    pub headers: HeaderOperations,
    pub response_headers: HeaderOperations,
}

/// Conditions, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HttpMatch {
    pub uri: Option<StringMatch>,
    pub ignore_uri_case: bool,
    pub scheme: Option<StringMatch>,
    pub method: Option<StringMatch>,
    pub authority: Option<StringMatch>,
    /// Sorted by name.
    pub headers: Vec<(String, StringMatch)>,
    /// Headers that must not match. Sorted by name.
    pub without_headers: Vec<(String, StringMatch)>,
    /// Sorted by name.
    pub query_params: Vec<(String, StringMatch)>,
    /// The listener's port; decided when compiling, not per request.
    pub port: Option<u16>,
    /// Labels of the calling proxy; decided when compiling, not per request.
    pub source_labels: Labels,
    /// Namespace of the calling proxy; decided when compiling, not per request.
    pub source_namespace: Option<Arc<str>>,
    /// Narrows the virtual service's own list; empty does not.
    pub gateways: Vec<GatewayRef>,
}

/// How a string is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StringMatch {
    Exact(String),
    Prefix(String),
    /// RE2 syntax, matched against the whole string.
    Regex(String),
    Present,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Never empty; the weights' sum is not zero.
    Forward(Vec<WeightedDestination>),
    Redirect(Redirect),
    Respond {
        status: u16,
        body: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct WeightedDestination {
    pub destination: Destination,
    pub weight: u32,
    pub headers: HeaderOperations,
    pub response_headers: HeaderOperations,
}

/// A cluster, before the port is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub host: Hostname,
    pub subset: Option<String>,
    /// `None`: the service's only port, else the listener's.
    pub port: Option<u16>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirect {
    pub path: Option<String>,
    pub authority: Option<String>,
    pub scheme: Option<String>,
    pub port: Option<u16>,
    /// One of 301, 302, 303, 307, 308.
    pub code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    pub uri: Option<UriRewrite>,
    pub authority: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UriRewrite {
    /// Replaces what matched.
    Prefix(String),
    Regex {
        pattern: String,
        substitution: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// 0 switches retries off.
    pub attempts: u32,
    pub per_try_timeout: Option<Duration>,
    /// Comma list of Envoy's conditions and status codes; `None` applies the mesh's default.
    pub retry_on: Option<String>,
}

/// Faults to inject before the request is forwarded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fault {
    pub delay: Option<Delay>,
    pub abort: Option<Abort>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delay {
    /// Not zero.
    pub fixed: Duration,
    pub share: Share,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abort {
    pub status: AbortStatus,
    pub share: Share,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortStatus {
    /// 200 to 599.
    Http(u16),
    Grpc(u32),
}

/// A share of requests, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

/// Changes to headers; names are valid, values are literal text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderOperations {
    /// Sorted by name.
    pub set: Vec<(String, String)>,
    /// Sorted by name.
    pub add: Vec<(String, String)>,
    pub remove: Vec<String>,
}

// === impl Share ===

impl Share {
    pub const ALL: Share = Share(1_000_000);

    /// From a percentage; `None` outside of 0 to 100.
    pub fn percent(percent: f64) -> Option<Share> {
        (0.0..=100.0)
            .contains(&percent)
            .then(|| Share((percent * 10_000.0).round() as u32))
    }

    pub fn millionths(self) -> u32 {
        self.0
    }
}

impl HeaderOperations {
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_in_range() {
        assert_eq!(Share::percent(100.0), Some(Share::ALL));
        assert_eq!(Share::percent(0.0001).map(Share::millionths), Some(1));
        assert_eq!(Share::percent(-0.1), None);
        assert_eq!(Share::percent(100.1), None);
        assert_eq!(Share::percent(f64::NAN), None);
    }
}
