//! Deployments: the steps from one set of run specs to the next.
//!
//! Marathon plans in steps and works on one after the other; while a
//! deployment lasts, its run specs are locked. Here a step is never "executed":
//! [`State::step_deployments`] compares what runs with what an action wants and
//! does the next missing thing, so that crashes and manual states need no case
//! of their own.

mod rollout;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::DeploymentId;
use crate::render::event;
use crate::spec::{Kind, Spec};
use crate::state::State;
use crate::state::clock::Stamp;
use crate::state::instance::{Goal, Instance};
use rollout::Rollout;

/// A deployment under way.
pub(crate) struct Deployment {
    pub(crate) id: DeploymentId,
    pub(crate) version: Stamp,
    pub(crate) steps: Vec<Vec<Action>>,
    /// The step that is being worked on.
    pub(crate) current: usize,
    announced: bool,
    /// Waits for instances; none has changed since the last look.
    waiting: bool,
    /// What each affected run spec was before; nothing if it is new.
    pub(crate) before: Vec<Before>,
    /// For heavy plans.
    pub(crate) trees: Option<Trees>,
}

/// A run spec before a deployment, for its rollback.
pub(crate) type Before = (Kind, String, Option<Arc<Spec>>);

/// Both ends of a plan as group trees.
pub(crate) struct Trees {
    pub(crate) original: Value,
    pub(crate) target: Value,
}

/// One action on one run spec.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) verb: Verb,
    pub(crate) kind: Kind,
    pub(crate) run_spec: String,
    rollout: Option<Rollout>,
}

/// What is done to the run spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Scale,
    Restart,
    Stop,
}

impl Action {
    pub(crate) fn new(verb: Verb, kind: Kind, run_spec: &str) -> Action {
        Action {
            verb,
            kind,
            run_spec: run_spec.to_owned(),
            rollout: None,
        }
    }

    /// As in plans: `{"action": "ScalePod", "pod": "/x"}`.
    pub(crate) fn to_json(&self) -> Value {
        let (noun, key) = match self.kind {
            Kind::App => ("Application", "app"),
            Kind::Pod => ("Pod", "pod"),
        };
        json!({ "action": format!("{:?}{noun}", self.verb), key: self.run_spec })
    }
}

impl Deployment {
    pub(crate) fn new(id: DeploymentId, version: Stamp, steps: Vec<Vec<Action>>) -> Deployment {
        Deployment {
            id,
            version,
            steps: steps.into_iter().filter(|s| !s.is_empty()).collect(),
            current: 0,
            announced: false,
            waiting: false,
            before: Vec::new(),
            trees: None,
        }
    }

    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flatten()
    }

    pub(crate) fn affects(&self, run_spec: &str) -> bool {
        self.actions().any(|a| a.run_spec == run_spec)
    }

    /// The ids of the affected run specs of one kind.
    pub(crate) fn affected(&self, kind: Kind) -> BTreeSet<&str> {
        let of_kind = self.actions().filter(|a| a.kind == kind);
        of_kind.map(|a| a.run_spec.as_str()).collect()
    }

    pub(crate) fn restarts(&self, run_spec: &str) -> bool {
        self.actions()
            .any(|a| a.verb == Verb::Restart && a.run_spec == run_spec)
    }

    /// A new leader takes over at the current step.
    pub(crate) fn announce_again(&mut self) {
        self.announced = false;
        self.waiting = false;
    }

    pub(crate) fn wake(&mut self) {
        self.waiting = false;
    }

    pub(crate) fn current_actions(&self) -> &[Action] {
        self.steps.get(self.current).map_or(&[], Vec::as_slice)
    }
}

impl State {
    /// One step of the first deployment that can move.
    pub(crate) fn step_deployments(&mut self) -> bool {
        (0..self.deployments.len()).any(|index| {
            if self.deployments[index].waiting {
                return false;
            }
            let moved = self.step_deployment(index);
            if !moved {
                self.deployments[index].waiting = true;
            }
            moved
        })
    }

    fn step_deployment(&mut self, index: usize) -> bool {
        let deployment = &self.deployments[index];
        if deployment.current == deployment.steps.len() {
            self.finish(index);
            return true;
        }
        if !deployment.announced {
            let event = event::deployment("deployment_info", deployment);
            self.deployments[index].announced = true;
            self.publish_deployment(index, event);
            return true;
        }
        let mut moved = false;
        let mut done = true;
        for action in 0..deployment.current_actions().len() {
            let outcome = self.act(index, action);
            moved |= outcome == Outcome::Moved;
            done &= outcome == Outcome::Done;
        }
        if done {
            self.complete_step(index);
        }
        moved || done
    }

    fn complete_step(&mut self, index: usize) {
        let deployment = &self.deployments[index];
        let stopped: Vec<String> = deployment
            .current_actions()
            .iter()
            .filter(|a| a.verb == Verb::Stop)
            .map(|a| a.run_spec.clone())
            .collect();
        let success = event::deployment("deployment_step_success", deployment);
        for id in stopped {
            self.run_specs.remove(&id);
            self.publish(event::app_terminated(&id));
        }
        self.publish_deployment(index, success);
        let deployment = &mut self.deployments[index];
        deployment.current += 1;
        deployment.announced = false;
    }

    fn finish(&mut self, index: usize) {
        let deployment = self.deployments.remove(index);
        self.unbalance(&deployment);
        let event = event::deployment_end("deployment_success", &deployment);
        self.publish_plan(event, deployment.trees.as_ref());
    }

    fn publish_deployment(&mut self, index: usize, event: Value) {
        let trees = self.deployments[index].trees.take();
        self.publish_plan(event, trees.as_ref());
        self.deployments[index].trees = trees;
    }

    /// Drops deployments that a forced change takes over.
    pub(crate) fn cancel_deployments(&mut self, ids: &[DeploymentId]) {
        let all = std::mem::take(&mut self.deployments);
        let (cancelled, kept) = all.into_iter().partition(|d| ids.contains(&d.id));
        self.deployments = kept;
        let cancelled: Vec<Deployment> = cancelled;
        for deployment in &cancelled {
            let mut event = event::deployment_end("deployment_failed", deployment);
            event["reason"] = json!("The upgrade has been cancelled");
            self.unbalance(deployment);
            self.publish_plan(event, deployment.trees.as_ref());
        }
    }

    /// Does the next thing that an action misses.
    fn act(&mut self, deployment: usize, index: usize) -> Outcome {
        let current = self.deployments[deployment].current;
        let action = self.deployments[deployment].steps[current][index].clone();
        let Some(run_spec) = self.run_specs.get(&action.run_spec) else {
            return Outcome::Done;
        };
        let spec = run_spec.current.clone();
        match action.verb {
            Verb::Start => Outcome::Done,
            Verb::Scale => self.scale_to(&spec, spec.shape.instances),
            Verb::Stop => self.scale_to(&spec, 0),
            Verb::Restart => {
                let rollout = match action.rollout {
                    Some(rollout) => rollout,
                    None => {
                        let rollout = Rollout::begin(self, &spec);
                        let step = &mut self.deployments[deployment].steps[current];
                        step[index].rollout = Some(rollout);
                        rollout
                    }
                };
                rollout.proceed(self, &spec)
            }
        }
    }

    /// Schedules or gives up one instance, or waits for the right number.
    pub(crate) fn scale_to(&mut self, spec: &Arc<Spec>, target: usize) -> Outcome {
        let wanted: Vec<&Instance> = self
            .instances_of(&spec.id)
            .filter(|i| i.counts() || (target == 0 && i.goal == Goal::Running))
            .collect();
        if wanted.len() > target {
            if let Some(victim) = youngest(&wanted) {
                self.decommission(victim);
            }
            return Outcome::Moved;
        }
        if wanted.len() < target {
            self.schedule(spec);
            return Outcome::Moved;
        }
        let mut all = self.instances_of(&spec.id);
        let going = all.any(|i| i.goal == Goal::Decommissioned);
        if !going && wanted.iter().all(|i| i.is_ready()) {
            Outcome::Done
        } else {
            Outcome::Waiting
        }
    }
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Something changed; look again.
    Moved,
    /// Instances must start or stop first.
    Waiting,
    /// As wanted.
    Done,
}

/// Whom to kill first: what does not run, then `YOUNGEST_FIRST`.
pub(crate) fn youngest(instances: &[&Instance]) -> Option<u64> {
    let victim = instances.iter().max_by_key(|i| (!i.is_ready(), i.key));
    victim.map(|i| i.key)
}
