//! Faults to inject before a request is forwarded.

use model::route::{Abort, AbortStatus, Delay, Fault};

use super::share::percentage;
use crate::finding::Refusal;
use crate::{message, pb};

/// Configuration of the fault filter for one route; `None` without a fault.
pub(super) fn build(fault: &Fault) -> Result<Option<pb::Any>, Refusal> {
    if fault.delay.is_none() && fault.abort.is_none() {
        return Ok(None);
    }
    check(fault)?;
    Ok(Some(message::any(&pb::fault::HttpFault {
        delay: fault.delay.as_ref().map(delay),
        abort: fault.abort.as_ref().map(abort),
        ..Default::default()
    })))
}

/// Checked here, for the lint does not look into an `Any`.
fn check(fault: &Fault) -> Result<(), Refusal> {
    if fault
        .delay
        .as_ref()
        .is_some_and(|delay| delay.fixed.is_zero())
    {
        return Err(Refusal::new("fault.delay.fixedDelay", "it is zero"));
    }
    match fault.abort.as_ref().map(|abort| abort.status) {
        Some(AbortStatus::Http(status)) if !(200..600).contains(&status) => {
            let why = format!("{status} is not between 200 and 599");
            Err(Refusal::new("fault.abort.httpStatus", why))
        }
        _ => Ok(()),
    }
}

fn delay(delay: &Delay) -> pb::fault_common::FaultDelay {
    use pb::fault_common::fault_delay::FaultDelaySecifier;
    pb::fault_common::FaultDelay {
        percentage: Some(percentage(delay.share)),
        fault_delay_secifier: Some(FaultDelaySecifier::FixedDelay(message::duration(
            delay.fixed,
        ))),
    }
}

fn abort(abort: &Abort) -> pb::fault::FaultAbort {
    use pb::fault::fault_abort::ErrorType;
    pb::fault::FaultAbort {
        percentage: Some(percentage(abort.share)),
        error_type: Some(match abort.status {
            AbortStatus::Http(status) => ErrorType::HttpStatus(status.into()),
            AbortStatus::Grpc(status) => ErrorType::GrpcStatus(status),
        }),
        ..Default::default()
    }
}
