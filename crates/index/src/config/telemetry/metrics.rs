//! Metrics, which have no effect here. They are checked as Istio checks them.

use api::istio::telemetry::{Metrics, TagOverride};

use crate::codes;
use crate::report::Report;

pub(super) fn check(metrics: &[Metrics], report: &mut Report) {
    for (at, metrics) in metrics.iter().enumerate() {
        let field = format!("spec.metrics[{at}]");
        for (at, provider) in metrics.providers.iter().enumerate() {
            if provider.name.is_empty() {
                let field = format!("{field}.providers[{at}].name");
                refuse(report, field, "a provider has no name");
            }
        }
        for (at, change) in metrics.overrides.iter().enumerate() {
            let field = format!("{field}.overrides[{at}]");
            let condition = change.conditions.as_ref();
            if condition.and_then(|c| c.custom_metric.as_deref()) == Some("") {
                let field = format!("{field}.match.customMetric");
                refuse(report, field, "the name is empty");
            }
            for (tag, change) in &change.tag_overrides {
                let field = format!("{field}.tagOverrides[{tag}]");
                tag_override(change, field, report);
            }
        }
    }
}

fn tag_override(change: &TagOverride, field: String, report: &mut Report) {
    let value = change.value.as_deref().filter(|value| !value.is_empty());
    match (change.operation.as_deref(), value) {
        (Some("REMOVE" | "1"), Some(_)) => {
            refuse(report, field, "a tag that is removed has no value");
        }
        (Some("UPSERT" | "0"), None) => {
            refuse(report, field, "a tag that is set needs a value");
        }
        _ => {}
    }
}

fn refuse(report: &mut Report, field: String, why: &str) {
    let remedy = "correct the field, or remove the section, which has no effect here";
    report.refuse(codes::BAD_TELEMETRY, field, why, remedy);
}
