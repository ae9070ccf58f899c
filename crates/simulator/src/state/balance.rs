//! Marathon's look after the right number of instances, outside deployments.
//!
//! The real one looks every few minutes and after task updates
//! (`scale_apps_interval`); this one looks whenever an instance has changed.

use super::instance::{Condition, Instance};
use super::{RunSpec, State};
use crate::deploy::{Deployment, youngest};

impl RunSpec {
    /// The wanted number. A deletion that was cancelled by force has left its
    /// instances alone.
    fn target(&self) -> usize {
        match self.deleted {
            true => 0,
            false => self.current.shape.instances,
        }
    }
}

impl State {
    /// A deployment has ended: its run specs are nobody else's business now.
    pub(crate) fn unbalance(&mut self, deployment: &Deployment) {
        let ids = deployment.actions().map(|a| a.run_spec.clone());
        self.unbalanced.extend(ids);
    }

    /// Starts or gives up one instance where the number is wrong.
    pub(super) fn step_balance(&mut self) -> bool {
        while let Some(id) = self.unbalanced.first().cloned() {
            if self.deployments_of(&id).next().is_none() && self.balance(&id) {
                return true;
            }
            self.unbalanced.remove(&id);
        }
        false
    }

    /// What [`step_balance`](State::step_balance) would leave alone.
    pub(super) fn is_balanced(&self, id: &str) -> bool {
        let wanted: Vec<&Instance> = self.instances_of(id).filter(|i| i.counts()).collect();
        let target = self.run_specs.get(id).map(RunSpec::target);
        target.is_none_or(|target| wanted.len() >= target && present(&wanted).len() <= target)
    }

    fn balance(&mut self, id: &str) -> bool {
        let Some(run_spec) = self.run_specs.get(id) else {
            return false;
        };
        let target = run_spec.target();
        let spec = run_spec.current.clone();
        let wanted: Vec<&Instance> = self.instances_of(id).filter(|i| i.counts()).collect();
        if wanted.len() < target {
            self.schedule(&spec);
            return true;
        }
        let present = present(&wanted);
        match youngest(&present).filter(|_| present.len() > target) {
            Some(victim) => {
                self.decommission(victim);
                true
            }
            None => false,
        }
    }
}

/// Whom one may kill. An instance whose agent is gone for good goes or comes
/// back by itself, whichever the others leave room for.
fn present<'a>(wanted: &[&'a Instance]) -> Vec<&'a Instance> {
    let there = wanted.iter().filter(|i| i.condition != Condition::Gone);
    there.copied().collect()
}
