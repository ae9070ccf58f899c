//! Instances and their tasks, with the conditions that Marathon gives them.

use std::net::IpAddr;
use std::sync::Arc;

use super::clock::Stamp;
use crate::spec::{Kind, Spec};

/// The condition of a task or instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Scheduled,
    Provisioned,
    Staging,
    Starting,
    Running,
    Killing,
    Killed,
    Failed,
    Finished,
    Error,
    Unreachable,
    UnreachableInactive,
    Gone,
    Dropped,
    Unknown,
}

use Condition::*;

/// From worst to best; an instance is as bad as the worst of its tasks.
const SEVERITY: [Condition; 15] = [
    Error,
    Failed,
    Gone,
    Dropped,
    Unreachable,
    UnreachableInactive,
    Killing,
    Starting,
    Staging,
    Unknown,
    Provisioned,
    Scheduled,
    Running,
    Finished,
    Killed,
];

impl Condition {
    /// The name in events.
    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }

    /// The name of the Mesos state in tasks and container statuses.
    pub(crate) fn mesos(self) -> &'static str {
        match self {
            Scheduled | Provisioned | Staging => "TASK_STAGING",
            Starting => "TASK_STARTING",
            Running => "TASK_RUNNING",
            Killing => "TASK_KILLING",
            Killed => "TASK_KILLED",
            Failed => "TASK_FAILED",
            Finished => "TASK_FINISHED",
            Error => "TASK_ERROR",
            Unreachable | UnreachableInactive => "TASK_UNREACHABLE",
            Gone => "TASK_GONE",
            Dropped => "TASK_DROPPED",
            Unknown => "TASK_UNKNOWN",
        }
    }

    /// The condition for a Mesos state; `UnreachableInactive`, which has no
    /// state of its own, goes by its name.
    pub(crate) fn from_mesos(state: &str) -> Option<Condition> {
        Some(match state {
            "TASK_STAGING" => Staging,
            "TASK_STARTING" => Starting,
            "TASK_RUNNING" => Running,
            "TASK_KILLING" => Killing,
            "TASK_KILLED" => Killed,
            "TASK_FAILED" => Failed,
            "TASK_FINISHED" => Finished,
            "TASK_ERROR" => Error,
            "TASK_UNREACHABLE" => Unreachable,
            "UnreachableInactive" => UnreachableInactive,
            "TASK_GONE" | "TASK_GONE_BY_OPERATOR" => Gone,
            "TASK_DROPPED" => Dropped,
            "TASK_UNKNOWN" => Unknown,
            _ => return None,
        })
    }

    /// Active tasks show ports and version.
    pub(crate) fn is_active(self) -> bool {
        matches!(
            self,
            Provisioned | Staging | Starting | Running | Killing | Unreachable
        )
    }

    /// Ended, and not because it was told to.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Failed | Error | Gone | Dropped)
    }

    /// Nobody knows what became of it.
    pub(crate) fn is_lost(self) -> bool {
        matches!(self, Unreachable | UnreachableInactive)
    }

    /// Mesos forgets the task after this.
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Killed | Failed | Finished | Error | Gone | Dropped)
    }

    pub(crate) fn worst(conditions: impl Iterator<Item = Condition> + Clone) -> Option<Condition> {
        let mut severity = SEVERITY.into_iter();
        severity.find(|worst| conditions.clone().any(|c| c == *worst))
    }
}

/// What an instance is meant to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// To run, and to be launched again when it stops.
    Running,
    /// To be killed and forgotten.
    Decommissioned,
}

/// An instance: one place in an app's or pod's scale.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) key: u64,
    pub(crate) id: String,
    /// The version that this launch runs.
    pub(crate) spec: Arc<Spec>,
    pub(crate) incarnation: u32,
    pub(crate) condition: Condition,
    pub(crate) goal: Goal,
    pub(crate) since: Stamp,
    /// An index into the cluster's agents; kept between two launches.
    pub(crate) agent: Option<usize>,
    /// One per container; kept after the end until the next launch.
    pub(crate) tasks: Vec<Task>,
    pub(crate) addresses: Vec<Address>,
    /// Mesos reports addresses with the first `TASK_RUNNING`.
    pub(crate) addresses_known: bool,
    /// Asked to die without a new goal: the API's "kill", which restarts.
    pub(crate) kill_requested: bool,
}

/// One launch of one container.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: String,
    /// An index into the spec's containers.
    pub(crate) container: usize,
    pub(crate) condition: Condition,
    /// Allocated host ports, aligned with the container's ports.
    pub(crate) host_ports: Vec<Option<u16>>,
    pub(crate) staged: Stamp,
    pub(crate) started: Option<Stamp>,
    pub(crate) since: Stamp,
    pub(crate) health: Health,
    /// What readiness checks say; `None` until they have run.
    pub(crate) ready: Option<bool>,
}

/// The outcome of health checks so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Somebody has spoken, if only to say that nothing is known.
    pub(crate) reported: bool,
    /// `None` until a check has reported.
    pub(crate) alive: Option<bool>,
    pub(crate) consecutive_failures: u32,
    pub(crate) first_success: Option<Stamp>,
    pub(crate) last_success: Option<Stamp>,
    pub(crate) last_failure: Option<Stamp>,
    /// The verdict that a new leader does not know yet.
    pub(crate) forgotten: Option<bool>,
    /// There are no results at all since the leader changed.
    pub(crate) wiped: bool,
}

/// An address on one of the instance's networks.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// The network's name; host mode has none.
    pub(crate) network: Option<String>,
    pub(crate) ip: IpAddr,
}

impl Instance {
    /// Runs, with every health and readiness check passed: what a deployment
    /// waits for.
    pub(crate) fn is_ready(&self) -> bool {
        self.condition == Running && self.tasks.iter().all(|t| self.passes(t))
    }

    fn passes(&self, task: &Task) -> bool {
        let ready = self.spec.shape.readiness_checks.is_empty() || task.ready == Some(true);
        ready && (self.container(task).health.is_none() || task.health.alive == Some(true))
    }

    /// Counts for the wanted number: neither given up nor replaced.
    pub(crate) fn counts(&self) -> bool {
        self.goal == Goal::Running && self.condition != UnreachableInactive
    }

    /// Neither starting nor stopping.
    pub(crate) fn is_steady(&self) -> bool {
        self.goal == Goal::Running
            && !self.kill_requested
            && matches!(
                self.condition,
                Running | Unreachable | UnreachableInactive | Unknown
            )
    }

    /// Healthy as a whole: `None` while a check has not reported.
    pub(crate) fn healthy(&self) -> Option<bool> {
        let checked = self
            .tasks
            .iter()
            .filter(|t| self.container(t).health.is_some());
        checked
            .map(|t| t.health.alive)
            .reduce(|a, b| match (a, b) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            })
            .flatten()
    }

    pub(crate) fn container(&self, task: &Task) -> &crate::spec::Container {
        &self.spec.shape.containers[task.container]
    }

    pub(crate) fn kind(&self) -> Kind {
        self.spec.kind
    }
}

impl Task {
    /// The host ports without gaps: how Marathon shows them.
    pub(crate) fn flat_ports(&self) -> Vec<u16> {
        self.host_ports.iter().flatten().copied().collect()
    }

    /// The port inside the container; 0 in a mapping means the host port.
    pub(crate) fn container_port(&self, index: usize, spec: &crate::spec::Port) -> Option<u16> {
        match spec.container_port {
            Some(0) => self.host_ports.get(index).copied().flatten(),
            port => port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_as_bad_as_their_worst_task() {
        let worst = |c: &[Condition]| Condition::worst(c.iter().copied());
        assert_eq!(worst(&[Running, Staging]), Some(Staging));
        assert_eq!(worst(&[Starting, Staging]), Some(Starting));
        assert_eq!(worst(&[Killed, Failed]), Some(Failed));
        assert_eq!(worst(&[Killed, Killing]), Some(Killing));
        assert_eq!(worst(&[Running, Running]), Some(Running));
        assert_eq!(worst(&[]), None);
    }

    #[test]
    fn every_mesos_state_is_read_back() {
        for condition in SEVERITY {
            let read = Condition::from_mesos(condition.mesos());
            let expected = match condition {
                Scheduled | Provisioned => Staging,
                UnreachableInactive => Unreachable,
                other => other,
            };
            assert_eq!(read, Some(expected));
        }
        assert_eq!(Condition::from_mesos("TASK_DANCING"), None);
    }
}
