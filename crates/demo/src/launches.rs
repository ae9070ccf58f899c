//! Which launches Marathon wants, read from the simulator's tasks: the one decision of everything
//! that plays its agents.

use std::collections::BTreeMap;

use simulator::{Simulator, TaskView};
use tokio::sync::watch;

/// One launch of one instance: a crashed instance comes back under its id, but as another launch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The id of the instance.
    pub instance: String,
    /// How many launches it has had, this one included.
    pub incarnation: u32,
}

/// What Marathon wants of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Start it, keep it running.
    Run,
    /// End it in order and say when it is done.
    Kill,
    /// Mesos has seen it end, or has forgotten it.
    Gone,
}

/// The tasks of every launch, and what is wanted of it.
pub fn launches(tasks: Vec<TaskView>) -> BTreeMap<Key, (Phase, Vec<TaskView>)> {
    let mut launches: BTreeMap<Key, Vec<TaskView>> = BTreeMap::new();
    for task in tasks {
        let key = Key {
            instance: task.instance_id.clone(),
            incarnation: task.incarnation,
        };
        launches.entry(key).or_default().push(task);
    }
    let with_phase = |(key, tasks): (Key, Vec<TaskView>)| (key, (phase(&tasks), tasks));
    launches.into_iter().map(with_phase).collect()
}

fn phase(tasks: &[TaskView]) -> Phase {
    let any = |states: &[&str]| {
        tasks
            .iter()
            .any(|task| states.contains(&task.state.as_str()))
    };
    if any(&["TASK_KILLING"]) {
        Phase::Kill
    } else if tasks.iter().all(|task| is_wanted(&task.state)) {
        Phase::Run
    } else {
        Phase::Gone
    }
}

fn is_wanted(state: &str) -> bool {
    // An unreachable task lives on behind the partition.
    let wanted = [
        "TASK_STAGING",
        "TASK_STARTING",
        "TASK_RUNNING",
        "TASK_UNREACHABLE",
    ];
    wanted.contains(&state)
}

/// Tells a launch what is wanted of it.
pub fn set(phase: &watch::Sender<Phase>, wanted: Phase) {
    phase.send_if_modified(|now| {
        // Nothing comes back from its end.
        let changed = *now != wanted && *now != Phase::Gone;
        if changed {
            *now = wanted;
        }
        changed
    });
}

/// Tasks that were killed before anything of them was started.
pub fn confirm(simulator: &Simulator, tasks: &[TaskView]) {
    for task in tasks.iter().filter(|task| task.state == "TASK_KILLING") {
        if let Err(refused) = simulator.set_task_state(&task.id, "TASK_KILLED") {
            tracing::debug!(task = task.id, %refused, "task state not taken");
        }
    }
}
