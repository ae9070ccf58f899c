//! Running deployments, as in `/v2/deployments`, and plans inside events.

use serde_json::{Value, json};

use super::app;
use crate::deploy::{Action, Deployment};
use crate::spec::Kind;
use crate::state::State;

/// A running deployment.
pub(crate) fn deployment(state: &State, deployment: &Deployment) -> Value {
    let current = deployment.current_actions().iter().map(|action| {
        let mut json = action.to_json();
        let spec = state.run_spec(&action.run_spec).map(|r| &r.current);
        json["readinessCheckResults"] = spec.map_or(json!([]), |s| app::readiness(state, s));
        json
    });
    json!({
        "id": deployment.id.0,
        "version": deployment.version.to_string(),
        "affectedApps": deployment.affected(Kind::App),
        "affectedPods": deployment.affected(Kind::Pod),
        "steps": steps(deployment),
        "currentActions": current.collect::<Vec<_>>(),
        "currentStep": (deployment.current + 1).min(deployment.steps.len()),
        "totalSteps": deployment.steps.len(),
    })
}

/// A plan in its light form, the only one since 1.8.
pub(crate) fn plan(deployment: &Deployment) -> Value {
    json!({
        "id": deployment.id.0,
        "steps": steps(deployment),
        "version": deployment.version.to_string(),
    })
}

/// The actions of the current step.
pub(crate) fn current_step(deployment: &Deployment) -> Value {
    step(deployment.current_actions())
}

fn steps(deployment: &Deployment) -> Value {
    deployment.steps.iter().map(|s| step(s)).collect()
}

fn step(actions: &[Action]) -> Value {
    let actions: Vec<Value> = actions.iter().map(Action::to_json).collect();
    json!({ "actions": actions })
}
