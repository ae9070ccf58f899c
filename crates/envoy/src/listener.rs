//! Listeners: where connections come into a proxy.

mod gateway;
pub(crate) mod inbound;
pub(crate) mod outbound;
mod secured;
pub(crate) mod virtual_;

pub(crate) use gateway::{GatewayKey, Served, ServedTo, gateway};

use std::net::{IpAddr, SocketAddr};

use crate::filter::{self, Handling};
use crate::{message, pb};

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

fn filter_chain(
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
