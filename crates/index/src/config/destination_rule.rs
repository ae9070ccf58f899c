//! `DestinationRule` to the subsets of a host.

use std::collections::BTreeSet;

use api::istio;
use model::{DestinationRule, ExportTo, Labels, Subset};

use super::object::Context;
use super::{names, reference};
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
    let subsets = spec.subsets.into_iter().map(|subset| Subset {
        name: subset.name,
        labels: Labels::from(subset.labels),
    });
    Some(DestinationRule {
        object: reference(&context.object.key),
        host: host?,
        subsets: subsets.collect(),
        export_to: ExportTo::All,
        workload_selector: None,
    })
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
