//! `EnvoyFilter` to patches of generated configuration.

mod conditions;
mod legacy;

use api::istio;
use model::envoy_filter::{EnvoyFilter, Operation, Patch, Target};

use super::object::Context;
use super::{reference, selector};
use crate::codes;
use crate::report::Report;

pub(super) const TARGETS: &[(&str, Target)] = &[
    ("LISTENER", Target::Listener),
    ("FILTER_CHAIN", Target::FilterChain),
    ("LISTENER_FILTER", Target::ListenerFilter),
    ("NETWORK_FILTER", Target::NetworkFilter),
    ("HTTP_FILTER", Target::HttpFilter),
    ("ROUTE_CONFIGURATION", Target::RouteConfiguration),
    ("VIRTUAL_HOST", Target::VirtualHost),
    ("HTTP_ROUTE", Target::HttpRoute),
    ("CLUSTER", Target::Cluster),
];

/// What Istio has and a proxy cannot be given over xDS, and why.
const NOT_SERVED: &[(&str, &str)] = &[
    (
        "BOOTSTRAP",
        "a proxy reads its bootstrap from a file before it asks for anything",
    ),
    (
        "EXTENSION_CONFIG",
        "configuration of extensions is not discovered by itself",
    ),
];

const OPERATIONS: &[(&str, Operation)] = &[
    ("MERGE", Operation::Merge),
    ("MERGE_AND_REPLACE_LIST", Operation::MergeReplacingLists),
    ("ADD", Operation::Add),
    ("REMOVE", Operation::Remove),
    ("INSERT_BEFORE", Operation::InsertBefore),
    ("INSERT_AFTER", Operation::InsertAfter),
    ("INSERT_FIRST", Operation::InsertFirst),
    ("REPLACE", Operation::Replace),
];

/// `None` with a warning while the kind is off; mistakes are told all the same.
pub(super) fn convert(
    spec: istio::envoy_filter::EnvoyFilter,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<EnvoyFilter> {
    let references = !spec.target_refs.is_empty();
    selector::no_references(codes::BAD_PATCH, references, report);
    let selected = match (spec.workload_selector, spec.workload_labels) {
        (Some(selector), _) => selector.labels,
        (None, labels) => labels.unwrap_or_default(),
    };
    let selected = selector::read(selected, "spec.workloadSelector.labels", report);
    let patches = spec.config_patches.into_iter().enumerate();
    let modern = patches
        .filter_map(|(at, patch)| self::patch(patch, &format!("spec.configPatches[{at}]"), report));
    let mut all: Vec<Patch> = modern.collect();
    for (at, filter) in spec.filters.into_iter().enumerate() {
        let field = format!("spec.filters[{at}]");
        all.extend(legacy::patch(filter, &field, report));
    }
    if !context.mesh.envoy_filters {
        off(report);
        return None;
    }
    Some(EnvoyFilter {
        object: reference(&context.object.key),
        selector: selected,
        priority: spec.priority.unwrap_or_default(),
        patches: all,
    })
}

fn off(report: &mut Report) {
    report.warn(
        codes::ENVOY_FILTER_OFF,
        "",
        "objects of kind EnvoyFilter are off, for they can break the proxies that they select",
        "the object has no effect",
        "start Pilothouse with --enableEnvoyFilter, or set enableEnvoyFilter in the mesh config",
    );
}

fn patch(
    patch: istio::envoy_filter::ConfigPatch,
    field: &str,
    report: &mut Report,
) -> Option<Patch> {
    let target = target(&patch.apply_to, field, report)?;
    let change = patch.patch.unwrap_or_default();
    let operation = operation(&change.operation, target, field, report)?;
    let value = match (&change.value, operation) {
        (_, Operation::Remove) => String::new(),
        (Some(value), _) if value.is_object() => value.to_string(),
        _ => {
            let why = format!("{} needs a value, a message in JSON", change.operation);
            let field = format!("{field}.patch.value");
            report.refuse(codes::BAD_PATCH, field, why, "give the patch a value");
            return None;
        }
    };
    if change
        .filter_class
        .is_some_and(|class| class != "UNSPECIFIED")
    {
        report.warn(
            codes::PATCH_FIELD,
            format!("{field}.patch.filterClass"),
            "filters are put where the operation says, not by class",
            "the field has no effect; the patch has",
            "name a filter with match and use INSERT_BEFORE or INSERT_AFTER",
        );
    }
    let conditions = patch.conditions.unwrap_or_default();
    let read = conditions::read(conditions, target, &format!("{field}.match"), report)?;
    Some(Patch {
        field: field.into(),
        target,
        context: read.context,
        listener: read.listener,
        routes: read.routes,
        cluster: read.cluster,
        operation,
        value: value.into(),
    })
}

fn target(name: &str, field: &str, report: &mut Report) -> Option<Target> {
    if let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) {
        return Some(*target);
    }
    let field = format!("{field}.applyTo");
    if let Some((_, why)) = NOT_SERVED.iter().find(|(known, _)| *known == name) {
        report.leave_out(
            codes::BAD_PATCH,
            field,
            format!("{name} cannot be patched: {why}"),
            "this patch has no effect; the others of the object have",
            "change the proxy's own bootstrap file, or patch a listener, route or cluster",
        );
        return None;
    }
    let why = match name {
        "" => "the patch does not say what it applies to".to_owned(),
        _ => format!("{name:?} is nothing that a patch can apply to"),
    };
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let remedy = format!("use one of {}", names.join(", "));
    report.refuse(codes::BAD_PATCH, field, why, remedy);
    None
}

fn operation(name: &str, target: Target, field: &str, report: &mut Report) -> Option<Operation> {
    let found = OPERATIONS.iter().find(|(known, _)| *known == name);
    let fits = found.filter(|(_, operation)| allowed(target).contains(operation));
    if fits.is_none() {
        let names: Vec<&str> = OPERATIONS
            .iter()
            .filter(|(_, operation)| allowed(target).contains(operation))
            .map(|(name, _)| *name)
            .collect();
        let why = match name {
            "" => "the patch has no operation".to_owned(),
            _ => format!("the operation {name} does not exist for what the patch applies to"),
        };
        let field = format!("{field}.patch.operation");
        let remedy = format!("use one of {}", names.join(", "));
        report.refuse(codes::BAD_PATCH, field, why, remedy);
    }
    fits.map(|(_, operation)| *operation)
}

/// What can be done with each, as in Istio.
fn allowed(target: Target) -> &'static [Operation] {
    use Operation::{
        Add, InsertAfter, InsertBefore, InsertFirst, Merge, MergeReplacingLists, Remove, Replace,
    };
    match target {
        Target::RouteConfiguration => &[Merge, MergeReplacingLists],
        Target::Listener | Target::FilterChain | Target::VirtualHost | Target::Cluster => {
            &[Merge, MergeReplacingLists, Add, Remove]
        }
        Target::HttpRoute => &[
            Merge,
            MergeReplacingLists,
            Add,
            Remove,
            InsertBefore,
            InsertAfter,
            InsertFirst,
        ],
        Target::ListenerFilter | Target::NetworkFilter | Target::HttpFilter => &[
            Merge,
            MergeReplacingLists,
            Add,
            Remove,
            InsertBefore,
            InsertAfter,
            InsertFirst,
            Replace,
        ],
    }
}
