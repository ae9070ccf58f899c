//! Outbound listeners: one for each port that services use.
//!
//! HTTP needs nothing but the port, since the host header tells the service; TLS tells it by its
//! server name. Raw TCP has only its destination address, so each address of a service has a
//! filter chain of its own: Envoy changes chains in place, and connections of the other chains
//! live on. The chains' names come from the address alone, for a renamed chain is a new one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{chain, listener, to_address};
use crate::filter::{self, Handling, HttpKey, Routes, Side, TcpKey};
use crate::{message, names, pb};

/// Where server-speaks-first protocols share a port with TLS, the proxy must not wait for a client
/// hello for ever.
const INSPECTION_TIMEOUT: Duration = Duration::from_millis(100);

/// All that an outbound listener depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OutboundKey<'a> {
    pub(crate) address: SocketAddr,
    /// Whether it is bound, or handed connections by another listener.
    pub(crate) bind: bool,
    pub(crate) http: Option<HttpPort>,
    pub(crate) tls: Vec<TlsChain>,
    pub(crate) tcp: Vec<TcpChain>,
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
}

/// Connections that ask for a server name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TlsChain {
    pub(crate) name: String,
    /// Empty for every name.
    pub(crate) server_names: Vec<String>,
    /// `None` for every address that has no chain of its own. Envoy looks at the address first and
    /// never comes back, so an address that TCP services have needs chains for TLS as well.
    pub(crate) destination: Option<IpAddr>,
    pub(crate) cluster: String,
}

/// Connections to an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TcpChain {
    /// `None` for every address.
    pub(crate) destination: Option<IpAddr>,
    pub(crate) cluster: String,
}

pub(crate) fn build(key: &OutboundKey<'_>) -> pb::listener::Listener {
    let name = names::listener(key.address.ip(), key.address.port());
    let http = key.http.iter().map(|http| http_chain(key, http, &name));
    let tls = key.tls.iter().map(|tls| tls_chain(key, tls));
    let tcp = key.tcp.iter().map(|tcp| tcp_chain(key, tcp, &name));
    let chains: Vec<_> = http.chain(tls).chain(tcp).collect();
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
    if !key.tls.is_empty() {
        inspect_tls(key, &mut listener);
    }
    listener
}

impl OutboundKey<'_> {
    /// Whether one chain takes whatever no other takes.
    fn matches_all(&self) -> bool {
        let http = self.http.is_some() && self.tls.is_empty();
        http || self.tcp.iter().any(|chain| chain.destination.is_none())
    }
}

fn inspect_tls(key: &OutboundKey<'_>, listener: &mut pb::listener::Listener) {
    let timeout = match key.tcp.is_empty() {
        true => Duration::ZERO,
        false => INSPECTION_TIMEOUT,
    };
    listener.listener_filters = vec![filter::tls_inspector()];
    listener.listener_filters_timeout = Some(message::duration(timeout));
    listener.continue_on_listener_filters_timeout = true;
}

fn http_chain(key: &OutboundKey<'_>, http: &HttpPort, name: &str) -> pb::listener::FilterChain {
    // Beside TLS services, what is TLS but has no known name must not be read as HTTP.
    let plaintext = (!key.tls.is_empty()).then(|| pb::listener::FilterChainMatch {
        transport_protocol: "raw_buffer".to_owned(),
        ..Default::default()
    });
    let filter = filter::http(HttpKey {
        side: Side::Outbound,
        listener: name,
        routes: Routes::Discovered(http.routes.clone()),
        grpc_web: http.grpc_web,
        handling: key.handling,
    });
    chain(name.to_owned(), plaintext, filter)
}

fn tls_chain(key: &OutboundKey<'_>, tls: &TlsChain) -> pb::listener::FilterChain {
    let condition = pb::listener::FilterChainMatch {
        server_names: tls.server_names.clone(),
        transport_protocol: "tls".to_owned(),
        prefix_ranges: tls
            .destination
            .map(message::single_address)
            .into_iter()
            .collect(),
        ..Default::default()
    };
    let filter = tcp(key, &tls.cluster);
    let name = match tls.destination {
        Some(ip) => names::server_name_chain_at(&tls.name, ip),
        None => tls.name.clone(),
    };
    chain(name, Some(condition), filter)
}

fn tcp_chain(key: &OutboundKey<'_>, tcp: &TcpChain, name: &str) -> pb::listener::FilterChain {
    let filter = self::tcp(key, &tcp.cluster);
    match tcp.destination {
        Some(ip) => {
            let name = names::listener(ip, key.address.port());
            chain(name, to_address(ip), filter)
        }
        None => chain(name.to_owned(), None, filter),
    }
}

fn unmatched(key: &OutboundKey<'_>, cluster: &str) -> pb::listener::FilterChain {
    chain(names::PASSTHROUGH_CHAIN.to_owned(), None, tcp(key, cluster))
}

fn tcp(key: &OutboundKey<'_>, cluster: &str) -> pb::listener::Filter {
    filter::tcp(&TcpKey {
        cluster,
        handling: key.handling,
    })
}
