//! Tasks of apps, as in `/v2/tasks` and embedded in apps.

use serde_json::{Value, json};

use crate::spec::Spec;
use crate::state::State;
use crate::state::instance::{Instance, Task};

/// A task. Inactive ones have neither ports nor version nor times: that is how
/// clients tell "unreachable" from "unreachable and given up".
pub(crate) fn task(state: &State, instance: &Instance, task: &Task) -> Value {
    let agent = instance.agent.map(|a| state.cluster.agent(a));
    let mut json = json!({
        "id": task.id,
        "appId": instance.spec.id,
        "host": agent.map(|a| &a.options.hostname),
        "slaveId": agent.map(|a| &a.id),
        "state": task.condition.mesos(),
        "ipAddresses": ip_addresses(instance),
        "ports": [],
        "localVolumes": [],
    });
    if let Some(agent) = agent {
        let domain = [
            ("region", &agent.options.region),
            ("zone", &agent.options.zone),
        ];
        for (key, value) in domain {
            if let Some(value) = value {
                json[key] = value.as_str().into();
            }
        }
    }
    if state.profile.has_roles() {
        json["role"] = instance.spec.role().into();
    }
    if task.condition.is_active() {
        json["ports"] = task.flat_ports().into();
        json["stagedAt"] = task.staged.to_string().into();
        json["version"] = instance.spec.version.to_string().into();
        if let Some(started) = task.started {
            json["startedAt"] = started.to_string().into();
        }
    }
    if instance.container(task).health.is_some() {
        // A new leader has no results at all until its checks have run.
        json["healthCheckResults"] = match task.health.wiped {
            true => json!([]),
            false => json!([health(instance, task)]),
        };
    }
    json
}

/// The tasks of an app, in the order of their instances. Instances that have
/// never had an agent have no task yet.
pub(crate) fn tasks_of(state: &State, app: &Spec) -> Vec<Value> {
    let instances = state.instances_of(&app.id);
    instances
        .flat_map(|i| i.tasks.iter().map(|t| task(state, i, t)))
        .collect()
}

/// The flat list over all networks; empty until Mesos has reported it.
pub(crate) fn ip_addresses(instance: &Instance) -> Value {
    if !instance.addresses_known {
        return json!([]);
    }
    let addresses = instance.addresses.iter().map(|address| {
        let protocol = if address.ip.is_ipv6() { "IPv6" } else { "IPv4" };
        json!({ "ipAddress": address.ip.to_string(), "protocol": protocol })
    });
    addresses.collect()
}

/// A health check result. `alive: false` without any time means "not known
/// yet"; Marathon writes the missing times as nulls.
fn health(instance: &Instance, task: &Task) -> Value {
    let health = &task.health;
    let time = |stamp: Option<crate::state::clock::Stamp>| stamp.map(|s| s.to_string());
    json!({
        "alive": health.alive.unwrap_or(false),
        "consecutiveFailures": health.consecutive_failures,
        "firstSuccess": time(health.first_success),
        "lastSuccess": time(health.last_success),
        "lastFailure": time(health.last_failure),
        "lastFailureCause": null,
        "instanceId": instance.id,
    })
}
