//! Pods and their statuses, as in `/v2/pods/::status`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::json::field;
use crate::spec::{Container, HealthCheck, Spec};
use crate::state::State;
use crate::state::instance::{Condition, Instance, Task};

/// The status of a pod: the latest spec, and every instance in its own.
pub(crate) fn status(state: &State, spec: &Spec) -> Value {
    // A fresh instance that has no agent yet cannot be shown; one that was
    // launched before keeps its agent and appears as PENDING.
    let visible = state.instances_of(&spec.id).filter(|i| i.agent.is_some());
    let instances: Vec<Value> = visible.map(|i| instance(state, i)).collect();
    let stable = instances.iter().filter(|i| i["status"] == "STABLE").count();
    let since = state.instances_of(&spec.id).map(|i| i.since).max();
    let since = since.unwrap_or(spec.version).to_string();
    json!({
        "id": spec.id,
        "spec": spec.body,
        "status": if stable >= spec.shape.instances { "STABLE" } else { "DEGRADED" },
        "statusSince": since,
        "instances": instances,
        "terminationHistory": [],
        "lastUpdated": since,
        "lastChanged": since,
    })
}

/// One instance of a pod.
pub(crate) fn instance(state: &State, instance: &Instance) -> Value {
    let (status, message) = instance_status(instance);
    let since = instance.since.to_string();
    let containers = instance.tasks.iter().map(|t| container(instance, t));
    let mut json = json!({
        "id": instance.id,
        "status": status,
        "statusSince": since,
        "conditions": [],
        "networks": networks(instance),
        "containers": containers.collect::<Vec<_>>(),
        "specReference": format!("/v2/pods{}::versions/{}", instance.spec.id, instance.spec.version),
        "localVolumes": [],
        "lastUpdated": since,
        "lastChanged": since,
    });
    if state.profile.has_roles() {
        json["role"] = instance.spec.role().into();
    }
    if let Some(message) = message {
        json["message"] = message.into();
    }
    if let Some(agent) = instance.agent.map(|a| state.cluster.agent(a)) {
        json["agentHostname"] = agent.options.hostname.as_str().into();
        json["agentId"] = agent.id.as_str().into();
        let domain = [
            ("agentRegion", &agent.options.region),
            ("agentZone", &agent.options.zone),
        ];
        for (key, value) in domain {
            if let Some(value) = value {
                json[key] = value.as_str().into();
            }
        }
    }
    json
}

fn instance_status(instance: &Instance) -> (&'static str, Option<&'static str>) {
    use Condition::*;
    match instance.condition {
        Scheduled | Provisioned => ("PENDING", None),
        Staging | Starting => ("STAGING", None),
        Unreachable | UnreachableInactive => {
            ("DEGRADED", Some("pod instance has become unreachable"))
        }
        Running if instance.tasks.iter().any(|t| unhealthy(instance, t)) => {
            ("DEGRADED", Some("at least one container is not healthy"))
        }
        Running => ("STABLE", None),
        Killing | Killed | Failed | Finished | Error | Gone | Dropped | Unknown => {
            ("TERMINAL", None)
        }
    }
}

/// Not known to be healthy: Marathon counts "unreported" as false here.
fn unhealthy(instance: &Instance, task: &Task) -> bool {
    instance.container(task).health.is_some() && task.health.alive != Some(true)
}

/// Addresses by network name; Marathon merges the reports of all containers.
fn networks(instance: &Instance) -> Value {
    if !instance.addresses_known {
        return json!([]);
    }
    let mut networks: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    for address in &instance.addresses {
        let addresses = networks.entry(address.network.as_deref()).or_default();
        addresses.push(address.ip.to_string());
    }
    let entries = networks.into_iter().map(|(name, addresses)| match name {
        Some(name) => json!({ "name": name, "addresses": addresses }),
        None => json!({ "addresses": addresses }),
    });
    entries.collect()
}

fn container(instance: &Instance, task: &Task) -> Value {
    let spec = instance.container(task);
    let since = task.started.unwrap_or(task.staged).to_string();
    let mut json = json!({
        "name": spec.name,
        "status": task.condition.mesos(),
        "statusSince": since,
        "conditions": conditions(task, spec, &since),
        "containerId": task.id,
        "endpoints": endpoints(task, spec),
        "lastUpdated": since,
        "lastChanged": since,
    });
    let bodies = field(&instance.spec.body, "containers").and_then(Value::as_array);
    let body = bodies.and_then(|b| b.get(task.container));
    if let Some(resources) = body.and_then(|b| field(b, "resources")) {
        json["resources"] = resources.clone();
    }
    json
}

/// Endpoints are matched by name only: first those with a host port, then the
/// others, and the one that is health-checked last.
fn endpoints(task: &Task, spec: &Container) -> Value {
    if !task.condition.is_active() {
        return json!([]);
    }
    let checked = spec.health.as_ref().and_then(|h| h.endpoint.as_deref());
    let mut endpoints: Vec<(bool, bool, Value)> = spec
        .ports
        .iter()
        .enumerate()
        .map(|(index, port)| {
            let mut json = json!({ "name": port.name });
            let is_checked = checked.is_some() && port.name.as_deref() == checked;
            let host_port = task.host_ports.get(index).copied().flatten();
            if let Some(host_port) = host_port {
                json["allocatedHostPort"] = host_port.into();
            }
            if let Some(alive) = task.health.alive.filter(|_| is_checked) {
                json["healthy"] = alive.into();
            }
            (is_checked, host_port.is_none(), json)
        })
        .collect();
    endpoints.sort_by_key(|(checked, unmapped, _)| (*checked, *unmapped));
    endpoints.into_iter().map(|(_, _, json)| json).collect()
}

fn conditions(task: &Task, spec: &Container, since: &str) -> Value {
    let known = !matches!(
        task.condition,
        Condition::Scheduled | Condition::Provisioned | Condition::Staging | Condition::Starting
    );
    let Some(HealthCheck { .. }) = spec.health.as_ref().filter(|_| known) else {
        return json!([]);
    };
    let (value, reason) = match task.health.alive {
        Some(alive) => (alive, "health-reported-by-mesos"),
        None => (false, "health-unreported-by-mesos"),
    };
    json!([{
        "name": "healthy",
        "value": value.to_string(),
        "reason": reason,
        "lastChanged": since,
        "lastUpdated": since,
    }])
}
