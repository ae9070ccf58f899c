//! Patches of clusters.

use model::Role;
use model::envoy_filter::{ClusterMatch, Context, Operation, Patch};
use prost_reflect::DynamicMessage;

use super::merge::{Lists, merge};
use super::value::text;
use super::{Applied, Outcome};
use crate::names;

pub(super) fn change(role: Role, message: &mut DynamicMessage, applied: Applied<'_>) -> Outcome {
    let patch = applied.patch;
    if !meant(role, &text(message, "name"), patch) {
        return Outcome::Nothing;
    }
    match (patch.operation, applied.value) {
        (Operation::Remove, _) => Outcome::Removed,
        (Operation::Merge | Operation::MergeReplacingLists, Some(value)) => {
            merge(message, value, Lists::of(patch.operation));
            Outcome::Changed
        }
        // Additions are resources of their own.
        _ => Outcome::Nothing,
    }
}

/// Whether a patch is for the cluster of this name.
pub(super) fn meant(role: Role, name: &str, patch: &Patch) -> bool {
    patch.operation != Operation::Add
        && patch.context.covers(context(role, name))
        && matches(&patch.cluster, name)
}

fn context(role: Role, name: &str) -> Context {
    match role {
        Role::Router => Context::Gateway,
        Role::Sidecar if name.starts_with("inbound|") || name == names::INBOUND_PASSTHROUGH => {
            Context::SidecarInbound
        }
        Role::Sidecar => Context::SidecarOutbound,
    }
}

fn matches(wanted: &ClusterMatch, name: &str) -> bool {
    if let Some(wanted) = &wanted.name {
        return **wanted == *name;
    }
    if *wanted == ClusterMatch::default() {
        return true;
    }
    // `outbound|9080|v1|reviews…`, `inbound|9080||`
    let parts: Vec<&str> = name.split('|').collect();
    let [_, port, subset, host] = parts.as_slice() else {
        return false;
    };
    let is = |wanted: &Option<std::sync::Arc<str>>, part: &str| {
        wanted.as_ref().is_none_or(|wanted| **wanted == *part)
    };
    let port = wanted.port.is_none_or(|wanted| *port == wanted.to_string());
    port && is(&wanted.subset, subset) && is(&wanted.service, host)
}
