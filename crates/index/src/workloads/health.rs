//! Which tasks receive traffic.
//!
//! A verdict that is missing counts as healthy: results of Marathon's own checks live in the
//! leader's memory only, and a service must not become empty because they vanished with it.

use api::marathon::{App, ContainerStatus, HealthCheckResult, PodInstance, Task};
use model::Health;

const RUNNING: &str = "TASK_RUNNING";
const UNREACHABLE: &str = "TASK_UNREACHABLE";

/// The health of a task's endpoints; `None` if it must not receive traffic.
pub(super) fn of_task(app: &App, task: &Task) -> Option<Health> {
    match task.state.as_str() {
        RUNNING if is_unready(app, task) => None,
        RUNNING => Some(match task.health_check_results.iter().any(has_failed) {
            true => Health::Unhealthy,
            false => Health::Healthy,
        }),
        UNREACHABLE if is_active(task) => Some(Health::Degraded),
        _ => None,
    }
}

/// Whether a process of the task may still be there, and with it its proxy.
pub(super) fn is_present(task: &Task) -> bool {
    matches!(
        task.state.as_str(),
        "TASK_STAGING" | "TASK_STARTING" | RUNNING | "TASK_KILLING" | UNREACHABLE
    )
}

/// Marathon tells ports, version and start only of active tasks; an unreachable task without them
/// has been replaced.
fn is_active(task: &Task) -> bool {
    !task.ports.is_empty() || task.version.is_some() || task.started_at.is_some()
}

/// `alive: false` without any failure means that no check has run yet.
fn has_failed(result: &HealthCheckResult) -> bool {
    result.alive == Some(false) && result.last_failure.is_some()
}

/// Marathon checks readiness during deployments only. A missing result says nothing: tasks from
/// before the deployment have none.
fn is_unready(app: &App, task: &Task) -> bool {
    !app.deployments.is_empty()
        && app
            .readiness_check_results
            .iter()
            .any(|result| result.task_id == task.id && result.ready == Some(false))
}

/// The health of one endpoint of a pod; `None` if it must not receive traffic.
pub(super) fn of_endpoint(
    instance: &PodInstance,
    container: &ContainerStatus,
    healthy: Option<bool>,
) -> Option<Health> {
    if !matches!(instance.status.as_str(), "STABLE" | "DEGRADED") {
        return None;
    }
    match container.status.as_str() {
        RUNNING => Some(verdict(container, healthy)),
        UNREACHABLE => Some(Health::Degraded),
        _ => None,
    }
}

fn verdict(container: &ContainerStatus, healthy: Option<bool>) -> Health {
    let condition = container.conditions.iter().find(|c| c.name == "healthy");
    // An unreported condition reads `false` until the first check has run.
    let unreported = condition.is_some_and(|c| c.reason == "health-unreported-by-mesos");
    let failing = condition.is_some_and(|c| c.value == "false") || healthy == Some(false);
    match failing && !unreported {
        true => Health::Unhealthy,
        false => Health::Healthy,
    }
}
