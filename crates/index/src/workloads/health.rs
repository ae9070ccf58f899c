//! Which tasks receive traffic.
//!
//! A verdict that is missing counts as the source remembers it, and else as healthy: results of
//! Marathon's own checks live in the leader's memory only, and a service must not become empty
//! because they vanished with it.

use std::borrow::Cow;

use api::marathon::{App, ContainerStatus, PodInstance, Task};
use model::{Health, Mesh, Unreachable};

const RUNNING: &str = "TASK_RUNNING";
const UNREACHABLE: &str = "TASK_UNREACHABLE";

/// Whether an instance receives traffic, and why.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    /// `None`: no traffic.
    pub(super) health: Option<Health>,
    /// A sentence without its end.
    pub(super) why: Cow<'static, str>,
}

// === impl Verdict ===

impl Verdict {
    pub(super) fn no(why: impl Into<Cow<'static, str>>) -> Verdict {
        Verdict {
            health: None,
            why: why.into(),
        }
    }

    fn yes(health: Health, why: &'static str) -> Verdict {
        Verdict {
            health: Some(health),
            why: why.into(),
        }
    }
}

/// The verdict on a task's endpoints.
pub(super) fn of_task(app: &App, task: &Task, mesh: &Mesh) -> Verdict {
    match task.state.as_str() {
        RUNNING if is_unready(app, task) => {
            Verdict::no("it is part of a deployment, and its readiness check has not passed")
        }
        RUNNING => running(task.healthy(), task.remembered),
        UNREACHABLE if is_active(task) => unreachable(mesh),
        UNREACHABLE => Verdict::no("its agent is unreachable, and Marathon has given it up"),
        state => Verdict::no(format!("its task is {state}")),
    }
}

/// `told` is what Marathon says, `remembered` what the source fills in.
fn running(told: Option<bool>, remembered: Option<bool>) -> Verdict {
    match (told, remembered) {
        (Some(true), _) => Verdict::yes(Health::Healthy, "it runs, and its health check passes"),
        (Some(false), _) => Verdict::yes(
            Health::Unhealthy,
            "its health check fails: it is used only if too few others are healthy",
        ),
        (None, Some(true)) => Verdict::yes(
            Health::Healthy,
            "it runs; there is no result of its health check at present, but its last one or its age speak for it",
        ),
        (None, Some(false)) => Verdict::yes(
            Health::Unhealthy,
            "it runs, but its health check has no result yet, or its last one was bad: it is used only if too few others are healthy",
        ),
        (None, None) => Verdict::yes(Health::Healthy, "it runs, and has no health check"),
    }
}

fn unreachable(mesh: &Mesh) -> Verdict {
    match mesh.unreachable {
        Unreachable::Degraded => Verdict::yes(
            Health::Degraded,
            "its agent is unreachable: it is used only if nothing healthy is left",
        ),
        Unreachable::Drop => Verdict::no("its agent is unreachable, and --unreachable is drop"),
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

/// The verdict on one endpoint of a pod.
pub(super) fn of_endpoint(
    instance: &PodInstance,
    container: &ContainerStatus,
    mesh: &Mesh,
) -> Verdict {
    if !matches!(instance.status.as_str(), "STABLE" | "DEGRADED") {
        return Verdict::no(format!("its pod instance is {}", instance.status));
    }
    match container.status.as_str() {
        RUNNING => running(container.healthy(), container.remembered),
        UNREACHABLE => unreachable(mesh),
        state => Verdict::no(format!("its container {} is {state}", container.name)),
    }
}
