//! Checking edits before anything is changed: all of them pass, or none is made.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::Edit;
use crate::deploy::{Action, Verb};
use crate::error::ApiError;
use crate::spec::{Kind, Spec, app, pod};
use crate::state::State;
use crate::state::clock::Stamp;

/// An edit that was checked, with what it means.
pub(super) struct Planned {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) spec: Option<Arc<Spec>>,
    pub(super) created: bool,
    verbs: Vec<Verb>,
}

impl State {
    pub(super) fn normalise(&self, kind: Kind, raw: &Value) -> Result<Value, ApiError> {
        let mut body = self.complete(kind, raw)?;
        if self.profile.has_roles() {
            crate::json::default(&mut body, "role", "*".into());
        }
        Ok(body)
    }

    fn complete(&self, kind: Kind, raw: &Value) -> Result<Value, ApiError> {
        let named = self.options.networks.iter().map(|n| n.name.clone());
        // The bridge is a CNI network of each agent and may be named as such.
        let networks: Vec<String> = named.chain([self.options.bridge_name.clone()]).collect();
        match kind {
            Kind::App => app::normalise(raw, &networks),
            Kind::Pod => pod::normalise(raw, &networks),
        }
    }

    pub(super) fn plan(
        &self,
        edit: Edit,
        version: Stamp,
        taken: &mut BTreeSet<u16>,
    ) -> Result<Planned, ApiError> {
        let id = edit.id();
        let current = self.run_spec(&id).map(|r| r.current.clone());
        let planned = |kind, spec, created, verbs| Planned {
            kind,
            id: id.clone(),
            spec,
            created,
            verbs,
        };
        match edit {
            Edit::Delete(kind, _) => {
                self.spec(kind, &id)?;
                Ok(planned(kind, None, false, vec![Verb::Stop]))
            }
            Edit::Restore(spec) => {
                let verbs = verbs(spec.kind, &spec.body, current.as_deref());
                let created = current.is_none();
                Ok(planned(spec.kind, Some(spec), created, verbs))
            }
            Edit::Restart(kind, _) => {
                let body = self.spec(kind, &id)?.source();
                // Without a predecessor everything counts as changed.
                let spec = Spec::new(kind, body, version, None);
                Ok(planned(
                    kind,
                    Some(Arc::new(spec)),
                    false,
                    vec![Verb::Restart],
                ))
            }
            Edit::Put(kind, raw) => {
                let mut body = self.normalise(kind, &raw)?;
                self.check_place(kind, &id)?;
                self.assign_ports(kind, &mut body, current.as_deref(), taken)?;
                let verbs = verbs(kind, &body, current.as_deref());
                let spec = Spec::new(kind, body, version, current.as_deref());
                let created = current.is_none();
                Ok(planned(kind, Some(Arc::new(spec)), created, verbs))
            }
        }
    }

    /// Apps, pods and groups share one tree.
    fn check_place(&self, kind: Kind, id: &str) -> Result<(), ApiError> {
        let clash = |other: &str| {
            let other_kind = self.run_specs[other].current.kind;
            (other == id && other_kind != kind)
                || other.starts_with(&format!("{id}/"))
                || id.starts_with(&format!("{other}/"))
        };
        let live = self.run_specs.iter().filter(|(_, r)| !r.deleted);
        match live.map(|(other, _)| other).find(|other| clash(other)) {
            Some(other) => Err(ApiError::invalid(
                "/id",
                format!("'{id}' clashes with the app, pod or group of '{other}'"),
            )),
            None => Ok(()),
        }
    }

    pub(super) fn taken_ports(&self) -> BTreeSet<u16> {
        let apps = self.specs(Kind::App);
        apps.flat_map(|s| s.service_ports()).collect()
    }

    fn assign_ports(
        &self,
        kind: Kind,
        body: &mut Value,
        current: Option<&Spec>,
        taken: &mut BTreeSet<u16>,
    ) -> Result<(), ApiError> {
        if kind == Kind::Pod {
            return Ok(());
        }
        let previous = current.map(Spec::service_ports).unwrap_or_default();
        taken.extend(app::service_ports(body));
        let range = self.options.service_ports.clone();
        app::assign_service_ports(body, &previous, || {
            let free = range.clone().find(|port| !taken.contains(port))?;
            taken.insert(free);
            Some(free)
        })
    }
}

fn verbs(kind: Kind, body: &Value, current: Option<&Spec>) -> Vec<Verb> {
    let instances = |shape: &Value| match kind {
        Kind::App => shape["instances"].clone(),
        Kind::Pod => shape["scaling"]["instances"].clone(),
    };
    match current {
        None => vec![Verb::Start, Verb::Scale],
        Some(old) if !old.same_config(kind, body) => vec![Verb::Restart],
        Some(old) if instances(&old.body) != instances(body) => vec![Verb::Scale],
        Some(_) => Vec::new(),
    }
}

/// Marathon stops first, then starts, then scales and restarts.
pub(super) fn steps(planned: &[Planned]) -> Vec<Vec<Action>> {
    let phase = |wanted: &[Verb]| -> Vec<Action> {
        let actions = planned.iter().flat_map(|p| {
            let verbs = p.verbs.iter().filter(|v| wanted.contains(v));
            verbs.map(|v| Action::new(*v, p.kind, &p.id))
        });
        actions.collect()
    };
    vec![
        phase(&[Verb::Stop]),
        phase(&[Verb::Start]),
        phase(&[Verb::Scale, Verb::Restart]),
    ]
}
