//! What Mesos and health checks report: a new task state, a new health.
//!
//! The events come in Marathon's order: the status update first, then the
//! instance's change if its condition changed with it.

use super::State;
use super::instance::{Condition, Health};
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
        let conditions = instance.tasks.iter().map(|t| t.condition);
        let worst = Condition::worst(conditions).unwrap_or(condition);
        let changed = worst != instance.condition;
        if changed {
            instance.condition = worst;
            instance.since = now;
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
        let event = event::instance_changed(self, &self.instances[&key]);
        self.publish(event);
    }

    pub(super) fn publish_instance_of(&mut self, instance: &super::Instance) {
        let event = event::instance_changed(self, instance);
        self.publish(event);
    }

    /// Stamps an event and hands it to all streams.
    pub(crate) fn publish(&mut self, mut event: serde_json::Value) {
        event["timestamp"] = self.clock.now().to_string().into();
        self.hub.publish(&event);
        self.revision += 1;
    }
}
