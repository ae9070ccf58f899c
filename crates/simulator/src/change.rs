//! Changes of run specs, as the API accepts them: each becomes a deployment.
//!
//! REST and the in-process handle both end here. A request may change several
//! apps at once; either all of it is accepted or nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::deploy::{Action, Deployment, Verb};
use crate::error::{ApiError, DeploymentId};
use crate::render::event;
use crate::spec::{Kind, Spec, app, path, pod};
use crate::state::clock::Stamp;
use crate::state::instance::Goal;
use crate::state::{RunSpec, State, unknown};

/// Who asked, for `api_post_event` and the pod events.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) client: String,
    pub(crate) uri: String,
    /// Take over from running deployments.
    pub(crate) force: bool,
}

/// An accepted change.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) id: String,
    pub(crate) deployment: DeploymentId,
    pub(crate) version: Stamp,
    pub(crate) created: bool,
}

/// A change of one run spec.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// The complete new document.
    Put(Kind, Value),
    /// The same again: a new version with new instances.
    Restart(Kind, String),
    Delete(Kind, String),
}

/// An edit that was checked, with what it means.
struct Planned {
    kind: Kind,
    id: String,
    spec: Option<Arc<Spec>>,
    created: bool,
    verbs: Vec<Verb>,
}

impl State {
    /// Creates an app or pod; its id must be free.
    pub(crate) fn create(
        &mut self,
        kind: Kind,
        raw: &Value,
        by: &Origin,
    ) -> Result<Accepted, ApiError> {
        let body = self.normalise(kind, raw)?;
        let id = body["id"].as_str().unwrap_or_default();
        if self.run_spec(id).is_some() {
            let noun = match kind {
                Kind::App => "An app",
                Kind::Pod => "A pod",
            };
            return Err(ApiError::Conflict(format!(
                "{noun} with id [{id}] already exists."
            )));
        }
        self.apply(vec![Edit::Put(kind, body)], by)
    }

    /// Sets the wanted number of instances.
    pub(crate) fn scale(
        &mut self,
        id: &str,
        instances: usize,
        by: &Origin,
    ) -> Result<Accepted, ApiError> {
        let run_spec = self.run_spec(id).ok_or_else(|| unknown(Kind::App, id))?;
        let mut body = run_spec.current.source();
        let kind = run_spec.current.kind;
        match kind {
            Kind::App => body["instances"] = instances.into(),
            Kind::Pod => body["scaling"]["instances"] = instances.into(),
        }
        self.apply(vec![Edit::Put(kind, body)], by)
    }

    /// Kills tasks and lowers the wanted numbers accordingly.
    pub(crate) fn kill_and_scale(
        &mut self,
        instances: &[u64],
        by: &Origin,
    ) -> Result<Accepted, ApiError> {
        let mut edits = Vec::new();
        let specs: BTreeSet<&str> = instances
            .iter()
            .map(|key| self.instances[key].spec.id.as_str())
            .collect();
        for id in specs {
            let killed = instances.iter().filter(|k| {
                let instance = &self.instances[k];
                instance.spec.id == id && instance.goal == Goal::Running
            });
            let killed = killed.count();
            let spec = &self
                .run_spec(id)
                .ok_or_else(|| unknown(Kind::App, id))?
                .current;
            let mut body = spec.source();
            let left = json!(spec.shape.instances.saturating_sub(killed));
            match spec.kind {
                Kind::App => body["instances"] = left,
                Kind::Pod => body["scaling"]["instances"] = left,
            }
            edits.push(Edit::Put(spec.kind, body));
        }
        let accepted = self.apply(edits, by)?;
        instances.iter().for_each(|key| self.decommission(*key));
        Ok(accepted)
    }

    /// Kills instances; Marathon launches them again under the same ids.
    pub(crate) fn kill_instances(&mut self, instances: &[u64]) {
        for key in instances {
            if let Some(instance) = self.instances.get_mut(key) {
                instance.kill_requested |= instance.condition.is_active();
            }
            self.wake(*key);
        }
    }

    /// Checks the edits, stores the new specs and begins a deployment.
    pub(crate) fn apply(&mut self, edits: Vec<Edit>, by: &Origin) -> Result<Accepted, ApiError> {
        let ids: Vec<String> = edits.iter().map(Edit::id).collect();
        let locks = self.locks(&ids);
        if !locks.is_empty() && !by.force {
            return Err(ApiError::Locked(locks));
        }
        let version = self.clock.version();
        let planned: Vec<Planned> = edits
            .into_iter()
            .map(|edit| self.plan(edit, version))
            .collect::<Result<_, _>>()?;
        self.cancel_deployments(&locks);
        planned.iter().for_each(|p| self.store(p, version));
        self.version = version;
        self.tell(&planned, version, by);
        let deployment = Deployment::new(DeploymentId(self.ids.uuid()), version, steps(&planned));
        let accepted = Accepted {
            id: planned.first().map(|p| p.id.clone()).unwrap_or_default(),
            deployment: deployment.id.clone(),
            version,
            created: planned.iter().any(|p| p.created),
        };
        self.deployments.push(deployment);
        Ok(accepted)
    }

    fn normalise(&self, kind: Kind, raw: &Value) -> Result<Value, ApiError> {
        let named = self.options.networks.iter().map(|n| n.name.clone());
        // The bridge is a CNI network of each agent and may be named as such.
        let networks: Vec<String> = named.chain([self.options.bridge_name.clone()]).collect();
        match kind {
            Kind::App => app::normalise(raw, &networks),
            Kind::Pod => pod::normalise(raw, &networks),
        }
    }

    fn locks(&self, ids: &[String]) -> Vec<DeploymentId> {
        let locked = |d: &&Deployment| ids.iter().any(|id| d.affects(id));
        let locking = self.deployments.iter().filter(locked);
        locking.map(|d| d.id.clone()).collect()
    }

    fn plan(&self, edit: Edit, version: Stamp) -> Result<Planned, ApiError> {
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
                self.assign_ports(kind, &mut body, current.as_deref())?;
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

    fn assign_ports(
        &self,
        kind: Kind,
        body: &mut Value,
        current: Option<&Spec>,
    ) -> Result<(), ApiError> {
        if kind == Kind::Pod {
            return Ok(());
        }
        let previous = current.map(Spec::service_ports).unwrap_or_default();
        let mut taken: BTreeSet<u16> = self
            .specs(Kind::App)
            .flat_map(|s| s.service_ports())
            .collect();
        taken.extend(app::service_ports(body));
        let range = self.options.service_ports.clone();
        app::assign_service_ports(body, &previous, || {
            let free = range.clone().find(|port| !taken.contains(port))?;
            taken.insert(free);
            Some(free)
        })
    }

    fn store(&mut self, planned: &Planned, version: Stamp) {
        match &planned.spec {
            Some(spec) => {
                let run_spec = self.run_specs.entry(planned.id.clone());
                let run_spec = run_spec.or_insert_with(|| RunSpec {
                    current: spec.clone(),
                    versions: Default::default(),
                    deleted: false,
                });
                run_spec.current = spec.clone();
                run_spec.versions.insert(version, spec.clone());
                run_spec.deleted = false;
            }
            None => {
                if let Some(run_spec) = self.run_specs.get_mut(&planned.id) {
                    run_spec.deleted = true;
                }
            }
        }
    }

    /// The events of the request itself, before those of the deployment.
    fn tell(&mut self, planned: &[Planned], version: Stamp, by: &Origin) {
        for plan in planned {
            let event = match (plan.kind, &plan.spec) {
                (Kind::App, Some(spec)) => Some(event::api_post(by, &spec.body)),
                (Kind::App, None) => None,
                (Kind::Pod, Some(_)) if plan.created => Some(event::pod("pod_created_event", by)),
                (Kind::Pod, Some(_)) => Some(event::pod("pod_updated_event", by)),
                (Kind::Pod, None) => Some(event::pod("pod_deleted_event", by)),
            };
            event.into_iter().for_each(|e| self.publish(e));
        }
        let group = match planned {
            [one] => path::parent(&one.id).to_owned(),
            _ => "/".to_owned(),
        };
        self.publish(event::group_change(&group, version));
    }
}

impl Edit {
    fn id(&self) -> String {
        match self {
            Edit::Put(_, raw) => path::lookup(raw["id"].as_str().unwrap_or_default()),
            Edit::Restart(_, id) | Edit::Delete(_, id) => id.clone(),
        }
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
fn steps(planned: &[Planned]) -> Vec<Vec<Action>> {
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
