//! The agents: run what Marathon wants to run, end what it wants to end.
//!
//! A loop without memory of its own decisions: whenever the simulator changes, the launches that it
//! wants are compared with those that exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use simulator::{Simulator, TaskView};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::container::{Container, Setting};
use crate::dns::Dns;
use crate::program::Launch;

/// Instance and launch: a crashed instance comes back under its id, but as another launch.
type Key = (String, u32);

/// What Marathon wants of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Run,
    /// End it in order, and say when it is done.
    Kill,
    /// Marathon knows already that it is gone.
    Gone,
}

/// Plays all agents.
pub(crate) struct Executor {
    setting: Arc<Setting>,
    dns: Dns,
    launches: BTreeMap<Key, watch::Sender<Wanted>>,
    running: JoinSet<Key>,
}

impl Executor {
    pub(crate) fn new(setting: Arc<Setting>, dns: Dns) -> Executor {
        Executor {
            setting,
            dns,
            launches: BTreeMap::new(),
            running: JoinSet::new(),
        }
    }

    /// Until it is stopped; then ends everything at once.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.setting.simulator.changes();
        loop {
            changes.mark_unchanged();
            self.reconcile();
            tokio::select! {
                () = stop.cancelled() => break,
                // Only fails when the simulator is gone, which this handle prevents.
                _ = changes.changed() => {}
                Some(ended) = self.running.join_next() => self.forget(ended),
            }
        }
        for wanted in self.launches.values() {
            wanted.send_replace(Wanted::Gone);
        }
        while let Some(ended) = self.running.join_next().await {
            self.forget(ended);
        }
    }

    fn reconcile(&mut self) {
        let tasks = self.setting.simulator.tasks();
        if let Err(error) = self.dns.update(&tasks) {
            tracing::error!(%error, "names of tasks cannot be told");
        }
        let mut by_key: BTreeMap<Key, Vec<TaskView>> = BTreeMap::new();
        for task in tasks {
            let key = (task.instance_id.clone(), task.incarnation);
            by_key.entry(key).or_default().push(task);
        }
        for (key, wanted) in &self.launches {
            if !by_key.contains_key(key) {
                wanted.send_replace(Wanted::Gone);
            }
        }
        for (key, tasks) in by_key {
            match (self.launches.get(&key), wanted(&tasks)) {
                (Some(known), wanted) => drop(known.send_replace(wanted)),
                (None, Wanted::Run) => self.launch(key, &tasks),
                (None, Wanted::Kill) => confirm(&self.setting.simulator, &tasks),
                (None, Wanted::Gone) => {}
            }
        }
    }

    fn launch(&mut self, key: Key, tasks: &[TaskView]) {
        let Some(launch) = Launch::of(tasks) else {
            return;
        };
        let (wanted, orders) = watch::channel(Wanted::Run);
        self.launches.insert(key.clone(), wanted);
        let setting = self.setting.clone();
        self.running.spawn(async move {
            Container::new(launch, setting).run(orders).await;
            key
        });
    }

    fn forget(&mut self, ended: Result<Key, tokio::task::JoinError>) {
        match ended {
            Ok(key) => drop(self.launches.remove(&key)),
            Err(error) => tracing::error!(%error, "a launch panicked"),
        }
    }
}

fn wanted(tasks: &[TaskView]) -> Wanted {
    let lives = [
        "TASK_STAGING",
        "TASK_STARTING",
        "TASK_RUNNING",
        "TASK_UNREACHABLE",
    ];
    if tasks.iter().any(|task| task.state == "TASK_KILLING") {
        Wanted::Kill
    } else if tasks
        .iter()
        .all(|task| lives.contains(&task.state.as_str()))
    {
        Wanted::Run
    } else {
        Wanted::Gone
    }
}

/// What never ran is killed already.
fn confirm(simulator: &Simulator, tasks: &[TaskView]) {
    for task in tasks {
        // Refused if Marathon has given it up meanwhile.
        let _ = simulator.set_task_state(&task.id, "TASK_KILLED");
    }
}
