//! Selectors of workloads by their labels, as far as kinds have them alike.

use std::collections::BTreeMap;

use api::istio;
use model::Labels;

use crate::codes;
use crate::report::Report;

/// As Istio has them: a label is equal or it is not, so a star stands for nothing.
pub(super) fn read(labels: BTreeMap<String, String>, at: &str, report: &mut Report) -> Labels {
    for (key, value) in &labels {
        let why = match key.is_empty() {
            true => "a label has an empty key".to_owned(),
            false if key.contains('*') || value.contains('*') => {
                format!("the label {key}={value} has a star, which selectors do not know")
            }
            false => continue,
        };
        let remedy = "name the label that the workloads have, with its value";
        report.refuse(codes::BAD_SELECTOR, at, why, remedy);
    }
    Labels::from(labels)
}

/// Refuses what selects by objects of Kubernetes.
pub(super) fn no_references(code: &'static str, any: bool, report: &mut Report) {
    if any {
        report.refuse(
            code,
            "spec.targetRefs",
            "a reference to an object of Kubernetes selects no proxy here",
            "select proxies by their labels",
        );
    }
}

/// The labels of `spec.selector`, empty if there is none.
pub(super) fn labels(selector: Option<istio::PeerSelector>, report: &mut Report) -> Labels {
    let labels = selector.and_then(|selector| selector.match_labels);
    read(
        labels.unwrap_or_default(),
        "spec.selector.matchLabels",
        report,
    )
}
