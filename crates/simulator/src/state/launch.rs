//! The life of an instance, one step at a time.
//!
//! ```text
//! Scheduled ─► Provisioned ─► Staging ─► Starting ─► Running ─► (healthy)
//!     ▲                                                 │
//!     └── same id, next incarnation ◄─ Failed ◄─────────┤
//!                     forgotten ◄─ Killed ◄─ Killing ◄──┘
//! ```

use std::sync::Arc;

use super::State;
use super::cluster::Placement;
use super::instance::{Condition, Goal, Health, Instance, Task};
use super::{clock::Stamp, ids};
use crate::options::{Kill, Launch, Readiness};
use crate::profile::Profile;
use crate::spec::{Constraint, Spec};

/// The road to a running task.
const STAGES: [Condition; 4] = [
    Condition::Provisioned,
    Condition::Staging,
    Condition::Starting,
    Condition::Running,
];

impl State {
    /// Adds an instance that waits for an agent.
    pub(crate) fn schedule(&mut self, spec: &Arc<Spec>) {
        let key = self.next_instance;
        self.next_instance += 1;
        let instance = Instance {
            key,
            id: self.ids.instance(self.profile, spec.kind, &spec.id),
            spec: spec.clone(),
            incarnation: 0,
            condition: Condition::Scheduled,
            goal: Goal::Running,
            since: self.clock.now(),
            agent: None,
            tasks: Vec::new(),
            addresses: Vec::new(),
            addresses_known: false,
            kill_requested: false,
        };
        self.instances.insert(key, instance);
        self.siblings
            .entry(spec.id.clone())
            .or_default()
            .insert(key);
        self.publish_instance(key);
    }

    /// Gives an instance up. Marathon tells of the new goal by an event with
    /// the old condition.
    pub(crate) fn decommission(&mut self, key: u64) {
        if let Some(instance) = self.instances.get_mut(&key) {
            instance.goal = Goal::Decommissioned;
            match self.profile.has_goals() {
                true => self.publish_instance(key),
                false => self.wake(key),
            }
        }
    }

    /// One step of one instance; false when it has come to rest.
    pub(super) fn step_instance(&mut self, key: u64) -> bool {
        let Some(instance) = self.instances.get(&key) else {
            return false;
        };
        let stopping = instance.goal == Goal::Decommissioned || instance.kill_requested;
        match instance.condition {
            Condition::Scheduled if stopping => self.forget(key),
            // Mesos cannot kill what it cannot reach: Marathon expunges it.
            condition if stopping && condition.is_lost() => self.forget(key),
            Condition::Scheduled => self.provision(key),
            condition if condition.is_terminal() => self.after_end(key),
            _ if stopping => self.step_kill(key),
            _ => self.step_launch(key) || self.step_ready(key) || self.step_health(key),
        }
    }

    fn provision(&mut self, key: u64) -> bool {
        // A launch always takes the latest version of its run spec.
        let id = &self.instances[&key].spec.id;
        let Some(spec) = self.run_specs.get(id).map(|r| r.current.clone()) else {
            return false;
        };
        let Some(placement) = self.place(&spec) else {
            self.homeless.insert(key);
            return false;
        };
        let now = self.clock.now();
        if let Some(instance) = self.instances.get_mut(&key) {
            instance.spec = spec;
            provision(instance, self.profile, placement, now);
        }
        self.publish_instance(key);
        true
    }

    /// The agent with the fewest instances of the same spec, then of any.
    fn place(&mut self, spec: &Spec) -> Option<Placement> {
        let mut same = vec![0usize; self.cluster.agents().len()];
        let siblings = self
            .instances_of(&spec.id)
            .filter(|i| i.condition.is_active());
        siblings
            .filter_map(|i| i.agent)
            .for_each(|agent| same[agent] += 1);
        let mut candidates: Vec<_> = self
            .cluster
            .agents()
            .filter(|agent| self.allows(spec, *agent, same[*agent]))
            .map(|agent| (same[agent], self.cluster.agent(agent).load(), agent))
            .collect();
        candidates.sort_unstable();
        let mut agents = candidates.into_iter().map(|(_, _, agent)| agent);
        agents.find_map(|agent| self.cluster.take(agent, spec))
    }

    fn allows(&self, spec: &Spec, agent: usize, same: usize) -> bool {
        let agent = self.cluster.agent(agent);
        let hostname = &agent.options.hostname;
        !agent.lost
            && spec.shape.placement.iter().all(|c| match c {
                Constraint::On(host) => host == hostname,
                Constraint::Unique => same == 0,
            })
    }

    /// Moves the task that lags behind the others one stage further.
    fn step_launch(&mut self, key: u64) -> bool {
        let tasks = self.instances[&key].tasks.iter().enumerate();
        let staged = tasks.filter_map(|(i, t)| Some((stage(t.condition)?, i)));
        let Some((stage, task)) = staged.min() else {
            return false;
        };
        let next = STAGES.get(stage + 1).copied();
        let held = self.launch == Launch::Manual && next != Some(Condition::Staging);
        match next {
            Some(next) if !held => {
                self.update_task(key, task, next);
                true
            }
            _ => false,
        }
    }

    /// Reports the first success of health checks.
    fn step_health(&mut self, key: u64) -> bool {
        let instance = &self.instances[&key];
        let unreported = |t: &Task| instance.container(t).health.is_some() && !t.health.reported;
        let waiting = instance.tasks.iter().position(unreported);
        match waiting {
            Some(task)
                if self.launch == Launch::Immediate && instance.condition == Condition::Running =>
            {
                self.report_health(key, task, Some(true));
                true
            }
            _ => false,
        }
    }

    /// Readiness checks answer with the first `TASK_RUNNING`.
    fn step_ready(&mut self, key: u64) -> bool {
        let immediate = self.readiness == Readiness::Immediate;
        let instance = self.instances.get_mut(&key);
        let Some(instance) = instance.filter(|i| immediate && i.condition == Condition::Running)
        else {
            return false;
        };
        let checked = !instance.spec.shape.readiness_checks.is_empty();
        let open = instance.tasks.iter_mut().find(|t| t.ready.is_none());
        let Some(task) = open.filter(|_| checked) else {
            return false;
        };
        task.ready = Some(true);
        self.revision += 1;
        self.wake(key);
        true
    }

    /// Kills the next task: all `TASK_KILLING` first, then all `TASK_KILLED`.
    fn step_kill(&mut self, key: u64) -> bool {
        let tasks = &self.instances[&key].tasks;
        let alive = |t: &Task| !t.condition.is_terminal() && t.condition != Condition::Killing;
        if let Some(task) = tasks.iter().position(alive) {
            self.update_task(key, task, Condition::Killing);
            return true;
        }
        let killing = tasks.iter().position(|t| t.condition == Condition::Killing);
        match killing {
            Some(task) if self.kill == Kill::Immediate => {
                self.update_task(key, task, Condition::Killed);
                true
            }
            _ => false,
        }
    }

    /// After the first container has ended: the Mesos executor kills the
    /// others, then Marathon launches the instance again or forgets it.
    fn after_end(&mut self, key: u64) -> bool {
        let instance = &self.instances[&key];
        let survivor = instance
            .tasks
            .iter()
            .position(|t| !t.condition.is_terminal());
        if let Some(task) = survivor {
            self.update_task(key, task, Condition::Killed);
            return true;
        }
        let given_up = instance.goal == Goal::Decommissioned || self.is_outdated(instance);
        if given_up || self.is_replaced(instance) {
            return self.forget(key);
        }
        if self.profile.keeps_instances() {
            self.reschedule(key);
            return true;
        }
        // Before 1.8 the next launch was another instance.
        let spec = instance.spec.clone();
        self.forget(key);
        self.schedule(&spec);
        true
    }

    /// A roll-out does not restart crashed instances of the old version: their
    /// replacements are on the way.
    fn is_outdated(&self, instance: &Instance) -> bool {
        let id = &instance.spec.id;
        let current = self.run_spec(id).map(|r| r.current.version);
        current != Some(instance.spec.version) && self.deployments_of(id).any(|d| d.restarts(id))
    }

    /// The same instance again: old tasks stay visible, without ports, until
    /// the next launch has a place.
    fn reschedule(&mut self, key: u64) {
        let now = self.clock.now();
        let Some(instance) = self.instances.get_mut(&key) else {
            return;
        };
        self.cluster.release(instance);
        instance.condition = Condition::Scheduled;
        instance.kill_requested = false;
        instance.since = now;
        self.wake_homeless();
        self.publish_instance(key);
    }

    fn forget(&mut self, key: u64) -> bool {
        // Its deployment must notice, so before it is gone.
        self.wake(key);
        self.awake.remove(&key);
        let Some(mut instance) = self.instances.remove(&key) else {
            return false;
        };
        if let Some(siblings) = self.siblings.get_mut(&instance.spec.id) {
            siblings.remove(&key);
        }
        self.cluster.release(&mut instance);
        self.wake_homeless();
        if instance.condition == Condition::Scheduled || instance.condition.is_lost() {
            instance.condition = Condition::Killed;
            self.publish_instance_of(&instance);
        }
        true
    }
}

fn stage(condition: Condition) -> Option<usize> {
    STAGES.iter().position(|s| *s == condition)
}

fn provision(instance: &mut Instance, profile: Profile, placement: Placement, now: Stamp) {
    instance.incarnation += 1;
    instance.agent = Some(placement.agent);
    instance.addresses = placement.addresses;
    instance.addresses_known = false;
    instance.condition = Condition::Provisioned;
    instance.since = now;
    let containers = instance.spec.shape.containers.iter();
    instance.tasks = containers
        .zip(placement.host_ports)
        .enumerate()
        .map(|(index, (container, host_ports))| Task {
            id: ids::task(
                profile,
                &instance.id,
                instance.spec.kind,
                &container.name,
                instance.incarnation,
            ),
            container: index,
            condition: Condition::Provisioned,
            host_ports,
            staged: now,
            started: None,
            since: now,
            health: Health::default(),
            ready: None,
        })
        .collect();
}
