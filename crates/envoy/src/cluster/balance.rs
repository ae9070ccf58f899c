//! Load balancers of clusters.

use model::traffic_policy::{Algorithm, HashTable, LoadBalancer, Warmup};
use model::{LocalityBalance, TrafficPolicy};
use pb::cluster::cluster::common_lb_config::{LocalityConfigSpecifier, LocalityWeightedLbConfig};
use pb::cluster::cluster::{
    CommonLbConfig, LbConfig, LbPolicy, LeastRequestLbConfig, MaglevLbConfig, RingHashLbConfig,
    RoundRobinLbConfig, SlowStartConfig,
};

use crate::{message, pb};

/// The cluster, with an algorithm. The mesh's default is Istio's of today.
pub(super) fn with(
    balancer: Option<&LoadBalancer>,
    cluster: pb::cluster::Cluster,
) -> pb::cluster::Cluster {
    let warmup = balancer.and_then(|balancer| balancer.warmup);
    let default = Algorithm::LeastRequest;
    let algorithm = balancer.and_then(|balancer| balancer.algorithm.as_ref());
    let (policy, config) = match algorithm.unwrap_or(&default) {
        Algorithm::LeastRequest => (LbPolicy::LeastRequest, warmup.map(least_request)),
        Algorithm::RoundRobin => (LbPolicy::RoundRobin, warmup.map(round_robin)),
        Algorithm::Random => (LbPolicy::Random, None),
        Algorithm::Passthrough => (LbPolicy::ClusterProvided, None),
        Algorithm::ConsistentHash { table, .. } => self::table(*table),
    };
    pb::cluster::Cluster {
        lb_policy: policy.into(),
        lb_config: config,
        ..cluster
    }
}

/// With outlier detection, endpoints that failed are used again only below the given share of good
/// ones, by default never; without it, Envoy's half stays.
pub(super) fn common(policy: &TrafficPolicy) -> CommonLbConfig {
    let weighted = LocalityConfigSpecifier::LocalityWeightedLbConfig(LocalityWeightedLbConfig {});
    let distributes = matches!(policy.locality(), Some(LocalityBalance::Distribute(_)));
    let outlier = policy.port.outlier_detection.as_deref();
    CommonLbConfig {
        healthy_panic_threshold: outlier.map(|outlier| pb::percent::Percent {
            value: outlier.min_health_percent.into(),
        }),
        locality_config_specifier: distributes.then_some(weighted),
        ..Default::default()
    }
}

fn table(table: HashTable) -> (LbPolicy, Option<LbConfig>) {
    let number = |value: u64| pb::UInt64Value { value };
    match table {
        HashTable::Ring { minimum } => {
            let config = RingHashLbConfig {
                minimum_ring_size: minimum.map(number),
                ..Default::default()
            };
            (LbPolicy::RingHash, Some(LbConfig::RingHashLbConfig(config)))
        }
        HashTable::Maglev { size } => {
            let config = MaglevLbConfig {
                table_size: size.map(number),
            };
            (LbPolicy::Maglev, Some(LbConfig::MaglevLbConfig(config)))
        }
    }
}

fn least_request(warmup: Warmup) -> LbConfig {
    LbConfig::LeastRequestLbConfig(LeastRequestLbConfig {
        slow_start_config: Some(slow_start(warmup)),
        ..Default::default()
    })
}

fn round_robin(warmup: Warmup) -> LbConfig {
    LbConfig::RoundRobinLbConfig(RoundRobinLbConfig {
        slow_start_config: Some(slow_start(warmup)),
    })
}

fn slow_start(warmup: Warmup) -> SlowStartConfig {
    let aggression = warmup.aggression.map(|aggression| pb::core::RuntimeDouble {
        default_value: aggression.value(),
        // Envoy wants a name; nobody sets the key.
        runtime_key: "upstream.warmup.aggression".to_owned(),
    });
    SlowStartConfig {
        slow_start_window: Some(message::duration(warmup.window)),
        aggression,
        min_weight_percent: warmup.minimum.map(message::percent),
    }
}
