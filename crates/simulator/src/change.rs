//! Changes of run specs, as the API accepts them: each becomes a deployment.
//!
//! REST and the in-process handle both end here. A request may change several
//! apps at once; either all of it is accepted or nothing.

mod groups;
mod plan;
mod rollback;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::deploy::{Before, Deployment, Trees};
use crate::error::{ApiError, DeploymentId};
use crate::render::{self, event, group};
use crate::spec::{Kind, Spec, path};
use crate::state::clock::Stamp;
use crate::state::instance::Goal;
use crate::state::{RunSpec, State, unknown};
use plan::{Planned, steps};

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
    /// A version of before, with the instances that still run it.
    Restore(Arc<Spec>),
    Delete(Kind, String),
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

    /// Kills the instance of a task.
    pub(crate) fn kill_task(&mut self, task: &str) -> Result<(), ApiError> {
        let (key, _) = self.find_task(task)?;
        self.kill_instances(&[key]);
        Ok(())
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
        self.change(None, edits, by)
    }

    /// The same as a change of a group, of which nothing more is told.
    fn apply_to(
        &mut self,
        group: &str,
        edits: Vec<Edit>,
        by: &Origin,
    ) -> Result<Accepted, ApiError> {
        self.change(Some(group), edits, by)
    }

    fn change(
        &mut self,
        group: Option<&str>,
        edits: Vec<Edit>,
        by: &Origin,
    ) -> Result<Accepted, ApiError> {
        let ids: Vec<String> = edits.iter().map(Edit::id).collect();
        let locks = self.locks(&ids);
        if !locks.is_empty() && !by.force {
            return Err(ApiError::Locked(locks));
        }
        let version = self.clock.version();
        let mut taken = self.taken_ports();
        let planned: Vec<Planned> = edits
            .into_iter()
            .map(|edit| self.plan(edit, version, &mut taken))
            .collect::<Result<_, _>>()?;
        self.cancel_deployments(&locks);
        let before = planned.iter().map(|p| self.before(p)).collect();
        let original = self.tree();
        planned.iter().for_each(|p| self.store(p));
        self.version = version;
        match group {
            Some(group) => self.publish(event::group_change(group, version)),
            None => self.tell(&planned, version, by),
        }
        let id = DeploymentId(self.ids.uuid());
        let mut deployment = Deployment::new(id, version, steps(&planned));
        deployment.before = before;
        let ends = original.zip(self.tree());
        deployment.trees = ends.map(|(original, target)| Trees { original, target });
        let accepted = Accepted {
            id: planned.first().map(|p| p.id.clone()).unwrap_or_default(),
            deployment: deployment.id.clone(),
            version,
            created: planned.iter().any(|p| p.created),
        };
        self.deployments.push(deployment);
        Ok(accepted)
    }

    fn before(&self, planned: &Planned) -> Before {
        let old = self.run_spec(&planned.id).map(|r| r.current.clone());
        (planned.kind, planned.id.clone(), old)
    }

    /// The group tree, for Marathons that put it into events.
    fn tree(&self) -> Option<Value> {
        let heavy = self.profile.heavy_plans(None) || self.profile.heavy_plans(Some("heavy"));
        heavy.then(|| group::definitions(self, "/"))
    }

    fn locks(&self, ids: &[String]) -> Vec<DeploymentId> {
        let locked = |d: &&Deployment| ids.iter().any(|id| d.affects(id));
        let locking = self.deployments.iter().filter(locked);
        locking.map(|d| d.id.clone()).collect()
    }

    fn store(&mut self, planned: &Planned) {
        match &planned.spec {
            Some(spec) => {
                let run_spec = self.run_specs.entry(planned.id.clone());
                let run_spec = run_spec.or_insert_with(|| RunSpec {
                    current: spec.clone(),
                    versions: Default::default(),
                    deleted: false,
                    last_failure: None,
                });
                run_spec.current = spec.clone();
                run_spec.versions.insert(spec.version, spec.clone());
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
                (Kind::App, Some(spec)) => {
                    Some(event::api_post(by, &render::app::definition(self, spec)))
                }
                (Kind::App, None) => None,
                (Kind::Pod, _) if !self.profile.has_pod_events() => None,
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
            Edit::Restore(spec) => spec.id.clone(),
        }
    }
}
