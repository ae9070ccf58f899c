//! What the simulated Marathon knows, and its one clockwork.
//!
//! Requests change [`State`] at once (run specs, deployments, goals);
//! everything that then follows by itself happens in [`State::step`], one
//! visible change per call, so that an observer between two steps sees the same
//! intermediate states as with the real one.

mod balance;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod ids;
pub(crate) mod instance;
mod launch;
mod loss;
mod pool;
mod report;
mod term;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;

use crate::auth::{BadKey, Guard};
use crate::deploy::Deployment;
use crate::error::ApiError;
use crate::events::Hub;
use crate::faults::Faults;
use crate::options::{Kill, Launch, Options, Readiness};
use crate::profile::Profile;
use crate::spec::{Kind, Spec};
use clock::{Clock, Stamp};
use cluster::Cluster;
use ids::Ids;
use instance::Instance;

/// The whole state of one Marathon.
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) profile: Profile,
    /// Where the members of the Marathon cluster listen.
    pub(crate) members: Vec<SocketAddr>,
    /// Which of them leads.
    pub(crate) leader: Option<usize>,
    /// Event streams that a leader who is not ready closes at once.
    pub(crate) unready: u32,
    pub(crate) framework_id: String,
    pub(crate) launch: Launch,
    pub(crate) kill: Kill,
    pub(crate) readiness: Readiness,
    pub(crate) faults: Faults,
    pub(crate) guard: Guard,
    /// Groups that were created as such; others exist through their members.
    pub(crate) groups: BTreeSet<String>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) run_specs: BTreeMap<String, RunSpec>,
    /// In order of creation.
    pub(crate) instances: BTreeMap<u64, Instance>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) cluster: Cluster,
    pub(crate) hub: Hub,
    /// The version of the root group.
    pub(crate) version: Stamp,
    /// Grows with every event and every silent change.
    pub(crate) revision: u64,
    next_instance: u64,
    /// The instances of each run spec.
    siblings: BTreeMap<String, BTreeSet<u64>>,
    /// Run specs whose number of instances may be wrong.
    unbalanced: BTreeSet<String>,
    /// Instances that may move by themselves.
    awake: BTreeSet<u64>,
    /// Instances that found no agent; they try again when something is freed.
    homeless: BTreeSet<u64>,
}

/// An app or pod with all its versions.
pub(crate) struct RunSpec {
    pub(crate) current: Arc<Spec>,
    pub(crate) versions: BTreeMap<Stamp, Arc<Spec>>,
    /// Deleted specs vanish from the API at once (Marathon replaces the root
    /// group as soon as the deployment is accepted) while their instances die.
    pub(crate) deleted: bool,
    /// The last task that ended badly.
    pub(crate) last_failure: Option<Value>,
}

impl State {
    pub(crate) fn new(options: Options, members: Vec<SocketAddr>) -> Result<State, BadKey> {
        let mut ids = Ids::new(options.seed);
        let framework_id = format!("{}-0000", ids.uuid());
        let mut clock = Clock::default();
        let profile = Profile::of(&options.version);
        Ok(State {
            profile,
            members,
            leader: Some(0),
            unready: 0,
            readiness: options.readiness,
            faults: Faults::default(),
            guard: Guard::new(&options.auth, options.seed)?,
            groups: BTreeSet::new(),
            launch: options.launch,
            kill: options.kill,
            cluster: Cluster::new(&options, &ids.uuid()),
            version: clock.version(),
            framework_id,
            clock,
            ids,
            run_specs: BTreeMap::new(),
            instances: BTreeMap::new(),
            deployments: Vec::new(),
            hub: Hub::new(options.event_buffer, profile, options.seed),
            revision: 0,
            next_instance: 0,
            siblings: BTreeMap::new(),
            unbalanced: BTreeSet::new(),
            awake: BTreeSet::new(),
            homeless: BTreeSet::new(),
            options,
        })
    }

    /// Lets the next thing happen that happens by itself. False when nothing
    /// moves until somebody asks for a change.
    pub(crate) fn step(&mut self) -> bool {
        // Without a leader nobody acts; what runs, runs on.
        self.leader.is_some()
            && (self.step_deployments() || self.step_balance() || self.step_instances())
    }

    fn step_instances(&mut self) -> bool {
        while let Some(key) = self.awake.first().copied() {
            if self.step_instance(key) {
                return true;
            }
            self.awake.remove(&key);
        }
        false
    }

    /// Something about the instance is new: it, and the deployment that waits
    /// for it, get another look.
    pub(crate) fn wake(&mut self, key: u64) {
        self.awake.insert(key);
        if let Some(instance) = self.instances.get(&key) {
            let id = &instance.spec.id;
            let waiting = self.deployments.iter_mut().filter(|d| d.affects(id));
            waiting.for_each(Deployment::wake);
            self.unbalanced.insert(id.clone());
        }
    }

    /// The rules have changed for everybody.
    pub(crate) fn wake_all(&mut self) {
        self.awake = self.instances.keys().copied().collect();
    }

    /// Room was made: instances without an agent try again.
    fn wake_homeless(&mut self) {
        self.awake.append(&mut self.homeless);
    }

    /// Nothing left to do: no deployment, and the right instances run.
    pub(crate) fn settled(&self) -> bool {
        let balanced = self.unbalanced.iter().all(|id| self.is_balanced(id));
        self.deployments.is_empty() && balanced && self.instances.values().all(Instance::is_steady)
    }

    /// The run spec, unless it was deleted.
    pub(crate) fn run_spec(&self, id: &str) -> Option<&RunSpec> {
        self.run_specs.get(id).filter(|r| !r.deleted)
    }

    /// The current spec of that kind.
    pub(crate) fn spec(&self, kind: Kind, id: &str) -> Result<&Arc<Spec>, ApiError> {
        let found = self.run_spec(id).map(|r| &r.current);
        found
            .filter(|s| s.kind == kind)
            .ok_or_else(|| unknown(kind, id))
    }

    /// One version of a spec; `version` as in the URL.
    pub(crate) fn spec_version(
        &self,
        kind: Kind,
        id: &str,
        version: &str,
    ) -> Result<&Arc<Spec>, ApiError> {
        self.spec(kind, id)?;
        let versions = self.run_spec(id).into_iter().flat_map(|r| &r.versions);
        let mut matching = versions.filter(|(stamp, _)| stamp.to_string() == version);
        matching.next().map(|(_, spec)| spec).ok_or_else(|| {
            let noun = noun(kind);
            ApiError::NotFound(format!("{noun} '{id}' does not exist in version {version}"))
        })
    }

    /// Current specs of one kind by id, without deleted ones.
    pub(crate) fn specs(&self, kind: Kind) -> impl Iterator<Item = &Arc<Spec>> {
        let live = self.run_specs.values().filter(|r| !r.deleted);
        live.map(|r| &r.current).filter(move |s| s.kind == kind)
    }

    /// The instances of a run spec, oldest first.
    pub(crate) fn instances_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Instance> {
        let keys = self.siblings.get(id).into_iter().flatten();
        keys.filter_map(|key| self.instances.get(key))
    }

    /// The instance and the index of the task with that id.
    pub(crate) fn find_task(&self, task: &str) -> Result<(u64, usize), ApiError> {
        let indexed = self.instances.values().flat_map(|i| {
            let tasks = i.tasks.iter().enumerate();
            tasks.map(move |(index, t)| (i.key, index, &t.id))
        });
        let mut matching = indexed.filter(|(_, _, id)| *id == task);
        let found = matching.next().map(|(key, index, _)| (key, index));
        found.ok_or_else(|| ApiError::NotFound(format!("Task '{task}' does not exist")))
    }

    /// The leader's address as Marathon writes it.
    pub(crate) fn leader_addr(&self) -> Option<SocketAddr> {
        self.leader.and_then(|i| self.members.get(i)).copied()
    }

    /// The deployments that work on a run spec.
    pub(crate) fn deployments_of(&self, id: &str) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().filter(move |d| d.affects(id))
    }
}

/// The 404 for a missing app or pod.
pub(crate) fn unknown(kind: Kind, id: &str) -> ApiError {
    ApiError::NotFound(format!("{} '{id}' does not exist", noun(kind)))
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "App",
        Kind::Pod => "Pod",
    }
}
