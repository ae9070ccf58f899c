//! Rules for clusters and their endpoints.

use std::net::IpAddr;

use model::traffic_policy::HashTable;
use pb::cluster::cluster::{
    ClusterDiscoveryType, DiscoveryType, LbConfig, LbPolicy, SlowStartConfig,
};
use prost::Message;

use crate::finding::Refusal;
use crate::{dynamic, pb};

pub(crate) fn cluster(cluster: &pb::cluster::Cluster) -> Result<(), Refusal> {
    if cluster.name.is_empty() {
        return Err(Refusal::new("name", "it is empty"));
    }
    super::tls::socket(cluster.transport_socket.as_ref())?;
    outbound(cluster)?;
    let kind = match &cluster.cluster_discovery_type {
        Some(ClusterDiscoveryType::Type(kind)) => *kind,
        Some(ClusterDiscoveryType::ClusterType(kind)) if kind.name == dynamic::CLUSTER => {
            return without_choice(cluster);
        }
        Some(ClusterDiscoveryType::ClusterType(_)) => return resolved(cluster),
        None => return Err(Refusal::new("type", "it is missing")),
    };
    match DiscoveryType::try_from(kind) {
        Ok(DiscoveryType::Eds) => discovered(cluster),
        Ok(DiscoveryType::OriginalDst) => without_choice(cluster),
        // Envoy resolves these names.
        Ok(DiscoveryType::StrictDns | DiscoveryType::LogicalDns) => Ok(()),
        _ => cluster.load_assignment.as_ref().map_or(Ok(()), assignment),
    }
}

/// What holds before a cluster has a name, and can be wrong in a policy.
pub(crate) fn outbound(cluster: &pb::cluster::Cluster) -> Result<(), Refusal> {
    above_zero("connect_timeout", cluster.connect_timeout.as_ref())?;
    if let Some(config) = &cluster.lb_config {
        balancer(cluster.lb_policy, config)?;
    }
    if let Some(outlier) = &cluster.outlier_detection {
        outlier_detection(outlier)?;
    }
    let panic = cluster.common_lb_config.as_ref();
    let panic = panic.and_then(|config| config.healthy_panic_threshold.as_ref());
    percent("common_lb_config.healthy_panic_threshold", panic)?;
    for options in cluster.typed_extension_protocol_options.values() {
        http_options(options)?;
    }
    Ok(())
}

fn balancer(policy: i32, config: &LbConfig) -> Result<(), Refusal> {
    let (needs, slow_start) = match config {
        LbConfig::RingHashLbConfig(ring) => {
            let size = ring.minimum_ring_size.map_or(0, |size| size.value);
            if size > HashTable::MAX_RING {
                return Err(Refusal::new("ring_hash_lb_config", "the ring is too large"));
            }
            (LbPolicy::RingHash, None)
        }
        LbConfig::MaglevLbConfig(maglev) => {
            let size = maglev.table_size.map_or(2, |size| size.value);
            if size > HashTable::MAX_MAGLEV || !HashTable::is_prime(size) {
                let why = "the size of the table is no prime, or too large";
                return Err(Refusal::new("maglev_lb_config", why));
            }
            (LbPolicy::Maglev, None)
        }
        LbConfig::RoundRobinLbConfig(config) => {
            (LbPolicy::RoundRobin, config.slow_start_config.as_ref())
        }
        LbConfig::LeastRequestLbConfig(config) => {
            (LbPolicy::LeastRequest, config.slow_start_config.as_ref())
        }
        LbConfig::OriginalDstLbConfig(_) => (LbPolicy::ClusterProvided, None),
    };
    if policy != i32::from(needs) {
        return Err(Refusal::new("lb_config", "it is that of another policy"));
    }
    slow_start.map_or(Ok(()), self::slow_start)
}

fn slow_start(config: &SlowStartConfig) -> Result<(), Refusal> {
    above_zero("slow_start_config", config.slow_start_window.as_ref())?;
    percent("slow_start_config", config.min_weight_percent.as_ref())?;
    match config.aggression.as_ref().map(|a| a.default_value) {
        Some(value) if value <= 0.0 => {
            let why = "the aggression is not above zero";
            Err(Refusal::new("slow_start_config", why))
        }
        _ => Ok(()),
    }
}

fn outlier_detection(outlier: &pb::cluster::OutlierDetection) -> Result<(), Refusal> {
    for time in [&outlier.interval, &outlier.base_ejection_time] {
        if time.is_some() {
            above_zero("outlier_detection", time.as_ref())?;
        }
    }
    let percents = [
        outlier.max_ejection_percent,
        outlier.enforcing_consecutive_5xx,
        outlier.enforcing_consecutive_gateway_failure,
        outlier.enforcing_success_rate,
    ];
    match percents.into_iter().flatten().any(|p| p.value > 100) {
        true => Err(Refusal::new(
            "outlier_detection",
            "a percentage is over 100",
        )),
        false => Ok(()),
    }
}

/// Envoy refuses options that name no version of HTTP.
fn http_options(options: &pb::Any) -> Result<(), Refusal> {
    let decoded = pb::upstream_http::HttpProtocolOptions::decode(&*options.value);
    match decoded {
        Ok(options) if options.upstream_protocol_options.is_some() => Ok(()),
        _ => Err(Refusal::new(
            "typed_extension_protocol_options",
            "no version of HTTP is named",
        )),
    }
}

fn above_zero(field: &str, time: Option<&pb::Duration>) -> Result<(), Refusal> {
    match time {
        Some(time) if time.seconds > 0 || time.nanos > 0 => Ok(()),
        _ => Err(Refusal::new(field, "it is not above zero")),
    }
}

fn percent(field: &str, percent: Option<&pb::percent::Percent>) -> Result<(), Refusal> {
    match percent {
        Some(percent) if !(0.0..=100.0).contains(&percent.value) => {
            Err(Refusal::new(field, "a percentage is not from 0 to 100"))
        }
        _ => Ok(()),
    }
}

fn discovered(cluster: &pb::cluster::Cluster) -> Result<(), Refusal> {
    let config = cluster.eds_cluster_config.as_ref();
    match config.is_some_and(|config| config.eds_config.is_some()) {
        true => Ok(()),
        false => Err(Refusal::new("eds_cluster_config", "it is missing")),
    }
}

/// Names that Envoy resolves: host names, and of one logical endpoint only one.
fn resolved(cluster: &pb::cluster::Cluster) -> Result<(), Refusal> {
    let Some(assignment) = &cluster.load_assignment else {
        return Err(Refusal::new("load_assignment", "it is missing"));
    };
    sums(assignment, &named)
}

/// What a proxy can resolve: an address, or a host name.
fn named(address: Option<&pb::core::address::Address>) -> Result<(), Refusal> {
    use pb::core::address::Address;
    match address {
        Some(Address::SocketAddress(socket)) if !socket.address.is_empty() => Ok(()),
        _ => Err(Refusal::new(
            "address",
            "it is not a name that can be resolved",
        )),
    }
}

/// Of the original destination, and of names that are resolved as they are asked for.
fn without_choice(cluster: &pb::cluster::Cluster) -> Result<(), Refusal> {
    if cluster.lb_policy != i32::from(LbPolicy::ClusterProvided) {
        let why = "there is nothing to choose from, which needs CLUSTER_PROVIDED";
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
    sums(assignment, &direct)
}

type AddressRule = dyn Fn(Option<&pb::core::address::Address>) -> Result<(), Refusal>;

fn sums(
    assignment: &pb::endpoint::ClusterLoadAssignment,
    rule: &AddressRule,
) -> Result<(), Refusal> {
    for group in &assignment.endpoints {
        let mut sum = 0u32;
        for endpoint in &group.lb_endpoints {
            rule(address(endpoint)?)?;
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

fn address(
    endpoint: &pb::endpoint::LbEndpoint,
) -> Result<Option<&pb::core::address::Address>, Refusal> {
    use pb::endpoint::lb_endpoint::HostIdentifier;
    let Some(HostIdentifier::Endpoint(endpoint)) = &endpoint.host_identifier else {
        return Err(Refusal::new("endpoint", "it is missing"));
    };
    Ok(endpoint.address.as_ref().and_then(|a| a.address.as_ref()))
}

/// What a proxy connects to as it is: an IP address, or a socket file.
fn direct(address: Option<&pb::core::address::Address>) -> Result<(), Refusal> {
    use pb::core::address::Address;
    match address {
        Some(Address::SocketAddress(socket)) if socket.address.parse::<IpAddr>().is_ok() => Ok(()),
        Some(Address::Pipe(pipe)) if !pipe.path.is_empty() => Ok(()),
        _ => Err(Refusal::new("address", "it is not an IP address")),
    }
}
