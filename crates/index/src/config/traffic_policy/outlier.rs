//! Outlier detection.

use api::istio::traffic_policy as api;
use model::traffic_policy::OutlierDetection;

use super::ignored;
use super::numbers::Field;
use crate::codes;
use crate::report::Report;

pub(super) fn convert(
    outlier: api::OutlierDetection,
    at: &str,
    report: &mut Report,
) -> OutlierDetection {
    let field = Field {
        code: codes::BAD_OUTLIER,
        at,
    };
    let split = outlier.split_external_local_origin_errors == Some(true);
    if outlier.consecutive_local_origin_failures.is_some() && !split {
        ignored(
            format!("{at}.consecutiveLocalOriginFailures"),
            "failures to connect are counted together with answers",
            "set splitExternalLocalOriginErrors, or remove the field",
            report,
        );
    }
    if !outlier.outlier_detection_http_error_codes.is_empty() {
        ignored(
            format!("{at}.outlierDetectionHttpErrorCodes"),
            "all answers from 500 on count as errors",
            "remove the field; this version does not compile it",
            report,
        );
    }
    let (consecutive_5xx, consecutive_gateway) = errors(&outlier, &field, report);
    OutlierDetection {
        consecutive_5xx,
        consecutive_gateway,
        split_local_origin: split,
        consecutive_local_origin: outlier.consecutive_local_origin_failures.filter(|_| split),
        interval: field.time("interval", outlier.interval, report),
        base_ejection_time: field.time("baseEjectionTime", outlier.base_ejection_time, report),
        max_ejection_percent: field.percent(
            "maxEjectionPercent",
            outlier.max_ejection_percent,
            report,
        ),
        min_health_percent: field
            .percent("minHealthPercent", outlier.min_health_percent, report)
            .unwrap_or(0),
    }
}

/// `consecutiveErrors` of Istio 1.0 counted gateway errors, and switched off the count of all 5xx.
/// Today's fields win over it.
fn errors(
    outlier: &api::OutlierDetection,
    field: &Field<'_>,
    report: &mut Report,
) -> (Option<u32>, Option<u32>) {
    let legacy = field.count("consecutiveErrors", outlier.consecutive_errors, report);
    match (
        outlier.consecutive_5xx_errors,
        outlier.consecutive_gateway_errors,
    ) {
        (None, None) => match legacy {
            Some(count) => (Some(0), Some(count.get())),
            None => (None, None),
        },
        today => {
            if outlier.consecutive_errors.is_some() {
                ignored(
                    format!("{}.consecutiveErrors", field.at),
                    "consecutive5xxErrors or consecutiveGatewayErrors says it more exactly",
                    "remove consecutiveErrors",
                    report,
                );
            }
            today
        }
    }
}
