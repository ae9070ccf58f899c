//! Endpoints: the addresses behind a cluster, as the asking proxy can reach them.

mod nearness;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use model::authentication::transport::takes_mutual;
use model::{Endpoint, Health, Labels, Locality, LocalityBalance, Spot};
use pb::endpoint::{ClusterLoadAssignment, LbEndpoint, LocalityLbEndpoints, lb_endpoint};

use crate::built::Built;
use crate::registry::Registry;
use crate::{Kind, message, pb, wire};

pub(crate) use nearness::{Located, Standpoint};

/// All that an assignment depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssignmentKey<'a> {
    pub(crate) cluster: &'a Arc<str>,
    pub(crate) endpoints: &'a [Endpoint],
    /// The labels of the subset; `None` takes all.
    pub(crate) subset: Option<&'a Labels>,
    /// Where the asking proxy calls from.
    pub(crate) spot: Option<Spot>,
    /// Knows which endpoints take mutual TLS; `None` where callers do not ask.
    pub(crate) mutual: Option<Mutual<'a>>,
    /// What is preferred, and where the asking proxy is, if both are known.
    pub(crate) near: Option<(&'a LocalityBalance, &'a Standpoint)>,
}

/// Who takes mutual TLS on a port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutual<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) port: u16,
}

/// What the metadata of such endpoints says, in Istio's words.
pub(crate) const TAKES_MUTUAL: (&str, &str) = ("tlsMode", "istio");

/// Under this key Envoy looks for what decides about the transport socket.
const SOCKET_MATCH: &str = "envoy.transport_socket_match";

static MUTUAL: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let says = message::structure([TAKES_MUTUAL]);
    wire::constant(&pb::core::Metadata {
        filter_metadata: [(SOCKET_MATCH.to_owned(), says)].into(),
        ..Default::default()
    })
});

/// Grouped by locality, sorted by address, each address once. Without endpoints it is empty, never
/// absent: Envoy holds back a cluster whose assignment does not come.
///
/// Envoy's rules hold by construction: addresses are IP addresses, weights are above zero, and
/// their sum fits into 32 bits.
pub(crate) fn assignment(key: &AssignmentKey<'_>, buffer: &mut Vec<u8>) -> Built {
    buffer.clear();
    wire::text(buffer, 1, key.cluster);
    let list = reachable(key);
    match key.near {
        Some((balance, from)) => put_by_nearness(list, balance, from, key.mutual, buffer),
        None => {
            for endpoints in groups(&list) {
                let group = Group {
                    endpoints,
                    share: None,
                    priority: 0,
                    mutual: key.mutual,
                };
                wire::message(buffer, 2, |buffer| group.put(buffer));
            }
        }
    }
    Built::sound(Kind::Endpoint, key.cluster.clone(), buffer)
}

/// The assignment of a cluster with one fixed address.
pub(crate) fn fixed(cluster: &str, address: pb::core::Address) -> ClusterLoadAssignment {
    ClusterLoadAssignment {
        cluster_name: cluster.to_owned(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: vec![lb_endpoint(address)],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// An endpoint that Envoy resolves by itself.
pub(crate) fn named(cluster: &str, host: &str, port: u16) -> ClusterLoadAssignment {
    use pb::core::socket_address::PortSpecifier;
    let socket = pb::core::SocketAddress {
        address: host.to_owned(),
        port_specifier: Some(PortSpecifier::PortValue(port.into())),
        ..Default::default()
    };
    let endpoint = pb::endpoint::Endpoint {
        address: Some(pb::core::Address {
            address: Some(pb::core::address::Address::SocketAddress(socket)),
        }),
        ..Default::default()
    };
    let endpoint = pb::endpoint::LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(endpoint)),
        ..Default::default()
    };
    ClusterLoadAssignment {
        cluster_name: cluster.to_owned(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: vec![endpoint],
            ..Default::default()
        }],
        ..Default::default()
    }
}

type Reached<'a> = (SocketAddr, &'a Endpoint);

/// Endpoints of one place and rank.
struct Group<'a> {
    endpoints: &'a [Reached<'a>],
    /// In place of the weights' sum.
    share: Option<u32>,
    priority: u32,
    mutual: Option<Mutual<'a>>,
}

fn groups<'a, 'b>(list: &'b [Reached<'a>]) -> impl Iterator<Item = &'b [Reached<'a>]> {
    list.chunk_by(|(_, a), (_, b)| a.locality == b.locality)
}

/// Priorities have no gaps, for Envoy would take one for a level without endpoints.
fn put_by_nearness(
    list: Vec<Reached<'_>>,
    balance: &LocalityBalance,
    from: &Standpoint,
    mutual: Option<Mutual<'_>>,
    buffer: &mut Vec<u8>,
) {
    let mut weights: BTreeMap<&Locality, u64> = BTreeMap::new();
    for (_, endpoint) in &list {
        *weights.entry(&endpoint.locality).or_default() += u64::from(endpoint.weight.max(1));
    }
    let shares = from.shares(balance, &weights);
    let mut by_rank: BTreeMap<u32, Vec<Reached<'_>>> = BTreeMap::new();
    for reached in list {
        let rank = from.rank(balance, reached.1);
        by_rank.entry(rank).or_default().push(reached);
    }
    for (priority, list) in (0u32..).zip(by_rank.into_values()) {
        for endpoints in groups(&list) {
            let locality = endpoints.first().map(|(_, first)| &first.locality);
            let share = shares
                .as_ref()
                .map(|shares| locality.and_then(|l| shares.get(l)));
            if share == Some(None) {
                continue;
            }
            let share = share.flatten().copied();
            let group = Group {
                endpoints,
                share,
                priority,
                mutual,
            };
            wire::message(buffer, 2, |buffer| group.put(buffer));
        }
    }
}

fn reachable<'a>(key: &AssignmentKey<'a>) -> Vec<(SocketAddr, &'a Endpoint)> {
    let selected = key
        .endpoints
        .iter()
        .filter(|endpoint| key.subset.is_none_or(|s| s.selects(&endpoint.labels)));
    let mut list: Vec<_> = selected
        .filter_map(|endpoint| Some((endpoint.reach.from(key.spot)?, endpoint)))
        .collect();
    // Both sorts are stable: of two endpoints with one address the first instance stays.
    list.sort_by_key(|(address, _)| *address);
    list.dedup_by_key(|(address, _)| *address);
    if list
        .windows(2)
        .any(|pair| pair[0].1.locality != pair[1].1.locality)
    {
        list.sort_by(|(_, a), (_, b)| a.locality.cmp(&b.locality));
    }
    list
}

// === impl Group ===

impl Group<'_> {
    fn put(&self, buffer: &mut Vec<u8>) {
        let endpoints = self.endpoints;
        // Envoy refuses a locality whose weights do not fit into 32 bits.
        let limit = u32::MAX / u32::try_from(endpoints.len()).unwrap_or(u32::MAX).max(1);
        let weight = |endpoint: &Endpoint| endpoint.weight.clamp(1, limit);
        if let Some((_, first)) = endpoints.first() {
            put_locality(&first.locality, buffer);
        }
        for (address, endpoint) in endpoints {
            wire::message(buffer, 2, |buffer| {
                put_address(*address, endpoint.reach.after(*address), buffer);
                wire::number(buffer, 2, health(endpoint.health));
                if self.mutual.is_some_and(|mutual| mutual.takes(endpoint)) {
                    wire::message(buffer, 3, |buffer| buffer.extend_from_slice(&MUTUAL));
                }
                wire::wrapped(buffer, 4, weight(endpoint));
            });
        }
        let sum = endpoints.iter().map(|(_, e)| weight(e)).sum();
        wire::wrapped(buffer, 3, self.share.unwrap_or(sum));
        wire::number(buffer, 5, self.priority);
    }
}

// === impl Mutual ===

impl Mutual<'_> {
    fn takes(self, endpoint: &Endpoint) -> bool {
        let (world, policies) = (&self.registry.world, self.registry.policies());
        takes_mutual(world, policies, endpoint, self.port)
    }
}

/// An endpoint with its address, and one to try if nobody answers there.
fn put_address(address: SocketAddr, after: Option<SocketAddr>, buffer: &mut Vec<u8>) {
    wire::message(buffer, 1, |buffer| {
        wire::message(buffer, 1, |buffer| put_socket(address, buffer));
        if let Some(after) = after {
            wire::message(buffer, 4, |buffer| {
                wire::message(buffer, 1, |buffer| put_socket(after, buffer));
            });
        }
    });
}

/// An address, and in it the socket's.
fn put_socket(address: SocketAddr, buffer: &mut Vec<u8>) {
    wire::message(buffer, 1, |buffer| {
        wire::ip(buffer, 2, address.ip());
        // Written even if zero, for it is one of several ways to name a port.
        wire::chosen_number(buffer, 3, address.port().into());
    });
}

fn put_locality(locality: &Locality, buffer: &mut Vec<u8>) {
    if *locality != Locality::default() {
        wire::message(buffer, 1, |buffer| {
            wire::text(buffer, 1, &locality.region);
            wire::text(buffer, 2, &locality.zone);
            wire::text(buffer, 3, &locality.subzone);
        });
    }
}

fn lb_endpoint(address: pb::core::Address) -> LbEndpoint {
    let endpoint = pb::endpoint::Endpoint {
        address: Some(address),
        ..Default::default()
    };
    LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(endpoint)),
        ..Default::default()
    }
}

fn health(health: Health) -> u32 {
    let status = match health {
        Health::Healthy => pb::core::HealthStatus::Healthy,
        Health::Degraded => pb::core::HealthStatus::Degraded,
        Health::Unhealthy => pb::core::HealthStatus::Unhealthy,
    };
    status as u32
}
