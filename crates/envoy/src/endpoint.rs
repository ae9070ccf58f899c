//! Endpoints: the addresses behind a cluster, as the asking proxy can reach them.

use std::net::{IpAddr, SocketAddr};

use model::{Endpoint, Health, Labels, Locality};
use pb::endpoint::{ClusterLoadAssignment, LbEndpoint, LocalityLbEndpoints, lb_endpoint};

use crate::{message, pb};

/// All that an assignment depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssignmentKey<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) endpoints: &'a [Endpoint],
    /// The labels of the subset; `None` takes all.
    pub(crate) subset: Option<&'a Labels>,
    /// The machine of the asking proxy.
    pub(crate) agent: Option<IpAddr>,
}

/// Grouped by locality, sorted by address, each address once. Without endpoints it is empty, never
/// absent: Envoy holds back a cluster whose assignment does not come.
pub(crate) fn assignment(key: &AssignmentKey<'_>) -> ClusterLoadAssignment {
    let reachable = reachable(key);
    let groups = reachable.chunk_by(|(_, a), (_, b)| a.locality == b.locality);
    ClusterLoadAssignment {
        cluster_name: key.cluster.to_owned(),
        endpoints: groups.map(group).collect(),
        ..Default::default()
    }
}

/// The assignment of a cluster with one fixed address.
pub(crate) fn fixed(cluster: &str, address: SocketAddr) -> ClusterLoadAssignment {
    ClusterLoadAssignment {
        cluster_name: cluster.to_owned(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: vec![lb_endpoint(address)],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn reachable<'a>(key: &AssignmentKey<'a>) -> Vec<(SocketAddr, &'a Endpoint)> {
    let selected = key
        .endpoints
        .iter()
        .filter(|endpoint| key.subset.is_none_or(|s| s.selects(&endpoint.labels)));
    let mut list: Vec<_> = selected
        .filter_map(|endpoint| Some((endpoint.reach.from_agent(key.agent)?, endpoint)))
        .collect();
    // Both sorts are stable: of two endpoints with one address the first instance stays.
    list.sort_by_key(|(address, _)| *address);
    list.dedup_by_key(|(address, _)| *address);
    list.sort_by(|(_, a), (_, b)| a.locality.cmp(&b.locality));
    list
}

fn group(endpoints: &[(SocketAddr, &Endpoint)]) -> LocalityLbEndpoints {
    // Envoy refuses a locality whose weights do not fit into 32 bits.
    let limit = u32::MAX / u32::try_from(endpoints.len()).unwrap_or(u32::MAX).max(1);
    let weight = |endpoint: &Endpoint| endpoint.weight.clamp(1, limit);
    LocalityLbEndpoints {
        locality: endpoints.first().and_then(|(_, e)| locality(&e.locality)),
        load_balancing_weight: message::number(endpoints.iter().map(|(_, e)| weight(e)).sum()),
        lb_endpoints: endpoints
            .iter()
            .map(|(address, endpoint)| LbEndpoint {
                health_status: health(endpoint.health).into(),
                load_balancing_weight: message::number(weight(endpoint)),
                ..lb_endpoint(*address)
            })
            .collect(),
        ..Default::default()
    }
}

fn lb_endpoint(address: SocketAddr) -> LbEndpoint {
    let endpoint = pb::endpoint::Endpoint {
        address: Some(message::address(address)),
        ..Default::default()
    };
    LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(endpoint)),
        ..Default::default()
    }
}

fn locality(locality: &Locality) -> Option<pb::core::Locality> {
    let known = !locality.region.is_empty() || !locality.zone.is_empty();
    known.then(|| pb::core::Locality {
        region: locality.region.to_string(),
        zone: locality.zone.to_string(),
        ..Default::default()
    })
}

fn health(health: Health) -> pb::core::HealthStatus {
    match health {
        Health::Healthy => pb::core::HealthStatus::Healthy,
        Health::Degraded => pb::core::HealthStatus::Degraded,
        Health::Unhealthy => pb::core::HealthStatus::Unhealthy,
    }
}
