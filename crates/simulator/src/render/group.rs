//! The group tree, built from the ids of apps, pods and empty groups.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Embed, app, pod};
use crate::spec::{Kind, path};
use crate::state::State;

/// A group with its sub-groups. Without `embed` it holds groups and apps;
/// with it, exactly what is asked for.
pub(crate) fn group(state: &State, id: &str, embed: &Embed) -> Value {
    let mut json = bare(state, id);
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

/// The tree of definitions, as plans once carried it.
pub(crate) fn definitions(state: &State, id: &str) -> Value {
    let mut json = bare(state, id);
    let here = |spec_id: &str| path::parent(spec_id) == id;
    let apps = state.specs(Kind::App).filter(|s| here(&s.id));
    json["apps"] = apps.map(|s| app::definition(state, s)).collect();
    let pods = state.specs(Kind::Pod).filter(|s| here(&s.id));
    json["pods"] = pods.map(|s| s.body.clone()).collect();
    let children = children(state, id);
    json["groups"] = children.iter().map(|g| definitions(state, g)).collect();
    json
}

fn bare(state: &State, id: &str) -> Value {
    let mut json = json!({
        "id": id,
        "dependencies": [],
        "version": state.version.to_string(),
        "apps": [],
        "pods": [],
        "groups": [],
    });
    if state.profile.has_roles() {
        json["enforceRole"] = false.into();
    }
    json
}

/// Whether the group was created, or an app or pod lives in or below it.
pub(crate) fn exists(state: &State, id: &str) -> bool {
    id == "/" || ids(state).any(|other| other.starts_with(&format!("{id}/")))
}

fn children(state: &State, id: &str) -> BTreeSet<String> {
    let prefix = format!("{}/", id.trim_end_matches('/'));
    let below = ids(state);
    let below = below.filter_map(|other| Some(other.strip_prefix(&prefix)?.to_owned()));
    let nested = below.filter_map(|rest| Some(rest.split_once('/')?.0.to_owned()));
    nested.map(|child| format!("{prefix}{child}")).collect()
}

/// Everything that has a place in the tree; groups end with a slash.
fn ids(state: &State) -> impl Iterator<Item = String> {
    let live = state.run_specs.iter().filter(|(_, r)| !r.deleted);
    let groups = state.groups.iter().map(|g| format!("{g}/"));
    live.map(|(id, _)| id.clone()).chain(groups)
}
