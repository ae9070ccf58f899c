//! Traffic policies: of a rule, of a subset, and of their ports.
//!
//! The rules are those of Istio's validation; where Envoy has a limit that Istio does not check,
//! Envoy's holds as well, for a cluster that Envoy refuses would be lost with its whole host.

mod load_balancer;
mod locality;
mod numbers;
mod outlier;
mod pool;
mod tls;
mod tunnel;

pub(crate) use locality::convert as locality_balance;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::istio::traffic_policy as api;
use model::traffic_policy::{Policies, PortPolicy, TrafficPolicy};

use crate::codes;
use crate::report::Report;

pub(super) fn convert(policy: api::TrafficPolicy, at: &str, report: &mut Report) -> Policies {
    if policy == api::TrafficPolicy::default() {
        empty(at, "the traffic policy", report);
    }
    let all = TrafficPolicy {
        tunnel: tunnel::tunnel(policy.tunnel, policy.proxy_protocol.is_some(), at, report),
        proxy_protocol: tunnel::proxy_protocol(policy.proxy_protocol, at, report),
        retry_budget: tunnel::retry_budget(policy.retry_budget, at, report),
        port: blocks(
            Blocks {
                load_balancer: policy.load_balancer,
                connection_pool: policy.connection_pool,
                outlier_detection: policy.outlier_detection,
                tls: policy.tls,
            },
            at,
            report,
        ),
    };
    Policies {
        all,
        by_port: ports(policy.port_level_settings, at, report),
    }
}

/// What can be given for all ports and for one.
struct Blocks {
    load_balancer: Option<api::LoadBalancer>,
    connection_pool: Option<api::ConnectionPool>,
    outlier_detection: Option<api::OutlierDetection>,
    tls: Option<api::ClientTls>,
}

fn blocks(blocks: Blocks, at: &str, report: &mut Report) -> PortPolicy {
    let outlier = blocks.outlier_detection;
    let detects = outlier.is_some();
    PortPolicy {
        load_balancer: blocks.load_balancer.map(|balancer| {
            let at = format!("{at}.loadBalancer");
            Arc::new(load_balancer::convert(balancer, detects, &at, report))
        }),
        connection_pool: blocks.connection_pool.map(|pool| {
            let at = format!("{at}.connectionPool");
            Arc::new(pool::convert(pool, &at, report))
        }),
        outlier_detection: outlier.map(|outlier| {
            let at = format!("{at}.outlierDetection");
            Arc::new(outlier::convert(outlier, &at, report))
        }),
        tls: blocks
            .tls
            .and_then(|tls| tls::convert(tls, &format!("{at}.tls"), report))
            .map(Arc::new),
    }
}

fn ports(
    settings: Vec<api::PortTrafficPolicy>,
    at: &str,
    report: &mut Report,
) -> BTreeMap<u16, PortPolicy> {
    let mut by_port = BTreeMap::new();
    for (i, settings) in settings.into_iter().enumerate() {
        let at = format!("{at}.portLevelSettings[{i}]");
        let number = settings.port.as_ref().and_then(|port| port.number);
        let policy = blocks(
            Blocks {
                load_balancer: settings.load_balancer,
                connection_pool: settings.connection_pool,
                outlier_detection: settings.outlier_detection,
                tls: settings.tls,
            },
            &at,
            report,
        );
        if policy.is_empty() {
            empty(&at, "the port's policy", report);
        }
        let Some(number) = number.filter(|number| *number > 0) else {
            let (field, why) = (format!("{at}.port.number"), "the port has no number");
            let remedy = "name the port of the service, for example port: {number: 9080}";
            report.refuse(codes::BAD_PORT_POLICY, field, why, remedy);
            continue;
        };
        if by_port.insert(number, policy).is_some() {
            let why = format!("the port {number} has two policies");
            let field = format!("{at}.port.number");
            report.refuse(codes::BAD_PORT_POLICY, field, why, "keep one of them");
        }
    }
    by_port
}

fn empty(at: &str, what: &str, report: &mut Report) {
    report.refuse(
        codes::EMPTY_POLICY,
        at,
        format!("{what} says nothing"),
        "fill it in, or remove it",
    );
}

/// A field that Istio has and that has no effect here.
fn ignored(field: String, why: &str, remedy: &str, report: &mut Report) {
    let effect = "the field has no effect; the rest of the policy has";
    report.warn(codes::POLICY_FIELD_IGNORED, field, why, effect, remedy);
}
