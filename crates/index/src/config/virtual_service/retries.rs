//! Retries.

use std::time::Duration;

use api::istio;
use model::route::Retries;

use super::duration;
use crate::codes;
use crate::report::Report;

/// The conditions of Envoy's router filter; it would pass over unknown ones in silence.
const RETRY_ON: &[&str] = &[
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

pub(super) fn convert(retries: istio::Retries, at: &str, report: &mut Report) -> Retries {
    check_off(&retries, at, report);
    let mut given = |value: Option<Duration>, name: &str| {
        let value = duration::check(value, &format!("{at}.{name}"), report);
        value.filter(|duration| !duration.is_zero())
    };
    let per_try_timeout = given(retries.per_try_timeout, "perTryTimeout");
    let backoff = given(retries.backoff, "backoff");
    Retries {
        attempts: retries.attempts.unwrap_or(0),
        per_try_timeout,
        retry_on: conditions(retries.retry_on.as_deref().unwrap_or_default(), at, report),
        remote_localities: retries.retry_remote_localities.unwrap_or(false),
        ignore_previous_hosts: retries.retry_ignore_previous_hosts,
        backoff,
    }
}

/// A condition that Envoy knows, or a status code.
pub(crate) fn is_condition(token: &str) -> bool {
    RETRY_ON.contains(&token) || token.parse().is_ok_and(|n: u16| (100..=599).contains(&n))
}

fn conditions(text: &str, at: &str, report: &mut Report) -> Option<String> {
    let tokens = text.split(',').map(str::trim);
    let tokens: Vec<&str> = tokens.filter(|token| !token.is_empty()).collect();
    for token in tokens.iter().filter(|token| !is_condition(token)) {
        report.refuse(
            codes::BAD_RETRIES,
            format!("{at}.retryOn"),
            format!("{token:?} is not a condition for retries"),
            format!("use status codes or some of {}", RETRY_ON.join(", ")),
        );
    }
    (!tokens.is_empty()).then(|| tokens.join(","))
}

/// Without attempts, whether 0 or not given, there are no retries: the rest says nothing.
fn check_off(retries: &istio::Retries, at: &str, report: &mut Report) {
    let alone = istio::Retries {
        attempts: retries.attempts,
        ..istio::Retries::default()
    };
    if retries.attempts.unwrap_or(0) == 0 && *retries != alone {
        report.warn(
            codes::NO_EFFECT,
            at,
            "without attempts above 0 nothing is tried again",
            "retries are off for this route",
            "set attempts, for example to 2, or remove the other fields",
        );
    }
}
