//! Outbound listeners: one for each port that services use.
//!
//! HTTP needs nothing but the port, since the host header tells the service; TLS tells it by its
//! server name. Raw TCP has only its destination address, so each address of a service has a
//! filter chain of its own: Envoy changes chains in place, and connections of the other chains
//! live on. The chains' names come from what they match alone, for a renamed chain is a new one.
//! Where HTTP shares a port with raw TCP, the first bytes tell them apart.

use std::net::SocketAddr;
use std::time::Duration;

use model::Cidr;

use super::{filter_chain, listener};
use crate::filter::{self, Forward, Handling, HttpKey, Routes, Side};
use crate::{message, names, pb};

/// Where server-speaks-first protocols share a port with others, the proxy must not wait for the
/// client's first bytes for ever.
const INSPECTION_TIMEOUT: Duration = Duration::from_millis(100);

/// What the inspector of plaintext makes of requests.
const HTTP: &[&str] = &["http/1.0", "http/1.1", "h2c"];

/// All that an outbound listener depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OutboundKey<'a> {
    pub(crate) address: SocketAddr,
    /// Whether it is bound, or handed connections by another listener.
    pub(crate) bind: bool,
    pub(crate) http: Option<HttpPort>,
    pub(crate) chains: Vec<Chain>,
    /// Whether raw TCP services have the port, be there an address of them or not.
    pub(crate) tcp: bool,
    /// The cluster of connections that nothing matches; `None` closes them.
    pub(crate) unmatched: Option<&'a str>,
    pub(crate) handling: Handling<'a>,
}

/// The HTTP services of a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HttpPort {
    /// The name of the routes.
    pub(crate) routes: String,
    pub(crate) grpc_web: bool,
    /// How long names hold that requests ask for, if the proxy resolves any.
    pub(crate) resolving: Option<Duration>,
    /// Addresses that raw TCP services have as well.
    pub(crate) also_at: Vec<Cidr>,
}

/// Connections that are told apart before any request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Chain {
    pub(crate) name: String,
    /// `None` for every address that has no chain of its own. Envoy looks at the address first and
    /// never comes back, so an address that has a chain needs chains for all that can come to it.
    pub(crate) destination: Option<Cidr>,
    pub(crate) hello: Hello,
    pub(crate) to: Forward,
}

/// What a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Hello {
    /// A TLS hello for one of these server names; for whatever name if there are none.
    Tls(Vec<String>),
    Anything,
}

pub(crate) fn build(key: &OutboundKey<'_>) -> pb::listener::Listener {
    let name = names::listener(key.address.ip(), key.address.port());
    let http = key
        .http
        .iter()
        .flat_map(|http| http_chains(key, http, &name));
    let others = key.chains.iter().map(|chain| other(key, chain));
    let chains: Vec<_> = http.chain(others).collect();
    let mut listener = listener(
        name,
        key.address,
        pb::core::TrafficDirection::Outbound,
        chains,
        key.handling,
    );
    if !key.bind {
        listener.bind_to_port = message::no();
    }
    if !key.matches_all() {
        listener.default_filter_chain = key.unmatched.map(|cluster| unmatched(key, cluster));
    }
    inspect(key, &mut listener);
    listener
}

impl OutboundKey<'_> {
    /// Whether one chain takes whatever no other takes.
    fn matches_all(&self) -> bool {
        let takes_all =
            |chain: &Chain| chain.destination.is_none() && chain.hello == Hello::Anything;
        let http = self.http.is_some() && !self.has_tls() && !self.tcp;
        http || self.chains.iter().any(takes_all)
    }

    fn has_tls(&self) -> bool {
        let mut chains = self.chains.iter();
        chains.any(|chain| matches!(chain.hello, Hello::Tls(_)))
    }
}

fn inspect(key: &OutboundKey<'_>, listener: &mut pb::listener::Listener) {
    if key.has_tls() {
        listener.listener_filters.push(filter::tls_inspector());
    }
    if key.http.is_some() && key.tcp {
        listener.listener_filters.push(filter::http_inspector());
    }
    if listener.listener_filters.is_empty() {
        return;
    }
    let timeout = match key.tcp {
        true => INSPECTION_TIMEOUT,
        false => Duration::ZERO,
    };
    listener.listener_filters_timeout = Some(message::duration(timeout));
    listener.continue_on_listener_filters_timeout = true;
}

fn http_chains(
    key: &OutboundKey<'_>,
    http: &HttpPort,
    name: &str,
) -> Vec<pb::listener::FilterChain> {
    // Beside TLS services, what is TLS but has no known name must not be read as HTTP; beside raw
    // TCP, neither must be what is no request.
    let shared = key.has_tls() || key.tcp;
    let protocols = HTTP.iter().filter(|_| key.tcp);
    let plaintext = pb::listener::FilterChainMatch {
        transport_protocol: "raw_buffer".to_owned(),
        application_protocols: protocols.map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    };
    let filter = filter::http(HttpKey {
        side: Side::Outbound,
        listener: name,
        routes: Routes::Discovered(http.routes.clone()),
        grpc_web: http.grpc_web,
        resolving: http.resolving,
        handling: key.handling,
    });
    let main = shared.then(|| plaintext.clone());
    let main = filter_chain(name.to_owned(), main, vec![filter.clone()]);
    let also = http.also_at.iter().map(|subnet| {
        let condition = pb::listener::FilterChainMatch {
            prefix_ranges: vec![message::range(*subnet)],
            ..plaintext.clone()
        };
        let name = names::http_chain_at(*subnet, key.address.port());
        filter_chain(name, Some(condition), vec![filter.clone()])
    });
    std::iter::once(main).chain(also).collect()
}

fn other(key: &OutboundKey<'_>, chain: &Chain) -> pb::listener::FilterChain {
    let (server_names, transport) = match &chain.hello {
        Hello::Tls(names) => (names.clone(), "tls"),
        Hello::Anything => (Vec::new(), ""),
    };
    let ranges = chain.destination.map(message::range);
    let condition = pb::listener::FilterChainMatch {
        server_names,
        transport_protocol: transport.to_owned(),
        prefix_ranges: ranges.into_iter().collect(),
        ..Default::default()
    };
    let condition = Some(condition).filter(|c| *c != pb::listener::FilterChainMatch::default());
    let filters = filter::connection(&chain.to, key.handling);
    filter_chain(chain.name.clone(), condition, filters)
}

fn unmatched(key: &OutboundKey<'_>, cluster: &str) -> pb::listener::FilterChain {
    let to = Forward::to(cluster.to_owned());
    let filters = filter::connection(&to, key.handling);
    filter_chain(names::PASSTHROUGH_CHAIN.to_owned(), None, filters)
}
