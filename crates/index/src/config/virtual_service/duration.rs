//! Durations, as fine as Istio has them.

use std::time::Duration;

use crate::codes;
use crate::report::Report;

/// Whole milliseconds, as in Istio; zero passes, and usually means "off".
pub(super) fn check(
    duration: Option<Duration>,
    field: &str,
    report: &mut Report,
) -> Option<Duration> {
    let duration = duration?;
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        let why = format!("{duration:?} is not a whole number of milliseconds");
        report.refuse(
            codes::BAD_DURATION,
            field,
            why,
            "write it like 10ms or 1.5s",
        );
        return None;
    }
    Some(duration)
}
