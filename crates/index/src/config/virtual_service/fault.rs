//! Faults: delays and aborts for a share of requests.
//!
//! In no version of Istio does a missing percentage mean 100: such a fault never fires. It is
//! left out here, and told, for it is hardly what its author meant.

use api::istio;
use model::route::{Abort, AbortStatus, Delay, Fault, Share};

use super::{duration, share as shares};
use crate::codes;
use crate::report::Report;

/// Names of gRPC status codes, by number.
const GRPC_STATUS: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

pub(super) fn convert(fault: istio::Fault, at: &str, report: &mut Report) -> Fault {
    if fault.delay.is_none() && fault.abort.is_none() {
        silent(
            at,
            "the fault has neither delay nor abort",
            "add one, or remove the fault",
            report,
        );
    }
    Fault {
        delay: fault
            .delay
            .and_then(|d| delay(d, &format!("{at}.delay"), report)),
        abort: fault
            .abort
            .and_then(|a| abort(a, &format!("{at}.abort"), report)),
    }
}

fn delay(delay: istio::Delay, at: &str, report: &mut Report) -> Option<Delay> {
    let share = share(delay.percent, delay.percentage, at, report);
    if delay.exponential_delay.is_some() {
        never_built(&format!("{at}.exponentialDelay"), "fixedDelay", report);
        return None;
    }
    let field = format!("{at}.fixedDelay");
    let fixed = duration::check(delay.fixed_delay, &field, report);
    // Envoy refuses a delay of zero.
    let Some(fixed) = fixed.filter(|delay| !delay.is_zero()) else {
        silent(
            &field,
            "the delay has no duration",
            "set fixedDelay, for example to 7s",
            report,
        );
        return None;
    };
    Some(Delay {
        fixed,
        share: share?,
    })
}

fn abort(abort: istio::Abort, at: &str, report: &mut Report) -> Option<Abort> {
    let share = share(abort.percent, abort.percentage, at, report);
    if abort.http2_error.is_some() {
        never_built(
            &format!("{at}.http2Error"),
            "httpStatus or grpcStatus",
            report,
        );
        return None;
    }
    let grpc = abort.grpc_status.filter(|text| !text.is_empty());
    let status = match (abort.http_status, grpc) {
        (Some(_), Some(_)) => {
            let why = "httpStatus and grpcStatus are both given";
            report.refuse(codes::BAD_FAULT, at, why, "keep one of the two");
            return None;
        }
        (Some(status), None) => http_status(status, at, report)?,
        (None, Some(status)) => grpc_status(&status, at, report)?,
        (None, None) => {
            silent(
                at,
                "the abort has no status",
                "set httpStatus, for example to 500",
                report,
            );
            return None;
        }
    };
    Some(Abort {
        status,
        share: share?,
    })
}

fn http_status(status: u32, at: &str, report: &mut Report) -> Option<AbortStatus> {
    match u16::try_from(status) {
        Ok(status @ 200..=599) => Some(AbortStatus::Http(status)),
        _ => {
            let field = format!("{at}.httpStatus");
            let why = format!("{status} is not a status that Envoy can answer with");
            report.refuse(codes::BAD_FAULT, field, why, "use a status from 200 to 599");
            None
        }
    }
}

fn grpc_status(text: &str, at: &str, report: &mut Report) -> Option<AbortStatus> {
    let named = GRPC_STATUS.iter().position(|name| *name == text);
    let number = named.or_else(|| text.parse().ok().filter(|n| *n < GRPC_STATUS.len()));
    match number {
        Some(number) => Some(AbortStatus::Grpc(number as u32)),
        None => {
            let field = format!("{at}.grpcStatus");
            let why = format!("{text:?} is not a gRPC status");
            report.refuse(
                codes::BAD_FAULT,
                field,
                why,
                "use a name such as UNAVAILABLE",
            );
            None
        }
    }
}

/// `percentage` wins over the integer of Istio 1.0.
fn share(
    percent: Option<u32>,
    percentage: Option<istio::Percent>,
    at: &str,
    report: &mut Report,
) -> Option<Share> {
    if percentage.is_some() && percent.is_some() {
        shares::superseded(&format!("{at}.percent"), "percentage", report);
    }
    let (field, value) = match (percentage, percent) {
        (Some(percentage), _) => ("percentage.value", percentage.value.unwrap_or(0.0)),
        (None, Some(percent)) => ("percent", f64::from(percent)),
        (None, None) => {
            let why = "without a percentage the fault never fires; that does not mean 100";
            silent(at, why, "add percentage: {value: 100}", report);
            return None;
        }
    };
    shares::convert(value, &format!("{at}.{field}"), codes::BAD_FAULT, report)
}

/// Fields that Istio's API has had from the beginning, and that no version ever obeyed.
fn never_built(field: &str, instead: &str, report: &mut Report) {
    let why = "Envoy cannot do this, and no version of Istio ever did";
    report.refuse(codes::BAD_FAULT, field, why, format!("use {instead}"));
}

fn silent(field: &str, why: &str, remedy: &str, report: &mut Report) {
    let effect = "this part of the fault is left out; the route holds";
    report.warn(codes::SILENT_FAULT, field, why, effect, remedy);
}
