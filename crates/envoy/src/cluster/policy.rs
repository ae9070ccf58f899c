//! A traffic policy as the part of a cluster that all clusters of the policy have in common.

use std::num::NonZeroU32;
use std::time::Duration;

use model::TrafficPolicy;
use model::traffic_policy::{ConnectionPool, Keepalive, OutlierDetection, RetryBudget};
use pb::cluster::circuit_breakers::{Thresholds, thresholds};
use pb::cluster::cluster::{ClusterDiscoveryType, DiscoveryType};

use super::outbound::Speaks;
use super::{balance, http};
use crate::{message, pb};

/// Without a name, without the name of its endpoints, and without a transport socket.
pub(super) fn cluster(
    policy: &TrafficPolicy,
    speaks: Speaks,
    connect_timeout: Duration,
) -> pb::cluster::Cluster {
    let pool = policy.port.connection_pool.as_deref();
    let outlier = policy.port.outlier_detection.as_deref();
    let kind = match policy.is_passthrough() {
        true => DiscoveryType::OriginalDst,
        false => DiscoveryType::Eds,
    };
    let timeout = pool.and_then(|pool| pool.connect_timeout);
    let cluster = pb::cluster::Cluster {
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(kind.into())),
        connect_timeout: Some(message::duration(timeout.unwrap_or(connect_timeout))),
        circuit_breakers: Some(limits(pool, policy.retry_budget)),
        outlier_detection: outlier.map(outlier_detection),
        common_lb_config: Some(balance::common(policy)),
        upstream_connection_options: pool.and_then(|pool| pool.keepalive).map(connection_options),
        typed_extension_protocol_options: http::options(policy, speaks),
        ..Default::default()
    };
    balance::with(policy.port.load_balancer.as_deref(), cluster)
}

/// Envoy's own limits of 1024 are for a proxy at the edge; between services, limits are a policy.
pub(super) fn limits(
    pool: Option<&ConnectionPool>,
    budget: Option<RetryBudget>,
) -> pb::cluster::CircuitBreakers {
    let limit = |of: fn(&ConnectionPool) -> Option<NonZeroU32>| {
        let limit = pool.and_then(of).map_or(u32::MAX, NonZeroU32::get);
        message::number(limit)
    };
    pb::cluster::CircuitBreakers {
        thresholds: vec![Thresholds {
            max_connections: limit(|pool| pool.max_connections),
            max_pending_requests: limit(|pool| pool.max_pending_requests),
            max_requests: limit(|pool| pool.max_requests),
            max_retries: limit(|pool| pool.max_retries),
            retry_budget: budget.map(retry_budget),
            track_remaining: true,
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Takes the place of the limit of retries.
fn retry_budget(budget: RetryBudget) -> thresholds::RetryBudget {
    thresholds::RetryBudget {
        budget_percent: Some(message::percent(budget.share)),
        min_retry_concurrency: message::number(budget.minimum),
        budget_interval: budget.interval.map(message::duration),
    }
}

fn connection_options(keepalive: Keepalive) -> pb::cluster::UpstreamConnectionOptions {
    let number = |value: Option<NonZeroU32>| value.and_then(|value| message::number(value.get()));
    pb::cluster::UpstreamConnectionOptions {
        tcp_keepalive: Some(pb::core::TcpKeepalive {
            keepalive_probes: number(keepalive.probes),
            keepalive_time: number(keepalive.time),
            keepalive_interval: number(keepalive.interval),
        }),
        ..Default::default()
    }
}

/// Success rates are not compared: Istio ejects for errors alone.
fn outlier_detection(outlier: &OutlierDetection) -> pb::cluster::OutlierDetection {
    let always = |counts: bool| message::number(if counts { 100 } else { 0 });
    let above_zero = |count: Option<u32>| count.filter(|count| *count > 0);
    let split = outlier.split_local_origin;
    let local = outlier
        .consecutive_local_origin
        .and_then(|count| above_zero(Some(count)));
    pb::cluster::OutlierDetection {
        consecutive_5xx: above_zero(outlier.consecutive_5xx).and_then(message::number),
        enforcing_consecutive_5xx: outlier.consecutive_5xx.and_then(|count| always(count > 0)),
        consecutive_gateway_failure: above_zero(outlier.consecutive_gateway)
            .and_then(message::number),
        enforcing_consecutive_gateway_failure: outlier
            .consecutive_gateway
            .and_then(|count| always(count > 0)),
        split_external_local_origin_errors: split,
        consecutive_local_origin_failure: local.and_then(message::number),
        enforcing_consecutive_local_origin_failure: local.and_then(|_| always(true)),
        enforcing_local_origin_success_rate: always(false).filter(|_| split),
        enforcing_success_rate: always(false),
        interval: outlier.interval.map(message::duration),
        base_ejection_time: outlier.base_ejection_time.map(message::duration),
        max_ejection_percent: outlier
            .max_ejection_percent
            .and_then(|percent| message::number(percent.into())),
        ..Default::default()
    }
}
