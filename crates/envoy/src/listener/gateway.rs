//! Listeners of gateways: HTTP, TLS told apart by server name, and raw TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::Cidr;
use model::tls::ServerTls;

use super::{filter_chain, listener};
use crate::filter::{self, Forward, Handling, HttpKey, Routes, Side};
use crate::tls::{self, ALPN_HTTP, Identity, ServerKey};
use crate::{message, names, pb};

/// All that a gateway's listener depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayKey<'a> {
    pub(crate) address: SocketAddr,
    /// Never empty; no two match the same.
    pub(crate) chains: Vec<Served>,
    /// Whether connections begin with a TLS hello.
    pub(crate) tls: bool,
    pub(crate) identity: Identity<'a>,
    pub(crate) handling: Handling<'a>,
}

/// Connections that are told apart before any request, and what is done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) name: String,
    /// `None` for every address.
    pub(crate) destination: Option<Cidr>,
    /// Empty for every server name.
    pub(crate) server_names: Vec<String>,
    /// `None` where nothing is decrypted.
    pub(crate) terminate: Option<Arc<ServerTls>>,
    pub(crate) to: ServedTo,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServedTo {
    Requests {
        /// The name of the routes.
        routes: String,
        grpc_web: bool,
        /// How long names hold that requests ask for, if the proxy resolves any.
        resolving: Option<Duration>,
    },
    Connections(Forward),
}

/// A port on which a gateway takes connections from outside.
pub(crate) fn gateway(key: &GatewayKey<'_>) -> pb::listener::Listener {
    let name = names::listener(key.address.ip(), key.address.port());
    let chains: Vec<_> = key.chains.iter().map(|c| chain(key, c, &name)).collect();
    let direction = pb::core::TrafficDirection::Outbound;
    let mut listener = listener(name, key.address, direction, chains, key.handling);
    if key.tls {
        listener.listener_filters = vec![filter::tls_inspector()];
    }
    listener
}

fn chain(key: &GatewayKey<'_>, served: &Served, listener: &str) -> pb::listener::FilterChain {
    let filters = match &served.to {
        ServedTo::Requests {
            routes,
            grpc_web,
            resolving,
        } => vec![filter::http(HttpKey {
            side: Side::Gateway,
            listener,
            routes: Routes::Discovered(routes.clone()),
            grpc_web: *grpc_web,
            resolving: *resolving,
            handling: key.handling,
        })],
        ServedTo::Connections(to) => filter::connection(to, key.handling),
    };
    let ranges = served.destination.map(message::range);
    let condition = pb::listener::FilterChainMatch {
        server_names: served.server_names.clone(),
        prefix_ranges: ranges.into_iter().collect(),
        ..Default::default()
    };
    let condition = Some(condition).filter(|c| *c != pb::listener::FilterChainMatch::default());
    let alpn = match served.to {
        ServedTo::Requests { .. } => ALPN_HTTP,
        ServedTo::Connections(_) => &[],
    };
    let socket = served.terminate.as_ref().map(|tls| {
        tls::server(&ServerKey {
            tls,
            alpn,
            identity: key.identity,
        })
    });
    pb::listener::FilterChain {
        transport_socket: socket,
        ..filter_chain(served.name.clone(), condition, filters)
    }
}
