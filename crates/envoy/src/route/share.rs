//! Shares of requests, as Envoy draws them.

use model::route::Share;

use crate::pb;

/// Whole percents where they are exact, for they read better in dumps.
pub(super) fn percentage(share: Share) -> pb::percent::FractionalPercent {
    use pb::percent::fractional_percent::DenominatorType;
    let millionths = share.millionths();
    let (numerator, denominator) = match millionths % 10_000 {
        0 => (millionths / 10_000, DenominatorType::Hundred),
        _ => (millionths, DenominatorType::Million),
    };
    pb::percent::FractionalPercent {
        numerator,
        denominator: denominator.into(),
    }
}
