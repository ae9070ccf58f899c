//! Virtual services: how requests to hosts are routed.

mod connection;

use std::sync::Arc;
use std::time::Duration;

use crate::{ExportTo, HeaderValue, Hostname, Labels, ObjectRef};

mod cors;
mod mirror;

pub use cors::Cors;
pub use mirror::Mirror;

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
    /// The virtual service that the rule was taken from, if another delegates to it.
    pub delegate: Option<ObjectRef>,
    /// The index in `spec.http` of where it was written, for diagnostics.
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
    /// Who gets a copy of each request.
    pub mirrors: Vec<Mirror>,
    pub cors: Option<Cors>,
    pub headers: HeaderOperations,
    pub response_headers: HeaderOperations,
}

/// Conditions, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HttpMatch {
    /// Part of the name of the route.
    pub name: Option<String>,
    /// Under which the route is counted by itself.
    pub stat_prefix: Option<String>,
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
        body: Option<Body>,
    },
}

/// What a direct response says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Text(String),
    Bytes(Vec<u8>),
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
    pub port: Option<PortRef>,
}

/// A port of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortRef {
    Number(u16),
    /// Found among the ports of the service when compiling.
    Name(Arc<str>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirect {
    pub path: Option<PathRedirect>,
    pub authority: Option<String>,
    pub scheme: Option<String>,
    pub port: Option<RedirectPort>,
    /// One of 301, 302, 303, 307, 308.
    pub code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRedirect {
    /// In place of the whole path.
    Whole(String),
    /// In place of the prefix that matched.
    Prefix(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectPort {
    Number(u16),
    /// That of the listener.
    Listener,
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

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retries {
    /// 0 switches retries off.
    pub attempts: u32,
    pub per_try_timeout: Option<Duration>,
    /// Comma list of Envoy's conditions and status codes; `None` applies the mesh's default.
    pub retry_on: Option<String>,
    /// Whether other localities are tried as well.
    pub remote_localities: bool,
    /// Whether endpoints that failed before may be tried again. `None`: they are not.
    pub ignore_previous_hosts: Option<bool>,
    /// The first pause between attempts, not zero; `None` leaves it to Envoy.
    pub backoff: Option<Duration>,
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

/// Changes to headers; names are valid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderOperations {
    /// The host that requests get. Envoy does not take it as a header.
    pub host: Option<String>,
    /// Sorted by name.
    pub set: Vec<(String, HeaderValue)>,
    /// Sorted by name.
    pub add: Vec<(String, HeaderValue)>,
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
        let Self {
            host,
            set,
            add,
            remove,
        } = self;
        host.is_none() && set.is_empty() && add.is_empty() && remove.is_empty()
    }
}

impl VirtualService {
    /// All places that requests can go to, copies included.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination> {
        self.http.iter().flat_map(HttpRoute::destinations)
    }
}

impl HttpRoute {
    /// All places that requests can go to, copies included.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination> {
        let forward = match &self.action {
            Action::Forward(to) => &to[..],
            Action::Redirect(_) | Action::Respond { .. } => &[],
        };
        let mirrors = self.mirrors.iter().map(|mirror| &mirror.destination);
        forward.iter().map(|to| &to.destination).chain(mirrors)
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
