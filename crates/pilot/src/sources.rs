//! Starts the sources that the configuration asks for, and keeps sight of their state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use admin::{Pending, Source};
use api::event::{SourceId, Update};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use watch::directory::Directory;
use watch::kube::Kube;
use watch::marathon::Marathon;
use watch::snapshot::{Keeper, Restored, Snapshot};
use watch::{State, Status};

use crate::{Config, ConfigError};

/// Updates that may wait for the index; a source that is faster waits.
const BACKLOG: usize = 1024;

/// The running sources.
pub(crate) struct Sources {
    pub(crate) updates: mpsc::Receiver<Update>,
    pub(crate) states: States,
}

/// What the sources tell of themselves.
#[derive(Clone, Default)]
pub(crate) struct States {
    sources: Vec<channel::Receiver<Status>>,
    /// Absent without a snapshot.
    restored: Option<channel::Receiver<Restored>>,
}

// === impl Sources ===

impl Sources {
    pub(crate) fn start(
        config: &Config,
        kube: Option<Kube>,
        tasks: &mut JoinSet<Stopped>,
        shutdown: &CancellationToken,
    ) -> Result<Sources, ConfigError> {
        let (sender, updates) = mpsc::channel(BACKLOG);
        let snapshot = config.snapshot.as_deref().and_then(load);
        let mut states = States::default();
        if let Some(path) = &config.directory {
            states.sources.push(start_directory(
                path.clone(),
                sender.clone(),
                tasks,
                shutdown.clone(),
            ));
        }
        if let Some(kube) = kube {
            let (sender, shutdown) = (sender.clone(), shutdown.clone());
            states
                .sources
                .push(start_kube(kube, sender, tasks, shutdown));
        }
        for marathon in &config.marathons {
            let known = snapshot
                .as_ref()
                .map(|s| s.workloads(&marathon.name).to_vec());
            let source = Marathon::new(marathon.options.clone(), marathon.name.as_str())?
                .remember(known.unwrap_or_default());
            let (sender, shutdown) = (sender.clone(), shutdown.clone());
            states
                .sources
                .push(start_marathon(source, sender, tasks, shutdown));
        }
        let mut sources = Sources { updates, states };
        if let Some(path) = &config.snapshot {
            let keeper = Keeper::new(path.clone(), snapshot, sources.ids());
            sources.keep(keeper, tasks, shutdown.clone());
        }
        Ok(sources)
    }

    pub(crate) fn ids(&self) -> Vec<SourceId> {
        let states = self.states.sources.iter();
        states.map(|state| state.borrow().name.clone()).collect()
    }

    /// Puts a keeper between the sources and whoever takes their updates.
    fn keep(&mut self, keeper: Keeper, tasks: &mut JoinSet<Stopped>, shutdown: CancellationToken) {
        let (outlet, updates) = mpsc::channel(BACKLOG);
        let inlet = std::mem::replace(&mut self.updates, updates);
        let (restored, state) = channel::channel(Restored::default());
        self.states.restored = Some(state);
        tasks.spawn(async move {
            keeper.run(inlet, outlet, restored, shutdown).await;
            "the keeper of the snapshot"
        });
    }
}

/// A snapshot that cannot be used counts as none.
fn load(path: &Path) -> Option<Snapshot> {
    Snapshot::load(path).unwrap_or_else(|error| {
        tracing::warn!(
            effect = "nothing is served before the sources deliver",
            remedy = "nothing needs to be done: the file is replaced as soon as they have",
            "{error}"
        );
        None
    })
}

/// The name of a task that ended.
pub(crate) type Stopped = &'static str;

fn start_directory(
    path: PathBuf,
    updates: mpsc::Sender<Update>,
    tasks: &mut JoinSet<Stopped>,
    shutdown: CancellationToken,
) -> channel::Receiver<Status> {
    let source = Directory::new(path, "directory");
    let (status, state) = channel::channel(source.status());
    tasks.spawn(async move {
        source.run(updates, status, shutdown).await;
        "the directory source"
    });
    state
}

fn start_kube(
    source: Kube,
    updates: mpsc::Sender<Update>,
    tasks: &mut JoinSet<Stopped>,
    shutdown: CancellationToken,
) -> channel::Receiver<Status> {
    let (status, state) = channel::channel(source.status());
    tasks.spawn(async move {
        source.run(updates, status, shutdown).await;
        "the apiserver source"
    });
    state
}

fn start_marathon(
    source: Marathon,
    updates: mpsc::Sender<Update>,
    tasks: &mut JoinSet<Stopped>,
    shutdown: CancellationToken,
) -> channel::Receiver<Status> {
    let (status, state) = channel::channel(source.status());
    tasks.spawn(async move {
        source.run(updates, status, shutdown).await;
        "a Marathon source"
    });
    state
}

// === impl States ===

impl States {
    pub(crate) fn rows(&self) -> Vec<Source> {
        let restored = self.restored();
        let states = self.sources.iter().map(|state| state.borrow());
        states
            .map(|status| row(&status, restored.get(&status.name)))
            .collect()
    }

    /// The sources that are served from the snapshot of that time, because they are away since the
    /// start: the mesh is degraded while there are any.
    pub(crate) fn restored(&self) -> BTreeMap<SourceId, Timestamp> {
        let restored = self.restored.as_ref();
        restored.map_or_else(BTreeMap::new, |restored| restored.borrow().sources.clone())
    }

    /// Why a source that the index waits for has not delivered.
    pub(crate) fn pending(&self, waiting: &[SourceId]) -> Vec<Pending> {
        let behind = self
            .sources
            .iter()
            .map(|state| state.borrow())
            .filter(|s| waiting.contains(&s.name));
        behind.map(|status| pending(&status)).collect()
    }
}

fn pending(status: &Status) -> Pending {
    let why = match &status.state {
        State::Retrying { error, .. } => error.clone(),
        _ => format!(
            "its first complete list from {} has not arrived",
            status.detail
        ),
    };
    let remedy = match &*status.name {
        "directory" => "check that the directory of --configDir exists and can be read",
        "kube" => {
            "check that the apiserver runs and that --kubeconfig or --kubeAPI leads to it; proxies keep what they have meanwhile"
        }
        _ => {
            "check that Marathon runs and that --mesosMaster or --marathon has its base URL; proxies keep what they have meanwhile"
        }
    };
    Pending {
        name: status.name.to_string(),
        why,
        remedy: remedy.into(),
    }
}

fn row(status: &Status, restored: Option<&Timestamp>) -> Source {
    let age = |at: Option<Timestamp>| {
        at.map(|at| Timestamp::now().duration_since(at).as_secs().max(0) as u64)
    };
    let detail = match restored {
        Some(written) => format!("{}, served from the snapshot of {written}", status.detail),
        None => status.detail.clone(),
    };
    Source {
        name: status.name.to_string(),
        detail,
        synced: status.synced,
        state: match restored {
            Some(_) => "restored".into(),
            None => status.state.name().into(),
        },
        away_seconds: match &status.state {
            State::Retrying { since, .. } => age(Some(*since)),
            _ => None,
        },
        leader: status.leader.clone(),
        framework: status.framework.clone(),
        last_event_seconds: age(status.last_event),
        last_resync_seconds: age(status.last_resync),
        last_error: status.last_error.clone(),
        events: status.events,
        resyncs: status.resyncs,
    }
}
