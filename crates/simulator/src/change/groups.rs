//! Changes of groups: many apps in one deployment.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Accepted, Edit, Origin};
use crate::error::{ApiError, Violation};
use crate::json::{field, list, text};
use crate::render::group;
use crate::spec::{Kind, path};
use crate::state::State;

/// What the new description of a group comes to.
#[derive(Default)]
struct Update {
    edits: Vec<Edit>,
    groups: BTreeSet<String>,
    violations: Vec<Violation>,
}

impl State {
    /// `POST /v2/groups`: the group must be new.
    pub(crate) fn create_group(
        &mut self,
        base: &str,
        raw: &Value,
        by: &Origin,
    ) -> Result<Accepted, ApiError> {
        let id = resolve(base, text(raw, "id").unwrap_or_default());
        if group::exists(self, &id) || self.run_spec(&id).is_some() {
            let message = format!("Group {id} is already created. Use PUT to change this group.");
            return Err(ApiError::Conflict(message));
        }
        self.put_group(base, raw, by)
    }

    /// `PUT /v2/groups/{id}`: lists that are given replace what is there;
    /// `scaleBy` multiplies all instances below.
    pub(crate) fn put_group(
        &mut self,
        base: &str,
        raw: &Value,
        by: &Origin,
    ) -> Result<Accepted, ApiError> {
        let id = match text(raw, "id") {
            Some(own) => resolve(base, own),
            None => base.to_owned(),
        };
        let update = match field(raw, "scaleBy").and_then(Value::as_f64) {
            Some(factor) => self.scale_group(&id, factor),
            None => {
                let mut update = Update::default();
                self.read_group(raw, &id, &mut update);
                update
            }
        };
        if !update.violations.is_empty() {
            return Err(ApiError::Invalid(update.violations));
        }
        let mut accepted = self.apply_to(&id, update.edits, by)?;
        self.groups.extend(update.groups);
        accepted.id = id;
        Ok(accepted)
    }

    /// `DELETE /v2/groups/{id}`: with all that lives there.
    pub(crate) fn delete_group(&mut self, id: &str, by: &Origin) -> Result<Accepted, ApiError> {
        let edits = self.below(id).map(|(kind, id)| Edit::Delete(kind, id));
        let edits = edits.collect();
        let accepted = self.apply_to(id, edits, by)?;
        let prefix = format!("{}/", id.trim_end_matches('/'));
        self.groups.retain(|g| g != id && !g.starts_with(&prefix));
        Ok(accepted)
    }

    fn read_group(&self, raw: &Value, id: &str, update: &mut Update) {
        if let Err(violation) = path::absolute(id)
            && id != "/"
        {
            update.violations.push(violation);
            return;
        }
        update.groups.insert(id.to_owned());
        if !list(raw, "pods").is_empty() {
            // Marathon ignores them; a person is better told.
            let error = format!("pods of '{id}' cannot be changed through groups: use /v2/pods");
            update.violations.push(Violation::new("/pods", error));
        }
        if field(raw, "apps").is_some() {
            self.read_apps(list(raw, "apps"), id, update);
        }
        let mut named = BTreeSet::new();
        for child in list(raw, "groups") {
            let child_id = resolve(id, text(child, "id").unwrap_or_default());
            self.read_group(child, &child_id, update);
            named.insert(child_id);
        }
        if field(raw, "groups").is_some() {
            let prefix = format!("{}/", id.trim_end_matches('/'));
            let gone = self.below(id).filter(|(_, other)| {
                let rest = other.strip_prefix(&prefix).unwrap_or_default();
                let child = rest.split_once('/').map(|(c, _)| format!("{prefix}{c}"));
                child.is_some_and(|c| !named.contains(&c))
            });
            let gone = gone.map(|(kind, id)| Edit::Delete(kind, id));
            update.edits.extend(gone);
        }
    }

    fn read_apps(&self, apps: &[Value], group: &str, update: &mut Update) {
        let mut named = BTreeSet::new();
        for app in apps {
            let id = resolve(group, text(app, "id").unwrap_or_default());
            let mut body = app.clone();
            if body.is_object() {
                body["id"] = json!(id);
            }
            named.insert(id);
            update.edits.push(Edit::Put(Kind::App, body));
        }
        let gone = self
            .specs(Kind::App)
            .filter(|s| path::parent(&s.id) == group && !named.contains(&s.id));
        let gone = gone.map(|s| Edit::Delete(Kind::App, s.id.clone()));
        update.edits.extend(gone);
    }

    fn scale_group(&self, id: &str, factor: f64) -> Update {
        let mut update = Update::default();
        for (kind, id) in self.below(id).filter(|(kind, _)| *kind == Kind::App) {
            if let Ok(spec) = self.spec(kind, &id) {
                let mut body = spec.source();
                let instances = (spec.shape.instances as f64 * factor).ceil() as usize;
                body["instances"] = instances.into();
                update.edits.push(Edit::Put(kind, body));
            }
        }
        update
    }

    /// Apps and pods in a group or below it.
    fn below<'a>(&'a self, group: &str) -> impl Iterator<Item = (Kind, String)> + 'a {
        let prefix = format!("{}/", group.trim_end_matches('/'));
        let live = self.run_specs.values().filter(|r| !r.deleted);
        live.filter(move |r| r.current.id.starts_with(&prefix))
            .map(|r| (r.current.kind, r.current.id.clone()))
    }
}

/// Ids inside a group may be relative to it.
fn resolve(base: &str, id: &str) -> String {
    match id.starts_with('/') {
        true => path::lookup(id),
        false => path::lookup(&format!("{base}/{id}")),
    }
}
