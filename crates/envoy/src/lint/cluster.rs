//! Rules for clusters and their endpoints.

use std::net::IpAddr;

use pb::cluster::cluster::{ClusterDiscoveryType, DiscoveryType, LbPolicy};

use crate::finding::Refusal;
use crate::pb;

pub(crate) fn cluster(cluster: &pb::cluster::Cluster) -> Result<(), Refusal> {
    if cluster.name.is_empty() {
        return Err(Refusal::new("name", "it is empty"));
    }
    let timeout = cluster.connect_timeout.unwrap_or_default();
    if timeout.seconds <= 0 && timeout.nanos <= 0 {
        return Err(Refusal::new("connect_timeout", "it is not above zero"));
    }
    let Some(ClusterDiscoveryType::Type(kind)) = cluster.cluster_discovery_type else {
        return Err(Refusal::new("type", "it is missing"));
    };
    match DiscoveryType::try_from(kind) {
        Ok(DiscoveryType::Eds) => discovered(cluster),
        Ok(DiscoveryType::OriginalDst) => original_destination(cluster),
        // Envoy resolves these names.
        Ok(DiscoveryType::StrictDns | DiscoveryType::LogicalDns) => Ok(()),
        _ => cluster.load_assignment.as_ref().map_or(Ok(()), assignment),
    }
}

fn discovered(cluster: &pb::cluster::Cluster) -> Result<(), Refusal> {
    let config = cluster.eds_cluster_config.as_ref();
    match config.is_some_and(|config| config.eds_config.is_some()) {
        true => Ok(()),
        false => Err(Refusal::new("eds_cluster_config", "it is missing")),
    }
}

fn original_destination(cluster: &pb::cluster::Cluster) -> Result<(), Refusal> {
    if cluster.lb_policy != i32::from(LbPolicy::ClusterProvided) {
        let why = "the original destination needs CLUSTER_PROVIDED";
        return Err(Refusal::new("lb_policy", why));
    }
    match cluster.load_assignment {
        None => Ok(()),
        Some(_) => Err(Refusal::new("load_assignment", "it must not be there")),
    }
}

pub(crate) fn assignment(assignment: &pb::endpoint::ClusterLoadAssignment) -> Result<(), Refusal> {
    if assignment.cluster_name.is_empty() {
        return Err(Refusal::new("cluster_name", "it is empty"));
    }
    for group in &assignment.endpoints {
        let mut sum = 0u32;
        for endpoint in &group.lb_endpoints {
            address(endpoint)?;
            let weight = endpoint.load_balancing_weight.map_or(1, |w| w.value);
            let added = (weight > 0).then(|| sum.checked_add(weight)).flatten();
            sum = added.ok_or_else(|| {
                Refusal::new(
                    "load_balancing_weight",
                    "it is 0, or the sum exceeds 32 bits",
                )
            })?;
        }
    }
    Ok(())
}

fn address(endpoint: &pb::endpoint::LbEndpoint) -> Result<(), Refusal> {
    use pb::core::address::Address;
    use pb::endpoint::lb_endpoint::HostIdentifier;
    let Some(HostIdentifier::Endpoint(endpoint)) = &endpoint.host_identifier else {
        return Err(Refusal::new("endpoint", "it is missing"));
    };
    let address = endpoint.address.as_ref().and_then(|a| a.address.as_ref());
    match address {
        Some(Address::SocketAddress(socket)) if socket.address.parse::<IpAddr>().is_ok() => Ok(()),
        _ => Err(Refusal::new("address", "it is not an IP address")),
    }
}
