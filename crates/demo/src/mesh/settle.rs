//! Waiting for a mesh: until it works, and until a change has reached every Envoy.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::{Files, Mesh, PageError, State, Workload};

/// Between two looks while the mesh starts.
const POLL: Duration = Duration::from_millis(50);
/// Between two looks while a change travels: short, it is being measured.
const STEP: Duration = Duration::from_millis(2);

/// How far a mesh is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Workloads that Marathon shows as running.
    pub running: usize,
    /// Workloads that have been launched.
    pub launched: usize,
    /// What is still missing, for people.
    pub waiting: Vec<String>,
}

/// The mesh, or a change of it, did not get through.
#[derive(Debug, thiserror::Error)]
pub enum NotSettled {
    /// Something is missing for too long.
    #[error("not settled after {within:?}; still waiting for:\n  {}", .waiting.join("\n  "))]
    Late {
        /// The time that was given.
        within: Duration,
        /// What is missing.
        waiting: Vec<String>,
    },
    /// The edit itself failed.
    #[error("cannot edit the configuration: {0}")]
    Edit(#[from] io::Error),
    /// The control plane does not answer.
    #[error(transparent)]
    Page(#[from] PageError),
}

impl Mesh {
    /// Waits until everything that Marathon wants runs, the control plane knows it, and every Envoy
    /// has accepted the latest state. Good after start, scale, restart, crash and outage.
    pub async fn ready(
        &self,
        within: Duration,
        mut progress: impl FnMut(&Progress),
    ) -> Result<(), NotSettled> {
        let began = Instant::now();
        let mut last = None;
        loop {
            // Doubles as the pause between two looks.
            let settled = timeout(POLL, self.simulator.settled()).await.is_ok();
            let now = self.progress(settled).await;
            if now.waiting.is_empty() {
                progress(&now);
                return Ok(());
            }
            if began.elapsed() > within {
                let waiting = now.waiting;
                return Err(NotSettled::Late { within, waiting });
            }
            if last.as_ref() != Some(&now) {
                progress(&now);
            }
            last = Some(now);
            sleep(POLL).await;
        }
    }

    async fn progress(&self, settled: bool) -> Progress {
        let workloads = self.workloads();
        let (running, other): (Vec<_>, Vec<_>) = workloads
            .iter()
            .partition(|workload| workload.state() == State::Running);
        let mut waiting: Vec<String> = other.iter().map(|workload| describe(workload)).collect();
        if !settled && waiting.is_empty() {
            waiting.push("Marathon's deployments".into());
        }
        if waiting.is_empty() {
            waiting = match self.behind(&workloads).await {
                Ok(behind) => behind,
                Err(error) => vec![error.to_string()],
            };
        }
        let (running, launched) = (running.len(), workloads.len());
        Progress {
            running,
            launched,
            waiting,
        }
    }

    /// What the control plane or an Envoy has not heard yet.
    async fn behind(&self, workloads: &[Workload]) -> Result<Vec<String>, PageError> {
        let (ready, why) = self.pages.ready().await?;
        if !ready {
            return Ok(vec![format!("the control plane, {}", why.trim())]);
        }
        let serving = workloads
            .iter()
            .filter(|workload| !workload.host_ports.is_empty());
        let wanted: BTreeSet<String> = serving.map(|workload| workload.instance.clone()).collect();
        let known = self.pages.instances().await?;
        let mut behind: Vec<String> = wanted
            .difference(&known)
            .map(|id| format!("the control plane to know {id}"))
            .collect();
        behind.extend(
            known
                .difference(&wanted)
                .map(|id| format!("the control plane to forget {id}")),
        );
        if behind.is_empty() {
            behind = self.unsynced(workloads, None).await?;
        }
        Ok(behind)
    }

    /// The Envoys that have not accepted the latest state, or no state later than `after`.
    async fn unsynced(
        &self,
        workloads: &[Workload],
        after: Option<u64>,
    ) -> Result<Vec<String>, PageError> {
        let sync = self.pages.sync().await?;
        let latest = sync.values().filter_map(|row| row.generation).max();
        let envoys = workloads.iter().filter(|workload| workload.role.is_some());
        let late = envoys.filter(|workload| {
            let row = sync.get(&workload.node_id);
            !row.is_some_and(|row| {
                row.is_synced() && row.generation == latest && row.generation > after
            })
        });
        Ok(late
            .map(|workload| format!("Envoy {} to acknowledge", workload.name))
            .collect())
    }

    /// Edits the configuration and waits until every Envoy has acknowledged what follows from it.
    /// Returns how long that took, from the edit to the last ACK.
    pub async fn change(
        &self,
        within: Duration,
        edit: impl FnOnce(&Files) -> io::Result<()>,
    ) -> Result<Duration, NotSettled> {
        let before = self.generation().await?;
        let began = Instant::now();
        edit(&self.files)?;
        self.acknowledged(before, began, within).await
    }

    /// The number of the latest state that any Envoy was given.
    pub async fn generation(&self) -> Result<u64, PageError> {
        let sync = self.pages.sync().await?;
        Ok(sync
            .values()
            .filter_map(|row| row.generation)
            .max()
            .unwrap_or_default())
    }

    /// Waits until every Envoy has acknowledged a state later than `before`.
    pub async fn acknowledged(
        &self,
        before: u64,
        began: Instant,
        within: Duration,
    ) -> Result<Duration, NotSettled> {
        let workloads = self.workloads();
        loop {
            let waiting = self.unsynced(&workloads, Some(before)).await?;
            let took = began.elapsed();
            if waiting.is_empty() {
                return Ok(took);
            }
            if took > within {
                return Err(NotSettled::Late { within, waiting });
            }
            sleep(STEP).await;
        }
    }
}

fn describe(workload: &Workload) -> String {
    let what = match workload.state() {
        State::Starting => "to start",
        State::Running => "to settle",
        State::Draining | State::Ended => "to end",
    };
    let log = workload.log.display();
    format!("{} {what}; the log of its Envoy is {log}", workload.name)
}
