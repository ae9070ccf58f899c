//! Inbound: from other workloads to the application beside the proxy.

use std::net::{IpAddr, SocketAddr};

use model::authentication::Demand;
use model::{Hostname, Protocol};

use super::{listener, secured, to_port};
use crate::filter::{self, Handling, HttpKey, Routes, Side, TcpKey};
use crate::tls::Identity;
use crate::{message, names, pb, route};

/// All that the handling of one port of a workload depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PortKey<'a> {
    /// The port on which connections arrive.
    pub(crate) target: u16,
    /// The port that callers use, for the names of operations.
    pub(crate) service_port: u16,
    /// The service, if the workload belongs to one.
    pub(crate) host: Option<&'a Hostname>,
    pub(crate) protocol: Protocol,
    pub(crate) demand: Demand,
    /// Who the workload's proxy is.
    pub(crate) identity: Identity<'a>,
    pub(crate) handling: Handling<'a>,
}

/// `<address>_<port>`: takes what arrives at the workload's address; bound, or handed connections
/// by `virtualOutbound` where rules of the older kind send all traffic there.
pub(crate) fn build(key: &PortKey<'_>, address: IpAddr, bind: bool) -> pb::listener::Listener {
    let name = names::listener(address, key.target);
    let address = SocketAddr::new(address, key.target);
    let chains = secured::chains(key, &name, None);
    let direction = pb::core::TrafficDirection::Inbound;
    let mut listener = listener(name, address, direction, chains, key.handling);
    secured::inspect(&mut listener, &[key]);
    if !bind {
        listener.bind_to_port = message::no();
    }
    listener
}

/// The same port as filter chains of `virtualInbound`.
pub(super) fn port_chains(key: &PortKey<'_>) -> Vec<pb::listener::FilterChain> {
    let name = names::listener(IpAddr::from([0, 0, 0, 0]), key.target);
    secured::chains(key, &name, to_port(key.target))
}

pub(super) fn filters(key: &PortKey<'_>, listener: &str) -> Vec<pb::listener::Filter> {
    let cluster = names::inbound_cluster(key.target);
    match key.protocol.is_http() {
        true => vec![filter::http(HttpKey {
            side: Side::Inbound,
            listener,
            routes: Routes::Inline(Box::new(route::inbound(key, cluster))),
            grpc_web: key.protocol == Protocol::GrpcWeb,
            resolving: None,
            handling: key.handling,
        })],
        false => filter::tcp(&TcpKey {
            cluster: &cluster,
            handling: key.handling,
        }),
    }
}
