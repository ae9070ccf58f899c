//! The group tree, built from the ids of apps and pods.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Embed, app, pod};
use crate::spec::{Kind, path};
use crate::state::State;

/// A group with its sub-groups. Without `embed` it holds groups and apps;
/// with it, exactly what is asked for.
pub(crate) fn group(state: &State, id: &str, embed: &Embed) -> Value {
    let mut json = json!({
        "id": id,
        "dependencies": [],
        "version": state.version.to_string(),
        "apps": [],
        "pods": [],
        "groups": [],
    });
    let here = |spec_id: &str| path::parent(spec_id) == id;
    if embed.has("group.apps") {
        let apps = state.specs(Kind::App).filter(|s| here(&s.id));
        json["apps"] = apps.map(|s| app::app(state, s, embed)).collect();
    }
    if embed.has("group.pods") {
        let pods = state.specs(Kind::Pod).filter(|s| here(&s.id));
        json["pods"] = pods.map(|s| pod::status(state, s)).collect();
    }
    if embed.has("group.groups") {
        let children = children(state, id);
        json["groups"] = children.iter().map(|g| group(state, g, embed)).collect();
    }
    json
}

/// Whether an app or pod lives in the group or below it.
pub(crate) fn exists(state: &State, id: &str) -> bool {
    let live = state.run_specs.iter().filter(|(_, r)| !r.deleted);
    id == "/"
        || live
            .into_iter()
            .any(|(spec, _)| spec.starts_with(&format!("{id}/")))
}

fn children(state: &State, id: &str) -> BTreeSet<String> {
    let prefix = format!("{}/", id.trim_end_matches('/'));
    let live = state.run_specs.iter().filter(|(_, r)| !r.deleted);
    let below = live.filter_map(|(spec, _)| spec.strip_prefix(&prefix));
    let nested = below.filter_map(|rest| rest.split_once('/'));
    nested
        .map(|(child, _)| format!("{prefix}{child}"))
        .collect()
}
