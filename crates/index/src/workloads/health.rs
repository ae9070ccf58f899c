//! Which tasks receive traffic.
//!
//! A verdict that is missing counts as the source remembers it, and else as healthy: results of
//! Marathon's own checks live in the leader's memory only, and a service must not become empty
//! because they vanished with it.

use api::marathon::{App, ContainerStatus, PodInstance, Task};
use model::{Health, Mesh, Unreachable};

const RUNNING: &str = "TASK_RUNNING";
const UNREACHABLE: &str = "TASK_UNREACHABLE";

/// The health of a task's endpoints; `None` if it must not receive traffic.
pub(super) fn of_task(app: &App, task: &Task, mesh: &Mesh) -> Option<Health> {
    match task.state.as_str() {
        RUNNING if is_unready(app, task) => None,
        RUNNING => Some(verdict(task.healthy().or(task.remembered))),
        UNREACHABLE if is_active(task) => unreachable(mesh),
        _ => None,
    }
}

fn verdict(healthy: Option<bool>) -> Health {
    match healthy {
        Some(false) => Health::Unhealthy,
        _ => Health::Healthy,
    }
}

fn unreachable(mesh: &Mesh) -> Option<Health> {
    match mesh.unreachable {
        Unreachable::Degraded => Some(Health::Degraded),
        Unreachable::Drop => None,
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

/// Marathon checks readiness during deployments only. A missing result of an old task says nothing:
/// tasks from before the deployment have none.
fn is_unready(app: &App, task: &Task) -> bool {
    if app.deployments.is_empty() {
        return false;
    }
    let results = &app.readiness_check_results;
    let result = results.iter().find(|result| result.task_id == task.id);
    match result.and_then(|result| result.ready) {
        Some(ready) => !ready,
        None => task.awaited && !app.readiness_checks.is_empty(),
    }
}

/// The health of one endpoint of a pod; `None` if it must not receive traffic.
pub(super) fn of_endpoint(
    instance: &PodInstance,
    container: &ContainerStatus,
    mesh: &Mesh,
) -> Option<Health> {
    if !matches!(instance.status.as_str(), "STABLE" | "DEGRADED") {
        return None;
    }
    match container.status.as_str() {
        RUNNING => Some(verdict(container.healthy().or(container.remembered))),
        UNREACHABLE => unreachable(mesh),
        _ => None,
    }
}
