//! The two listeners to which interception rules redirect connections.
//!
//! Older rules send everything to 15001, newer ones send what arrives to 15006. Both are served,
//! whichever rules the workload has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::Mesh;

use super::inbound::{PortKey, port_chains};
use super::{filter_chain, listener, secured, to_address, to_port};
use crate::filter::{self, Handling, TcpKey};
use crate::tls::Identity;
use crate::{message, names, pb};

/// Both ports, which no other listener of an intercepting proxy can have.
pub(crate) fn ports(mesh: &Mesh) -> [u16; 2] {
    [mesh.outbound_port, mesh.inbound_port]
}

/// All that `virtualOutbound` depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutboundKey<'a> {
    pub(crate) port: u16,
    /// The cluster of connections that no other listener takes.
    pub(crate) unmatched: &'a str,
    /// The workload's own address.
    pub(crate) own: Option<IpAddr>,
    pub(crate) handling: Handling<'a>,
}

/// Hands connections to the listener of their destination, and takes those that have none.
pub(crate) fn outbound(key: &OutboundKey<'_>) -> pb::listener::Listener {
    let black_hole = || tcp(names::BLACK_HOLE, key.handling);
    // A connection to the port itself would be handed back to it for ever.
    let to_itself = filter_chain(
        names::VIRTUAL_OUTBOUND_BLACK_HOLE.to_owned(),
        to_port(key.port),
        black_hole(),
    );
    // So would one to a port of the workload that no service declares: older rules redirect what
    // the proxy sends to the workload's own address.
    let to_own = key.own.map(|own| {
        let name = names::VIRTUAL_OUTBOUND_OWN.to_owned();
        filter_chain(name, to_address(own), black_hole())
    });
    let to_unknown = filter_chain(
        names::VIRTUAL_OUTBOUND_CATCH_ALL.to_owned(),
        None,
        tcp(key.unmatched, key.handling),
    );
    let chains = [Some(to_itself), to_own, Some(to_unknown)];
    let name = names::VIRTUAL_OUTBOUND.to_owned();
    let direction = pb::core::TrafficDirection::Outbound;
    pb::listener::Listener {
        use_original_dst: message::yes(),
        ..listener(
            name,
            any_address(key.port),
            direction,
            chains.into_iter().flatten(),
            key.handling,
        )
    }
}

/// All that `virtualInbound` depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InboundKey<'a> {
    /// The port of the listener itself.
    pub(crate) own: u16,
    pub(crate) ports: &'a [PortKey<'a>],
    /// What is demanded where no service declares the port; plaintext is refused there by this
    /// alone.
    pub(crate) undeclared: Option<Identity<'a>>,
    pub(crate) handling: Handling<'a>,
}

/// Takes what arrives at the workload, by port.
pub(crate) fn inbound(key: &InboundKey<'_>) -> pb::listener::Listener {
    let (own, handling) = (key.own, key.handling);
    let black_hole = filter_chain(
        names::VIRTUAL_INBOUND_BLACK_HOLE.to_owned(),
        to_port(own),
        tcp(names::BLACK_HOLE, handling),
    );
    let mut undeclared = filter_chain(
        names::VIRTUAL_INBOUND.to_owned(),
        None,
        tcp(names::INBOUND_PASSTHROUGH, handling),
    );
    undeclared.transport_socket = key
        .undeclared
        .map(|identity| secured::mutual(false, &identity));
    let ports = key.ports.iter();
    let declared: Vec<_> = ports.filter(|port| port.target != own).collect();
    let chains: Vec<_> = std::iter::once(black_hole)
        .chain(declared.iter().flat_map(|port| port_chains(port)))
        .chain([undeclared])
        .collect();
    let name = names::VIRTUAL_INBOUND.to_owned();
    let direction = pb::core::TrafficDirection::Inbound;
    let mut listener = pb::listener::Listener {
        listener_filters: vec![filter::original_destination()],
        listener_filters_timeout: Some(message::duration(Duration::ZERO)),
        continue_on_listener_filters_timeout: true,
        ..listener(name, any_address(own), direction, chains, handling)
    };
    secured::inspect(&mut listener, &declared);
    listener
}

fn any_address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
}

fn tcp(cluster: &str, handling: Handling<'_>) -> Vec<pb::listener::Filter> {
    filter::tcp(&TcpKey { cluster, handling })
}
