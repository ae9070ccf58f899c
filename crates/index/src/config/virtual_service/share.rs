//! Percentages, and the two spellings that they have.

use model::route::Share;

use crate::codes;
use crate::report::Report;

/// A share; Istio counts in ten thousandths of a percent, so that less could only be nothing.
pub(super) fn convert(
    percent: f64,
    field: &str,
    code: &'static str,
    report: &mut Report,
) -> Option<Share> {
    let share = Share::percent(percent).filter(|share| percent == 0.0 || share.millionths() > 0);
    if share.is_none() {
        let why = format!("{percent} is not a percentage");
        report.refuse(code, field, why, "use 0, or a number from 0.0001 to 100");
    }
    share
}

/// An old field beside the one that took its place.
pub(super) fn superseded(field: &str, by: &str, report: &mut Report) {
    report.warn(
        codes::SUPERSEDED,
        field,
        format!("{by} is given as well and wins"),
        "this field has no effect",
        format!("remove it, and keep {by}"),
    );
}
