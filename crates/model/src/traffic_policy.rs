//! Traffic policies: how connections to a destination are made, shared out and given up.
//!
//! Values are valid by construction: numbers are in Envoy's ranges, durations that must not be zero
//! are not, and what excludes something else is a choice.

mod terms;

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use crate::locality::LocalityBalance;
use crate::route::Share;
use crate::tls::ClientTls;

pub use terms::Terms;

/// What a rule or a subset says: for all ports, and for single ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Policies {
    pub all: TrafficPolicy,
    pub by_port: BTreeMap<u16, PortPolicy>,
}

/// What applies to one cluster. Each block is there or not; blocks are never mixed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TrafficPolicy {
    pub port: PortPolicy,
    pub tunnel: Option<Arc<Tunnel>>,
    pub proxy_protocol: Option<ProxyProtocol>,
    pub retry_budget: Option<RetryBudget>,
}

/// The blocks that can be given for a single port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PortPolicy {
    pub load_balancer: Option<Arc<LoadBalancer>>,
    pub connection_pool: Option<Arc<ConnectionPool>>,
    pub outlier_detection: Option<Arc<OutlierDetection>>,
    pub tls: Option<Arc<ClientTls>>,
}

/// Which endpoint gets the next request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LoadBalancer {
    /// `None` is the mesh's default.
    pub algorithm: Option<Algorithm>,
    /// `None` leaves it to the mesh.
    pub locality: Option<LocalityBalance>,
    /// Only with algorithms that know it.
    pub warmup: Option<Warmup>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Algorithm {
    RoundRobin,
    LeastRequest,
    Random,
    /// None: connections go where the caller addressed them.
    Passthrough,
    ConsistentHash {
        key: HashKey,
        table: HashTable,
    },
}

/// What decides about the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HashKey {
    /// A valid header name.
    Header(String),
    Cookie(Cookie),
    SourceIp,
    /// Not empty.
    QueryParameter(String),
}

/// A cookie that makes requests stick. With a lifetime, the proxy sets it where it is missing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cookie {
    /// Not empty.
    pub name: String,
    pub path: String,
    /// Zero lives as long as the browser's session.
    pub lifetime: Option<Duration>,
    pub attributes: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashTable {
    /// At most [`HashTable::MAX_RING`] entries; `None` is Envoy's default.
    Ring { minimum: Option<u64> },
    /// A prime of at most [`HashTable::MAX_MAGLEV`]; `None` is Envoy's default.
    Maglev { size: Option<u64> },
}

/// New endpoints get their full share step by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Warmup {
    /// Not zero.
    pub window: Duration,
    pub minimum: Option<Share>,
    pub aggression: Option<Aggression>,
}

/// How fast the share grows, in thousandths; 1 is linear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Aggression(NonZeroU32);

/// Limits of connections and requests. `None` is no limit, or Envoy's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConnectionPool {
    pub max_connections: Option<NonZeroU32>,
    /// Not zero.
    pub connect_timeout: Option<Duration>,
    pub keepalive: Option<Keepalive>,
    /// Not zero.
    pub max_connection_duration: Option<Duration>,
    /// Of TCP connections, and of HTTP connections that have none of their own.
    pub tcp_idle_timeout: Option<Duration>,
    pub max_pending_requests: Option<NonZeroU32>,
    pub max_requests: Option<NonZeroU32>,
    pub max_requests_per_connection: Option<NonZeroU32>,
    pub max_retries: Option<NonZeroU32>,
    pub http_idle_timeout: Option<Duration>,
    pub upstream: Upstream,
    pub max_concurrent_streams: Option<NonZeroU32>,
    pub http2_keepalive: Option<Http2Keepalive>,
}

/// The version of HTTP towards endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Upstream {
    /// What the port declares, unless the mesh upgrades it.
    #[default]
    Declared,
    /// What the port declares, whatever the mesh says.
    Kept,
    /// HTTP/2 where the port declares plain HTTP.
    Upgrade,
    /// What the caller speaks.
    OfCaller,
}

/// Probes on idle connections; times in whole seconds, above zero. `None` is the system's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Keepalive {
    pub probes: Option<NonZeroU32>,
    pub time: Option<NonZeroU32>,
    pub interval: Option<NonZeroU32>,
}

/// Pings on HTTP/2 connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Http2Keepalive {
    /// At least a millisecond.
    pub interval: Option<Duration>,
    /// At least a millisecond.
    pub timeout: Duration,
}

/// When an endpoint is passed over because of its answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OutlierDetection {
    /// `None` is Envoy's default, 0 does not count them.
    pub consecutive_5xx: Option<u32>,
    /// `None` and 0 do not count them.
    pub consecutive_gateway: Option<u32>,
    /// Whether failures to connect are counted apart from answers.
    pub split_local_origin: bool,
    pub consecutive_local_origin: Option<u32>,
    /// At least a millisecond.
    pub interval: Option<Duration>,
    pub base_ejection_time: Option<Duration>,
    /// Up to 100.
    pub max_ejection_percent: Option<u8>,
    /// Up to 100. Below it, all endpoints are used, ejected or not.
    pub min_health_percent: u8,
}

/// TCP and TLS connections go through a proxy by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tunnel {
    /// `POST` instead of `CONNECT`.
    pub post: bool,
    pub host: String,
    pub port: NonZeroU16,
}

/// The version of the header that tells endpoints who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyProtocol {
    V1,
    V2,
}

/// Retries as a share of the requests that are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryBudget {
    pub share: Share,
    pub minimum: u32,
    pub interval: Option<Duration>,
}

// === impl Policies ===

impl Policies {
    /// What holds on a port. A port's own settings replace all blocks that it could have given: those
    /// that it does not give become defaults.
    pub fn of_port(&self, port: u16) -> TrafficPolicy {
        TrafficPolicy {
            port: self.by_port.get(&port).unwrap_or(&self.all.port).clone(),
            ..self.all.clone()
        }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.by_port.is_empty()
    }

    /// Every policy in it, for those who ask whether any says something.
    pub fn each(&self) -> impl Iterator<Item = &PortPolicy> {
        std::iter::once(&self.all.port).chain(self.by_port.values())
    }
}

// === impl TrafficPolicy ===

impl TrafficPolicy {
    pub fn is_empty(&self) -> bool {
        *self == TrafficPolicy::default()
    }

    /// What a subset makes of it on a port: block by block for all ports, as a whole for this one.
    pub fn refined(mut self, subset: &Policies, port: u16) -> TrafficPolicy {
        let all = &subset.all;
        self.tunnel = all.tunnel.clone().or(self.tunnel);
        self.proxy_protocol = all.proxy_protocol.or(self.proxy_protocol);
        self.retry_budget = all.retry_budget.or(self.retry_budget);
        self.port = match subset.by_port.get(&port) {
            Some(own) => own.clone(),
            None => self.port.refined(&all.port),
        };
        self
    }

    pub fn algorithm(&self) -> Option<&Algorithm> {
        self.port.load_balancer.as_ref()?.algorithm.as_ref()
    }

    pub fn is_passthrough(&self) -> bool {
        self.algorithm() == Some(&Algorithm::Passthrough)
    }

    pub fn hash_key(&self) -> Option<&HashKey> {
        match self.algorithm()? {
            Algorithm::ConsistentHash { key, .. } => Some(key),
            _ => None,
        }
    }

    /// How endpoints are preferred by where they are; `None` if that does not matter. Without
    /// outlier detection nothing would ever fail over.
    pub fn locality(&self) -> Option<LocalityBalance> {
        let asked = self.port.load_balancer.as_ref();
        let asked = asked.and_then(|balancer| balancer.locality.clone());
        let balance = asked.unwrap_or_default();
        let fails_over = self.port.outlier_detection.is_some();
        let counts = match balance {
            LocalityBalance::Off => false,
            LocalityBalance::Distribute(_) => true,
            LocalityBalance::Failover(_) | LocalityBalance::Priority(_) => fails_over,
        };
        (counts && !self.is_passthrough()).then_some(balance)
    }
}

impl PortPolicy {
    pub fn is_empty(&self) -> bool {
        *self == PortPolicy::default()
    }

    pub fn hashes(&self) -> bool {
        let balancer = self.load_balancer.as_ref();
        let algorithm = balancer.and_then(|balancer| balancer.algorithm.as_ref());
        matches!(algorithm, Some(Algorithm::ConsistentHash { .. }))
    }

    fn refined(self, by: &PortPolicy) -> PortPolicy {
        PortPolicy {
            load_balancer: by.load_balancer.clone().or(self.load_balancer),
            connection_pool: by.connection_pool.clone().or(self.connection_pool),
            outlier_detection: by.outlier_detection.clone().or(self.outlier_detection),
            tls: by.tls.clone().or(self.tls),
        }
    }
}

// === impl HashTable ===

impl HashTable {
    pub const MAX_RING: u64 = 8_388_608;
    pub const MAX_MAGLEV: u64 = 5_000_011;

    /// Asked of numbers up to some millions only.
    pub fn is_prime(number: u64) -> bool {
        let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
        number >= 2 && divisors.all(|divisor| !number.is_multiple_of(divisor))
    }
}

// === impl Aggression ===

impl Aggression {
    /// `None` below a thousandth, or beyond what can be counted.
    pub fn new(value: f64) -> Option<Aggression> {
        let thousandths = (value * 1000.0).round();
        let fits = (1.0..=f64::from(u32::MAX)).contains(&thousandths);
        NonZeroU32::new(thousandths as u32)
            .filter(|_| fits)
            .map(Aggression)
    }

    pub fn value(self) -> f64 {
        f64::from(self.0.get()) / 1000.0
    }
}
