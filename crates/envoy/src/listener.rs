//! Listeners: where connections come into a proxy.

pub(crate) mod inbound;
pub(crate) mod outbound;
mod secured;
pub(crate) mod virtual_;

use std::net::{IpAddr, SocketAddr};

use crate::filter::{self, Handling};
use crate::{message, pb};

/// All that a gateway's listener depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GatewayKey<'a> {
    pub(crate) address: SocketAddr,
    /// The name of the routes.
    pub(crate) routes: String,
    pub(crate) grpc_web: bool,
    pub(crate) handling: Handling<'a>,
}

/// A port on which a gateway takes HTTP from outside.
pub(crate) fn gateway(key: &GatewayKey<'_>) -> pb::listener::Listener {
    use crate::filter::{HttpKey, Routes, Side};
    let name = crate::names::listener(key.address.ip(), key.address.port());
    let filter = crate::filter::http(HttpKey {
        side: Side::Gateway,
        listener: &name,
        routes: Routes::Discovered(key.routes.clone()),
        grpc_web: key.grpc_web,
        handling: key.handling,
    });
    let chain = chain(String::new(), None, filter);
    listener(
        name,
        key.address,
        pb::core::TrafficDirection::Outbound,
        [chain],
        key.handling,
    )
}

fn listener(
    name: String,
    address: SocketAddr,
    direction: pb::core::TrafficDirection,
    chains: impl IntoIterator<Item = pb::listener::FilterChain>,
    handling: Handling<'_>,
) -> pb::listener::Listener {
    pb::listener::Listener {
        name,
        address: Some(message::address(address)),
        filter_chains: chains.into_iter().collect(),
        traffic_direction: direction.into(),
        access_log: filter::access_log::of_listener(handling.reporting),
        ..Default::default()
    }
}

fn chain(
    name: String,
    condition: Option<pb::listener::FilterChainMatch>,
    filter: pb::listener::Filter,
) -> pb::listener::FilterChain {
    chain_of(name, condition, vec![filter])
}

fn chain_of(
    name: String,
    condition: Option<pb::listener::FilterChainMatch>,
    filters: Vec<pb::listener::Filter>,
) -> pb::listener::FilterChain {
    pb::listener::FilterChain {
        name,
        filter_chain_match: condition,
        filters,
        ..Default::default()
    }
}

fn to_port(port: u16) -> Option<pb::listener::FilterChainMatch> {
    Some(pb::listener::FilterChainMatch {
        destination_port: message::number(port.into()),
        ..Default::default()
    })
}

fn to_address(ip: IpAddr) -> Option<pb::listener::FilterChainMatch> {
    Some(pb::listener::FilterChainMatch {
        prefix_ranges: vec![message::single_address(ip)],
        ..Default::default()
    })
}
