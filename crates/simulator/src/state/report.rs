//! What Mesos and health checks report: a new task state, a new health.
//!
//! The events come in Marathon's order: the status update first, then the
//! instance's change if its condition changed with it.

use serde_json::{Value, json};

use super::State;
use super::clock::Stamp;
use super::cluster::Cluster;
use super::instance::{Condition, Health, Instance};
use crate::deploy::Trees;
use crate::error::ApiError;
use crate::render::event;
use crate::spec::Kind;

impl State {
    /// A task reached a state.
    pub(crate) fn update_task(&mut self, key: u64, task: usize, condition: Condition) {
        let now = self.clock.now();
        let Some(instance) = self.instances.get_mut(&key) else {
            return;
        };
        let target = &mut instance.tasks[task];
        target.condition = condition;
        target.since = now;
        if condition == Condition::Running {
            target.started.get_or_insert(now);
            instance.addresses_known = true;
        }
        let failure = condition
            .is_failure()
            .then(|| task_failure(instance, task, &self.cluster, now));
        let conditions = instance.tasks.iter().map(|t| t.condition);
        let worst = Condition::worst(conditions).unwrap_or(condition);
        let changed = worst != instance.condition;
        if changed {
            instance.condition = worst;
            instance.since = now;
        }
        if let Some(failure) = failure {
            let id = &self.instances[&key].spec.id;
            if let Some(run_spec) = self.run_specs.get_mut(id) {
                run_spec.last_failure = Some(failure);
            }
        }
        self.publish_status(key, task);
        if changed {
            self.publish_instance(key);
        }
    }

    /// A task state as reported by the caller.
    pub(crate) fn set_task_state(&mut self, task: &str, state: &str) -> Result<(), ApiError> {
        let (key, index) = self.find_task(task)?;
        let condition = Condition::from_mesos(state).ok_or_else(|| {
            ApiError::BadRequest(format!("'{state}' is not the name of a Mesos task state"))
        })?;
        let current = self.instances[&key].tasks[index].condition;
        if current.is_terminal() {
            let message = format!("Task '{task}' has ended with {}", current.mesos());
            return Err(ApiError::Conflict(message));
        }
        self.update_task(key, index, condition);
        Ok(())
    }

    /// Readiness checks of a task answered; `None` forgets it.
    pub(crate) fn set_ready(&mut self, task: &str, ready: Option<bool>) -> Result<(), ApiError> {
        let (key, index) = self.find_task(task)?;
        let Some(instance) = self.instances.get_mut(&key) else {
            return Ok(());
        };
        if instance.spec.shape.readiness_checks.is_empty() {
            let message = format!("Task '{task}' has no readiness check");
            return Err(ApiError::BadRequest(message));
        }
        instance.tasks[index].ready = ready;
        self.revision += 1;
        self.wake(key);
        Ok(())
    }

    /// Health checks of a task changed their mind.
    pub(crate) fn set_health(&mut self, task: &str, alive: Option<bool>) -> Result<(), ApiError> {
        let (key, index) = self.find_task(task)?;
        let instance = &self.instances[&key];
        if instance.container(&instance.tasks[index]).health.is_none() {
            let message = format!("Task '{task}' has no health check");
            return Err(ApiError::BadRequest(message));
        }
        self.report_health(key, index, alive);
        Ok(())
    }

    pub(super) fn report_health(&mut self, key: u64, task: usize, alive: Option<bool>) {
        let now = self.clock.now();
        let Some(instance) = self.instances.get_mut(&key) else {
            return;
        };
        let before = instance.healthy();
        let health = &mut instance.tasks[task].health;
        health.alive = alive;
        health.reported = true;
        health.wiped = false;
        match alive {
            Some(true) => {
                health.first_success.get_or_insert(now);
                health.last_success = Some(now);
                health.consecutive_failures = 0;
            }
            Some(false) => {
                health.last_failure = Some(now);
                health.consecutive_failures += 1;
            }
            None => {
                *health = Health {
                    reported: true,
                    ..Health::default()
                };
            }
        }
        self.wake(key);
        let instance = &self.instances[&key];
        let (kind, changed) = (instance.kind(), before != instance.healthy());
        if kind == Kind::App {
            let event = event::health_status(instance);
            self.publish(event);
        } else {
            // Pods have Mesos checks only: their health arrives in an update.
            self.publish_status(key, task);
        }
        if changed {
            let event = event::instance_health(&self.instances[&key]);
            self.publish(event);
        }
    }

    pub(super) fn publish_status(&mut self, key: u64, task: usize) {
        self.wake(key);
        let instance = &self.instances[&key];
        let event = event::status_update(self, instance, &instance.tasks[task]);
        self.publish(event);
    }

    pub(super) fn publish_instance(&mut self, key: u64) {
        self.wake(key);
        let hidden = self.instances[&key].condition == Condition::Scheduled;
        if hidden && !self.profile.has_goals() {
            self.revision += 1;
            return;
        }
        let event = event::instance_changed(self, &self.instances[&key]);
        self.publish(event);
    }

    pub(super) fn publish_instance_of(&mut self, instance: &super::Instance) {
        let event = event::instance_changed(self, instance);
        self.publish(event);
    }

    /// Stamps an event and hands it to all streams.
    pub(crate) fn publish(&mut self, event: Value) {
        self.publish_plan(event, None);
    }

    /// The same for events with a plan; `heavy` are the two group trees that
    /// older Marathons put into it for clients that do not object.
    pub(crate) fn publish_plan(&mut self, mut event: Value, heavy: Option<&Trees>) {
        event["timestamp"] = self.clock.now().to_string().into();
        self.hub.publish(&event, heavy, &mut self.faults.events);
        self.revision += 1;
    }
}

/// What `/v2/apps?embed=apps.lastTaskFailure` tells of a task.
fn task_failure(instance: &Instance, task: usize, cluster: &Cluster, now: Stamp) -> Value {
    let agent = instance.agent.map(|a| cluster.agent(a));
    let task = &instance.tasks[task];
    json!({
        "appId": instance.spec.id,
        "host": agent.map(|a| &a.options.hostname),
        "message": format!("Task ended with {}", task.condition.mesos()),
        "slaveId": agent.map(|a| &a.id),
        "state": task.condition.mesos(),
        "taskId": task.id,
        "timestamp": now.to_string(),
        "version": instance.spec.version.to_string(),
    })
}
