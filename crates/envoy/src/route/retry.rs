//! Retries: when a request is tried again, and how often.

use std::sync::LazyLock;
use std::time::Duration;

use model::Mesh;
use model::route::Retries;
use pb::route::retry_policy::{
    RetryBackOff, RetryHostPredicate, RetryPriority, retry_host_predicate, retry_priority,
};

use crate::{message, pb};

/// The mesh's default: conditions under which no side effect can have happened.
const DEFAULT_CONDITIONS: &str =
    "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const DEFAULT_ATTEMPTS: u32 = 2;
/// How often another endpoint is drawn when one was tried before.
const HOST_SELECTION_ATTEMPTS: i64 = 5;
const BY_STATUS: &str = "retriable-status-codes";

/// The conditions that Envoy's router knows. It ignores others, and a typo would silently mean no
/// retries.
const CONDITIONS: &[&str] = &[
    "5xx",
    "cancelled",
    "connect-failure",
    "deadline-exceeded",
    "envoy-ratelimited",
    "gateway-error",
    "http3-post-connect-failure",
    "internal",
    "refused-stream",
    "reset",
    "reset-before-request",
    "resource-exhausted",
    "retriable-4xx",
    "retriable-headers",
    BY_STATUS,
    "unavailable",
];

/// A policy, and the conditions that it leaves out because Envoy does not know them.
#[derive(Debug, Default)]
pub(super) struct Policy {
    /// `None`: no retries.
    pub(super) policy: Option<pb::route::RetryPolicy>,
    pub(super) unknown: Vec<String>,
}

/// What a route says, else what the mesh does. Requests that stick to an endpoint by a hash go to
/// it again, as in Istio.
pub(super) fn build(retries: Option<&Retries>, sticky: bool, mesh: &Mesh) -> Policy {
    let Some(retries) = retries.or(mesh.default_retries.as_ref()) else {
        let mut policy = policy(DEFAULT_ATTEMPTS, DEFAULT_CONDITIONS.to_owned());
        if sticky {
            policy.retry_host_predicate.clear();
        }
        return Policy {
            policy: Some(policy),
            unknown: Vec::new(),
        };
    };
    if retries.attempts == 0 {
        return Policy::default();
    }
    let wanted = retries.retry_on.as_deref().filter(|text| !text.is_empty());
    let conditions = conditions(wanted.unwrap_or(DEFAULT_CONDITIONS));
    let mut policy = policy(retries.attempts, conditions.names.join(","));
    policy.retriable_status_codes = conditions.statuses;
    policy.per_try_timeout = retries
        .per_try_timeout
        .filter(|timeout| !timeout.is_zero())
        .map(message::duration);
    if !retries.ignore_previous_hosts.unwrap_or(!sticky) {
        policy.retry_host_predicate.clear();
    }
    if retries.remote_localities {
        policy.retry_priority = Some(OTHER_PRIORITIES.clone());
    }
    policy.retry_back_off = retries.backoff.map(back_off);
    Policy {
        policy: Some(policy),
        unknown: conditions.unknown,
    }
}

/// The policy of routes that no virtual service describes.
pub(super) fn default(sticky: bool, mesh: &Mesh) -> Option<pb::route::RetryPolicy> {
    build(None, sticky, mesh).policy
}

/// Not the endpoint that failed before.
static ANOTHER_HOST: LazyLock<RetryHostPredicate> = LazyLock::new(|| {
    let previous = message::any(&pb::previous_hosts::PreviousHostsPredicate {});
    RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(retry_host_predicate::ConfigType::TypedConfig(previous)),
    }
});

/// After every second attempt, priorities that were tried before count as having no endpoints.
static OTHER_PRIORITIES: LazyLock<RetryPriority> = LazyLock::new(|| {
    let config = pb::previous_priorities::PreviousPrioritiesConfig {
        update_frequency: 2,
    };
    RetryPriority {
        name: "envoy.retry_priorities.previous_priorities".to_owned(),
        config_type: Some(retry_priority::ConfigType::TypedConfig(message::any(
            &config,
        ))),
    }
});

/// Envoy takes ten times the base for the longest pause.
fn back_off(base: Duration) -> RetryBackOff {
    RetryBackOff {
        base_interval: Some(message::duration(base)),
        ..Default::default()
    }
}

fn policy(attempts: u32, retry_on: String) -> pb::route::RetryPolicy {
    pb::route::RetryPolicy {
        retry_on,
        num_retries: message::number(attempts),
        retry_host_predicate: vec![ANOTHER_HOST.clone()],
        host_selection_retry_max_attempts: HOST_SELECTION_ATTEMPTS,
        ..Default::default()
    }
}

#[derive(Default)]
struct Conditions<'a> {
    names: Vec<&'a str>,
    statuses: Vec<u32>,
    unknown: Vec<String>,
}

/// Splits a comma list into conditions and status codes, which Envoy takes apart.
fn conditions(list: &str) -> Conditions<'_> {
    let mut found = Conditions::default();
    for token in list.split(',').map(str::trim).filter(|t| !t.is_empty()) {
        match token.parse::<u32>() {
            Ok(status) if (100..600).contains(&status) => found.statuses.push(status),
            _ if CONDITIONS.contains(&token) => found.names.push(token),
            _ => found.unknown.push(token.to_owned()),
        }
    }
    if !found.statuses.is_empty() && !found.names.contains(&BY_STATUS) {
        found.names.push(BY_STATUS);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(attempts: u32, retry_on: Option<&str>) -> Retries {
        Retries {
            attempts,
            per_try_timeout: Some(Duration::from_secs(2)),
            retry_on: retry_on.map(str::to_owned),
            ..Retries::default()
        }
    }

    #[test]
    fn status_codes_are_taken_out_of_the_list() {
        let wanted = retries(3, Some("gateway-error, 503,5xxx,429"));
        let built = build(Some(&wanted), false, &Mesh::default());
        let policy = built.policy.unwrap();
        assert_eq!(policy.retry_on, "gateway-error,retriable-status-codes");
        assert_eq!(policy.retriable_status_codes, [503, 429]);
        assert_eq!(policy.num_retries.unwrap().value, 3);
        assert_eq!(policy.per_try_timeout.unwrap().seconds, 2);
        assert_eq!(built.unknown, ["5xxx"]);
    }

    #[test]
    fn no_attempts_are_no_retries_and_nothing_is_the_default() {
        assert!(
            build(Some(&retries(0, None)), false, &Mesh::default())
                .policy
                .is_none()
        );
        let policy = build(None, false, &Mesh::default()).policy.unwrap();
        assert_eq!(policy.retry_on, DEFAULT_CONDITIONS);
        assert_eq!(policy.num_retries.unwrap().value, 2);
        assert_eq!(
            build(Some(&retries(2, None)), false, &Mesh::default())
                .policy
                .unwrap()
                .retry_on,
            DEFAULT_CONDITIONS
        );
    }
}
