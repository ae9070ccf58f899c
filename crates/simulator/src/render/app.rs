//! Apps, with what `embed` asks for.

use serde_json::{Value, json};

use super::{Embed, legacy, task};
use crate::spec::Spec;
use crate::state::State;
use crate::state::instance::{Condition, Instance};

/// The document of one version of an app.
pub(crate) fn definition(state: &State, spec: &Spec) -> Value {
    let mut json = spec.body.clone();
    if !state.profile.has_networks() {
        legacy::antiquate(&mut json);
    }
    if state.profile.writes_nulls() {
        legacy::add_nulls(&mut json);
    }
    json
}

/// An app: its document and the embedded rest.
pub(crate) fn app(state: &State, spec: &Spec, embed: &Embed) -> Value {
    let mut json = definition(state, spec);
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
    let failure = state.run_spec(&spec.id);
    let failure = failure.and_then(|r| r.last_failure.as_ref());
    if let Some(failure) = failure.filter(|_| embed.has("lastTaskFailure")) {
        json["lastTaskFailure"] = failure.clone();
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

/// Readiness is checked only while a deployment lasts; tasks that have not
/// answered yet are not listed.
pub(crate) fn readiness(state: &State, spec: &Spec) -> Value {
    if state.deployments_of(&spec.id).next().is_none() {
        return json!([]);
    }
    let current = state.instances_of(&spec.id);
    let tasks = current.flat_map(|i| i.tasks.iter().map(move |t| (i, t)));
    tasks
        .filter_map(|(i, t)| Some((i, t, t.ready?)))
        .flat_map(|(i, t, ready)| {
            let checks = i.spec.shape.readiness_checks.iter();
            checks.map(move |name| json!({ "name": name, "taskId": t.id, "ready": ready }))
        })
        .collect()
}
