//! The agents: run what Marathon wants to run, end what it wants to end.
//!
//! A loop without memory of its own decisions: whenever the simulator changes, the launches that it
//! wants are compared with those that exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use demo::launches::{Key, Phase, confirm, launches, set};
use simulator::TaskView;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::container::{Container, Setting};
use crate::dns::Dns;
use crate::program::Launch;

/// Plays all agents.
pub(crate) struct Executor {
    setting: Arc<Setting>,
    dns: Dns,
    launches: BTreeMap<Key, watch::Sender<Phase>>,
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
        for phase in self.launches.values() {
            set(phase, Phase::Gone);
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
        let launches = launches(tasks);
        for (key, phase) in &self.launches {
            if !launches.contains_key(key) {
                set(phase, Phase::Gone);
            }
        }
        for (key, (phase, tasks)) in launches {
            match (self.launches.get(&key), phase) {
                (Some(known), phase) => set(known, phase),
                (None, Phase::Run) => self.launch(key, &tasks),
                (None, Phase::Kill) => confirm(&self.setting.simulator, &tasks),
                (None, Phase::Gone) => {}
            }
        }
    }

    fn launch(&mut self, key: Key, tasks: &[TaskView]) {
        let Some(launch) = Launch::of(tasks) else {
            return;
        };
        let (phase, phases) = watch::channel(Phase::Run);
        self.launches.insert(key.clone(), phase);
        let setting = self.setting.clone();
        self.running.spawn(async move {
            Container::new(launch, setting).run(phases).await;
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
