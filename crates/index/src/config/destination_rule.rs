//! `DestinationRule` to the subsets of a host and the policies of both.

use std::collections::BTreeSet;

use api::istio;
use model::{DestinationRule, Labels, Subset};

use super::object::Context;
use super::{export, names, reference, selector, traffic_policy};
use crate::codes;
use crate::report::Report;

pub(super) fn convert(
    spec: istio::DestinationRule,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<DestinationRule> {
    let host = names::host(&spec.host, "spec.host", context, report);
    let mut seen = BTreeSet::new();
    for (i, subset) in spec.subsets.iter().enumerate() {
        let field = format!("spec.subsets[{i}].name");
        check_name(&subset.name, field, &mut seen, report);
    }
    let default = &context.mesh.default_exports.destination_rules;
    let export_to = export::read(&spec.export_to, default, context, report);
    let workload_selector = spec.workload_selector.map(|s| {
        let at = "spec.workloadSelector.matchLabels";
        selector::read(s.labels, at, report)
    });
    check_export(&spec.export_to, workload_selector.is_some(), report);
    let mut policies = |policy: Option<istio::traffic_policy::TrafficPolicy>, at: &str| {
        let policy = policy.map(|policy| traffic_policy::convert(policy, at, report));
        policy.unwrap_or_default()
    };
    let own = policies(spec.traffic_policy, "spec.trafficPolicy");
    let subsets = spec.subsets.into_iter().enumerate();
    let subsets = subsets.map(|(i, subset)| Subset {
        name: subset.name,
        labels: Labels::from(subset.labels),
        policies: policies(
            subset.traffic_policy,
            &format!("spec.subsets[{i}].trafficPolicy"),
        ),
    });
    Some(DestinationRule {
        object: reference(&context.object.key),
        policies: own,
        subsets: subsets.collect(),
        export_to,
        workload_selector,
        host: host?,
    })
}

/// A rule for some workloads is for those of its own namespace.
fn check_export(texts: &[String], selects: bool, report: &mut Report) {
    let remedy = "remove exportTo, or write \".\"";
    let why = match texts {
        [only] if only == "~" => "a destination rule that nobody sees has no use",
        [] => return,
        [only] if only == "." => return,
        _ if selects => "a rule with a workloadSelector is for its own namespace only",
        _ => return,
    };
    report.refuse(codes::EXPORT_TO, "spec.exportTo", why, remedy);
}

fn check_name<'a>(name: &'a str, field: String, seen: &mut BTreeSet<&'a str>, report: &mut Report) {
    let remedy = "give each subset a name of its own, of letters, digits and inner hyphens";
    let mut refuse = |why| report.refuse(codes::BAD_SUBSET, field.clone(), why, remedy);
    if name.is_empty() {
        refuse("the subset has no name".to_owned());
    } else if !names::is_subset(name) {
        refuse(format!("{name:?} is not a name for a subset"));
    } else if !seen.insert(name) {
        refuse(format!("the subset {name:?} is defined twice"));
    }
}
