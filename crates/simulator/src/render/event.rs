//! Events, without the timestamp that publishing adds.

use serde_json::{Value, json};

use super::deployment::{current_step, plan};
use super::task::ip_addresses;
use crate::change::Origin;
use crate::deploy::Deployment;
use crate::state::State;
use crate::state::clock::Stamp;
use crate::state::instance::{Condition, Instance, Task};

/// A Mesos status update; for pods there is one per container, and `appId` is
/// the pod.
pub(crate) fn status_update(state: &State, instance: &Instance, task: &Task) -> Value {
    let agent = instance.agent.map(|a| state.cluster.agent(a));
    json!({
        "eventType": "status_update_event",
        "slaveId": agent.map(|a| &a.id),
        "taskId": task.id,
        "taskStatus": task.condition.mesos(),
        "message": "",
        "appId": instance.spec.id,
        "host": agent.map(|a| &a.options.hostname),
        "ipAddresses": ip_addresses(instance),
        "ports": task.flat_ports(),
        "version": instance.spec.version.to_string(),
    })
}

/// A change of an instance's condition, or of its goal alone.
pub(crate) fn instance_changed(state: &State, instance: &Instance) -> Value {
    let agent = instance.agent.map(|a| state.cluster.agent(a));
    json!({
        "eventType": "instance_changed_event",
        "instanceId": instance.id,
        "condition": condition(state, instance),
        "runSpecId": instance.spec.id,
        "agentId": agent.map(|a| &a.id),
        "host": agent.map(|a| &a.options.hostname),
        "runSpecVersion": instance.spec.version.to_string(),
    })
}

/// Before 1.8 an instance began as `Created`, when Mesos' offer was accepted.
fn condition(state: &State, instance: &Instance) -> String {
    match instance.condition {
        Condition::Provisioned if !state.profile.has_goals() => "Created".to_owned(),
        condition => condition.name(),
    }
}

/// A change of an instance's health; `null` is "unknown".
pub(crate) fn instance_health(instance: &Instance) -> Value {
    json!({
        "eventType": "instance_health_changed_event",
        "instanceId": instance.id,
        "runSpecId": instance.spec.id,
        "healthy": instance.healthy(),
        "runSpecVersion": instance.spec.version.to_string(),
    })
}

/// The older health event, of apps only.
pub(crate) fn health_status(instance: &Instance) -> Value {
    json!({
        "eventType": "health_status_changed_event",
        "appId": instance.spec.id,
        "instanceId": instance.id,
        "version": instance.spec.version.to_string(),
        "alive": instance.healthy().unwrap_or(false),
    })
}

/// An app was created or changed by a request.
pub(crate) fn api_post(by: &Origin, app: &Value) -> Value {
    json!({
        "eventType": "api_post_event",
        "clientIp": by.client,
        "uri": by.uri,
        "appDefinition": app,
    })
}

/// A pod was created, updated or deleted by a request. Only the URI tells
/// which, and that of a creation does not.
pub(crate) fn pod(kind: &str, by: &Origin) -> Value {
    json!({ "eventType": kind, "clientIp": by.client, "uri": by.uri })
}

/// The group tree has a new version.
pub(crate) fn group_change(group: &str, version: Stamp) -> Value {
    json!({
        "eventType": "group_change_success",
        "groupId": group,
        "version": version.to_string(),
    })
}

/// A step of a deployment begins (`deployment_info`) or has ended.
pub(crate) fn deployment(kind: &str, deployment: &Deployment) -> Value {
    json!({
        "eventType": kind,
        "plan": plan(deployment),
        "currentStep": current_step(deployment),
    })
}

/// A deployment has ended.
pub(crate) fn deployment_end(kind: &str, deployment: &Deployment) -> Value {
    json!({ "eventType": kind, "id": deployment.id.0, "plan": plan(deployment) })
}

/// The last instance of a deleted app or pod is gone.
pub(crate) fn app_terminated(id: &str) -> Value {
    json!({ "eventType": "app_terminated_event", "appId": id })
}

/// A client opened or closed an event stream.
pub(crate) fn stream(attached: bool, remote: &str) -> Value {
    let kind = if attached {
        "event_stream_attached"
    } else {
        "event_stream_detached"
    };
    json!({ "eventType": kind, "remoteAddress": remote })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_tell_who_came_and_went() {
        assert_eq!(
            stream(true, "10.0.0.1")["eventType"],
            "event_stream_attached"
        );
        assert_eq!(stream(false, "10.0.0.1")["remoteAddress"], "10.0.0.1");
    }
}
