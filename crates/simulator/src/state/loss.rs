//! Agents that vanish from Mesos' sight, and come back or not.
//!
//! ```text
//! lose ─► Unreachable ─► give up ─► UnreachableInactive + replacement
//!              │                         │
//!              └────── find ◄────────────┤   Running again, surplus killed
//!                                        └─► expunge: Gone, forgotten
//! ```
//!
//! Each arrow but the killing and replacing, which `balance` does, is one call: Mesos' and Marathon's waiting times (75 s, then
//! `inactiveAfterSeconds` and `expungeAfterSeconds`) are the caller's.

use super::State;
use super::instance::{Condition, Instance};
use crate::error::ApiError;
use crate::json::field;

impl State {
    /// Mesos loses the agent: its tasks are unreachable and nothing new is
    /// placed there.
    pub(crate) fn lose_agent(&mut self, name: &str) -> Result<(), ApiError> {
        let agent = self.agent(name)?;
        self.cluster.agent_mut(agent).lost = true;
        for key in self.on_agent(agent, |c| c.is_active() && c != Condition::Unreachable) {
            self.update_all(key, Condition::Unreachable);
        }
        self.revision += 1;
        Ok(())
    }

    /// `inactiveAfterSeconds` have passed: Marathon launches replacements, but
    /// not where `unreachableStrategy` is `"disabled"`.
    pub(crate) fn give_up_agent(&mut self, name: &str) -> Result<(), ApiError> {
        let agent = self.lost_agent(name)?;
        for key in self.on_agent(agent, |c| c == Condition::Unreachable) {
            if !never_given_up(&self.instances[&key]) {
                self.become_inactive(key);
            }
        }
        Ok(())
    }

    /// `expungeAfterSeconds` have passed, or the operator has said that the
    /// agent is gone for good.
    pub(crate) fn expunge_agent(&mut self, name: &str) -> Result<(), ApiError> {
        let agent = self.lost_agent(name)?;
        for key in self.on_agent(agent, Condition::is_lost) {
            self.update_all(key, Condition::Gone);
        }
        Ok(())
    }

    /// The agent comes back with all that still runs there. Where a
    /// replacement makes it one too many, the replacement is killed.
    pub(crate) fn find_agent(&mut self, name: &str) -> Result<(), ApiError> {
        let agent = self.lost_agent(name)?;
        self.cluster.agent_mut(agent).lost = false;
        for key in self.on_agent(agent, Condition::is_lost) {
            self.update_all(key, Condition::Running);
        }
        self.wake_homeless();
        self.revision += 1;
        Ok(())
    }

    /// Shows the agent under another name from now on.
    pub(crate) fn rename_agent(&mut self, name: &str, hostname: &str) -> Result<(), ApiError> {
        let agent = self.agent(name)?;
        self.cluster.agent_mut(agent).options.hostname = hostname.to_owned();
        self.revision += 1;
        Ok(())
    }

    /// An instance that is gone for good and has been replaced already.
    pub(super) fn is_replaced(&self, instance: &Instance) -> bool {
        let others = self.instances_of(&instance.spec.id);
        let others = others.filter(|i| i.counts() && i.key != instance.key);
        let others = others.count();
        let target = self.run_spec(&instance.spec.id);
        instance.condition == Condition::Gone
            && target.is_none_or(|r| others >= r.current.shape.instances)
    }

    fn on_agent(&self, agent: usize, keep: impl Fn(Condition) -> bool) -> Vec<u64> {
        let there = self.instances.values().filter(|i| i.agent == Some(agent));
        there.filter(|i| keep(i.condition)).map(|i| i.key).collect()
    }

    fn update_all(&mut self, key: u64, condition: Condition) {
        let tasks = self.instances.get(&key).map_or(0, |i| i.tasks.len());
        for task in 0..tasks {
            self.update_task(key, task, condition);
        }
    }

    /// Marathon's own verdict: no status update comes with it.
    fn become_inactive(&mut self, key: u64) {
        let now = self.clock.now();
        if let Some(instance) = self.instances.get_mut(&key) {
            let tasks = instance.tasks.iter_mut();
            tasks.for_each(|t| t.condition = Condition::UnreachableInactive);
            instance.condition = Condition::UnreachableInactive;
            instance.since = now;
            self.publish_instance(key);
        }
    }

    fn agent(&self, name: &str) -> Result<usize, ApiError> {
        let agent = self.cluster.find_agent(name);
        agent.ok_or_else(|| ApiError::NotFound(format!("Agent '{name}' does not exist")))
    }

    fn lost_agent(&self, name: &str) -> Result<usize, ApiError> {
        let agent = self.agent(name)?;
        if self.cluster.agent(agent).lost {
            return Ok(agent);
        }
        Err(ApiError::Conflict(format!("Agent '{name}' is not lost")))
    }
}

/// `unreachableStrategy: "disabled"`, of an app or of a pod's scheduling.
fn never_given_up(instance: &Instance) -> bool {
    let body = &instance.spec.body;
    let strategy = field(body, "unreachableStrategy")
        .or_else(|| field(body, "scheduling").and_then(|s| field(s, "unreachableStrategy")));
    strategy.and_then(serde_json::Value::as_str) == Some("disabled")
}
