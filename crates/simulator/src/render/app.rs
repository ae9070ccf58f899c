//! Apps, with what `embed` asks for.

use serde_json::{Value, json};

use super::{Embed, task};
use crate::spec::Spec;
use crate::state::State;
use crate::state::instance::{Condition, Instance};

/// An app: its document and the embedded rest.
pub(crate) fn app(state: &State, spec: &Spec, embed: &Embed) -> Value {
    let mut json = spec.body.clone();
    if embed.has("counts") {
        counts(state, spec, &mut json);
    }
    if embed.has("deployments") {
        let ids = state.deployments_of(&spec.id);
        json["deployments"] = ids.map(|d| json!({ "id": d.id.0 })).collect();
    }
    if embed.has("readiness") {
        json["readinessCheckResults"] = readiness(state, spec);
    }
    if embed.has("tasks") {
        json["tasks"] = task::tasks_of(state, spec).into();
    }
    json
}

fn counts(state: &State, spec: &Spec, json: &mut Value) {
    let count = |keep: &dyn Fn(&Instance) -> bool| -> Value {
        state
            .instances_of(&spec.id)
            .filter(|i| keep(i))
            .count()
            .into()
    };
    let running = |i: &Instance| i.condition == Condition::Running;
    json["tasksStaged"] = count(&|i| {
        matches!(
            i.condition,
            Condition::Provisioned | Condition::Staging | Condition::Starting
        )
    });
    json["tasksRunning"] = count(&running);
    json["tasksHealthy"] = count(&|i| running(i) && i.healthy() == Some(true));
    json["tasksUnhealthy"] = count(&|i| running(i) && i.healthy() == Some(false));
}

/// Readiness is checked only while a deployment lasts; here a task is ready
/// with its first `TASK_RUNNING`.
fn readiness(state: &State, spec: &Spec) -> Value {
    if state.deployments_of(&spec.id).next().is_none() {
        return json!([]);
    }
    let current = state.instances_of(&spec.id);
    let tasks = current.flat_map(|i| i.tasks.iter().filter(|t| t.started.is_some()));
    tasks
        .flat_map(|t| {
            let checks = spec.shape.readiness_checks.iter();
            checks.map(|name| json!({ "name": name, "taskId": t.id, "ready": true }))
        })
        .collect()
}
