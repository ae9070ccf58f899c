//! Clusters of services whose endpoints are not told to proxies: names that they resolve, be it as
//! they are asked for, socket files, and the original destination of connections.
//!
//! Such services come from service entries and are few. Their clusters are made from those that all
//! other services have, so that policies apply to both alike.

use std::time::Duration;

use model::{Labels, Locality, NamedEndpoint, NamedTarget, Resolution, Service};
use pb::cluster::cluster::{ClusterDiscoveryType, CustomClusterType, DiscoveryType, LbPolicy};
use pb::endpoint::{ClusterLoadAssignment, LbEndpoint, LocalityLbEndpoints, lb_endpoint};
use prost::Message;

use crate::built::Built;
use crate::{dynamic, message, pb};

/// The name of Envoy's extension for clusters of names.
const DNS: &str = "envoy.cluster.dns";

/// Whether proxies are told the endpoints of a service.
pub(crate) fn is_told(service: &Service) -> bool {
    service.resolution == Resolution::Static && service.named.is_empty()
}

/// The cluster of one port and subset, from the one that it would be if proxies were told its
/// endpoints.
pub(crate) fn cluster(
    told: Built,
    service: &Service,
    port: u16,
    subset: Option<&Labels>,
    refresh: Duration,
) -> Built {
    let decoded = told.body.as_deref().map(pb::cluster::Cluster::decode);
    let Some(Ok(mut cluster)) = decoded else {
        return told;
    };
    cluster.eds_cluster_config = None;
    match service.resolution {
        Resolution::Passthrough => {
            let kind = ClusterDiscoveryType::Type(DiscoveryType::OriginalDst.into());
            without_choice(&mut cluster, kind);
        }
        Resolution::Dynamic => {
            let kind = dynamic::cluster(&mut cluster, refresh);
            without_choice(&mut cluster, ClusterDiscoveryType::ClusterType(kind));
        }
        resolution => {
            cluster.cluster_discovery_type = Some(kind(resolution, refresh));
            cluster.load_assignment = Some(assignment(&cluster.name, service, port, subset));
        }
    }
    let mut built = Built::cluster(&cluster);
    built.diagnostics.extend(told.diagnostics);
    built
}

/// Envoy takes no choice among endpoints where there are none to choose from.
fn without_choice(cluster: &mut pb::cluster::Cluster, kind: ClusterDiscoveryType) {
    cluster.cluster_discovery_type = Some(kind);
    cluster.lb_policy = LbPolicy::ClusterProvided.into();
    cluster.lb_config = None;
    cluster.load_balancing_policy = None;
    cluster.common_lb_config = None;
}

/// `refresh` is for answers that do not say how long they hold.
fn kind(resolution: Resolution, refresh: Duration) -> ClusterDiscoveryType {
    if resolution == Resolution::Static {
        return ClusterDiscoveryType::Type(DiscoveryType::Static.into());
    }
    // The fields of the cluster itself that say the same are deprecated since Envoy 1.35.
    let config = pb::dns_cluster::DnsCluster {
        dns_refresh_rate: Some(message::duration(refresh)),
        respect_dns_ttl: true,
        dns_lookup_family: pb::dns_family::DnsLookupFamily::V4Preferred.into(),
        all_addresses_in_single_endpoint: resolution == Resolution::DnsRoundRobin,
        ..Default::default()
    };
    ClusterDiscoveryType::ClusterType(CustomClusterType {
        name: DNS.to_owned(),
        typed_config: Some(message::any(&config)),
    })
}

/// Grouped by locality, in order.
fn assignment(
    name: &str,
    service: &Service,
    port: u16,
    subset: Option<&Labels>,
) -> ClusterLoadAssignment {
    let named = service.named.iter().filter(|named| named.port == port);
    let chosen = named.filter(|named| subset.is_none_or(|s| s.selects(&named.labels)));
    let mut chosen: Vec<&NamedEndpoint> = chosen.collect();
    chosen.sort_by(|a, b| (&a.locality, &a.target).cmp(&(&b.locality, &b.target)));
    chosen.dedup_by(|a, b| a.target == b.target);
    if service.resolution == Resolution::DnsRoundRobin {
        // Envoy refuses a second: there is one logical endpoint.
        chosen.truncate(1);
    }
    let groups = chosen.chunk_by(|a, b| a.locality == b.locality);
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: groups.map(group).collect(),
        ..Default::default()
    }
}

fn group(endpoints: &[&NamedEndpoint]) -> LocalityLbEndpoints {
    // Envoy refuses a locality whose weights do not fit into 32 bits.
    let limit = u32::MAX / u32::try_from(endpoints.len()).unwrap_or(u32::MAX).max(1);
    let weight = |endpoint: &NamedEndpoint| endpoint.weight.clamp(1, limit);
    let each = endpoints.iter().map(|endpoint| LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(
            pb::endpoint::Endpoint {
                address: Some(address(&endpoint.target)),
                ..Default::default()
            },
        )),
        load_balancing_weight: message::number(weight(endpoint)),
        ..Default::default()
    });
    LocalityLbEndpoints {
        locality: endpoints
            .first()
            .and_then(|first| locality(&first.locality)),
        lb_endpoints: each.collect(),
        load_balancing_weight: message::number(endpoints.iter().map(|e| weight(e)).sum()),
        ..Default::default()
    }
}

fn locality(locality: &Locality) -> Option<pb::core::Locality> {
    (*locality != Locality::default()).then(|| pb::core::Locality {
        region: locality.region.to_string(),
        zone: locality.zone.to_string(),
        sub_zone: locality.subzone.to_string(),
    })
}

fn address(target: &NamedTarget) -> pb::core::Address {
    use pb::core::address::Address;
    use pb::core::socket_address::PortSpecifier;
    let address = match target {
        NamedTarget::Pipe(path) => return message::pipe(path),
        NamedTarget::Name(name, port) => Address::SocketAddress(pb::core::SocketAddress {
            address: name.to_string(),
            port_specifier: Some(PortSpecifier::PortValue((*port).into())),
            ..Default::default()
        }),
    };
    pb::core::Address {
        address: Some(address),
    }
}
