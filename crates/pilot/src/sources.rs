//! Starts the sources that the configuration asks for, and keeps sight of their state.

use std::path::PathBuf;

use admin::{Pending, Source};
use api::event::{SourceId, Update};
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use watch::directory::Directory;
use watch::marathon::{self, Marathon};
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
pub(crate) struct States(Vec<channel::Receiver<Status>>);

// === impl Sources ===

impl Sources {
    pub(crate) fn start(
        config: &Config,
        tasks: &mut JoinSet<Stopped>,
        shutdown: &CancellationToken,
    ) -> Result<Sources, ConfigError> {
        let (sender, updates) = mpsc::channel(BACKLOG);
        let mut states = States::default();
        if let Some(path) = &config.directory {
            states.0.push(start_directory(
                path.clone(),
                sender.clone(),
                tasks,
                shutdown.clone(),
            ));
        }
        if let Some(options) = &config.marathon {
            states.0.push(start_marathon(
                options.clone(),
                sender,
                tasks,
                shutdown.clone(),
            )?);
        }
        Ok(Sources { updates, states })
    }

    pub(crate) fn ids(&self) -> Vec<SourceId> {
        self.states
            .0
            .iter()
            .map(|state| state.borrow().name.clone())
            .collect()
    }
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

fn start_marathon(
    options: marathon::Options,
    updates: mpsc::Sender<Update>,
    tasks: &mut JoinSet<Stopped>,
    shutdown: CancellationToken,
) -> Result<channel::Receiver<Status>, ConfigError> {
    let source = Marathon::new(options, "marathon")?;
    let (status, state) = channel::channel(source.status());
    tasks.spawn(async move {
        source.run(updates, status, shutdown).await;
        "the Marathon source"
    });
    Ok(state)
}

// === impl States ===

impl States {
    pub(crate) fn rows(&self) -> Vec<Source> {
        self.0.iter().map(|state| row(&state.borrow())).collect()
    }

    /// Why a source that the index waits for has not delivered.
    pub(crate) fn pending(&self, waiting: &[SourceId]) -> Vec<Pending> {
        let behind = self
            .0
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
        _ => {
            "check that Marathon runs and that --mesosMaster is its base URL; proxies keep what they have meanwhile"
        }
    };
    Pending {
        name: status.name.to_string(),
        why,
        remedy: remedy.into(),
    }
}

fn row(status: &Status) -> Source {
    let age = |at: Option<jiff::Timestamp>| {
        at.map(|at| jiff::Timestamp::now().duration_since(at).as_secs().max(0) as u64)
    };
    Source {
        name: status.name.to_string(),
        detail: status.detail.clone(),
        synced: status.synced,
        state: status.state.name().into(),
        last_event_seconds: age(status.last_event),
        last_resync_seconds: age(status.last_resync),
        last_error: status.last_error.clone(),
        events: status.events,
        resyncs: status.resyncs,
    }
}
