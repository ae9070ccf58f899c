//! Passes on what the sources say, keeps it on disk, and speaks for those that are silent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use api::event::{Change, Event, Keyed, SourceId, Update};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, Noted};
use super::{Lists, Snapshot, store};

/// Stands between the sources and whoever listens to them.
pub struct Keeper {
    path: PathBuf,
    /// The file is written at most so often.
    every: Duration,
    /// How long a source may be silent at the start before its old lists are told.
    patience: Duration,
    snapshot: Option<Snapshot>,
    sources: Vec<SourceId>,
}

/// Which sources are served from the snapshot, because they have not delivered since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// With the time at which the snapshot was written.
    pub sources: BTreeMap<SourceId, Timestamp>,
    /// Why the file could not be written, the last time it was tried.
    pub error: Option<String>,
}

struct Running {
    keeper: Keeper,
    ledger: Ledger,
    to: mpsc::Sender<Update>,
    restored: watch::Sender<Restored>,
    /// When the file is to be written; `None` while it is up to date.
    due: Option<Instant>,
    last: Option<Instant>,
}

// === impl Keeper ===

impl Keeper {
    /// `sources` are those that run; lists of others in the snapshot are forgotten.
    pub fn new(path: PathBuf, snapshot: Option<Snapshot>, sources: Vec<SourceId>) -> Keeper {
        Keeper {
            path,
            every: Duration::from_secs(5),
            patience: Duration::from_secs(2),
            snapshot,
            sources,
        }
    }

    /// With other times: how often the file is written at most, and how long a source may be
    /// silent at the start.
    pub fn with_times(self, every: Duration, patience: Duration) -> Keeper {
        Keeper {
            every,
            patience,
            ..self
        }
    }

    /// Runs until the shutdown, until all sources have ended, or until nobody listens. At the end
    /// the file is written once more.
    pub async fn run(
        self,
        mut from: mpsc::Receiver<Update>,
        to: mpsc::Sender<Update>,
        restored: watch::Sender<Restored>,
        shutdown: CancellationToken,
    ) {
        let mut running = Running {
            ledger: Ledger::default(),
            to,
            restored,
            due: None,
            last: None,
            keeper: self,
        };
        shutdown
            .run_until_cancelled(running.pass_on(&mut from))
            .await;
        if running.due.is_some() {
            running.write().await;
        }
    }
}

// === impl Running ===

impl Running {
    /// Returns when no source speaks or nobody listens any more.
    async fn pass_on(&mut self, from: &mut mpsc::Receiver<Update>) {
        let mut patience = Some(Instant::now() + self.keeper.patience);
        if self.keeper.snapshot.is_none() {
            patience = None;
        }
        loop {
            tokio::select! {
                update = from.recv() => match update {
                    Some(update) => if self.pass(update).await.is_none() { return },
                    None => return,
                },
                () = until(patience), if patience.is_some() => {
                    patience = None;
                    if self.restore().await.is_none() { return }
                }
                // Not before the old lists have been told: a file without them would lose them.
                () = until(self.due), if self.due.is_some() && patience.is_none() => {
                    self.write().await;
                }
            }
        }
    }

    async fn pass(&mut self, update: Update) -> Option<()> {
        match self.ledger.note(&update.source, &update.change) {
            Noted::Nothing => {}
            Noted::Changed => self.schedule(),
            Noted::Completed => {
                self.schedule();
                self.restored
                    .send_if_modified(|restored| restored.sources.remove(&update.source).is_some());
            }
        }
        self.to.send(update).await.ok()
    }

    /// Tells the old lists of all sources that have not begun one.
    async fn restore(&mut self) -> Option<()> {
        let snapshot = self.keeper.snapshot.take()?;
        let written = snapshot.written;
        for (source, lists) in snapshot.into_sources() {
            if !self.keeper.sources.contains(&source) || self.ledger.has_begun(&source) {
                continue;
            }
            tracing::warn!(
                %source,
                %written,
                effect = "what it said before the start is served until it delivers",
                "the source is silent: its lists are taken from the snapshot"
            );
            // Marked first: nobody may take old lists for new ones.
            self.restored.send_modify(|restored| {
                restored.sources.insert(source.clone(), written);
            });
            self.speak_for(&source, lists).await?;
        }
        Some(())
    }

    async fn speak_for(&mut self, source: &SourceId, lists: Lists) -> Option<()> {
        let config = words(lists.config).map(Change::Config);
        let workloads = words(lists.workloads).map(Change::Workload);
        for change in config.chain(workloads) {
            self.ledger.note(source, &change);
            let source = source.clone();
            self.to.send(Update { source, change }).await.ok()?;
        }
        Some(())
    }

    fn schedule(&mut self) {
        let now = Instant::now();
        let earliest = self.last.map_or(now, |last| last + self.keeper.every);
        // The first words of a start are followed by many more.
        let gathered = now + self.keeper.every / 5;
        self.due.get_or_insert(earliest.max(gathered));
    }

    async fn write(&mut self) {
        self.due = None;
        self.last = Some(Instant::now());
        let (ledger, path) = (self.ledger.clone(), self.keeper.path.clone());
        let stored = tokio::task::spawn_blocking(move || store(&path, &ledger.written())).await;
        let error = match stored {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        let path = &self.keeper.path;
        self.restored.send_if_modified(|restored| {
            let news = restored.error != error;
            if let (true, Some(error)) = (news, &error) {
                tracing::warn!(
                    ?path,
                    effect = "a restart serves nothing, or older lists, while its sources are away",
                    remedy = "make the directory of --snapshotFile writable, with space left",
                    "the snapshot cannot be written: {error}"
                );
            }
            restored.error = error;
            news
        });
    }
}

/// A list as a source tells it.
fn words<T: Keyed>(list: Option<Vec<T>>) -> impl Iterator<Item = Event<T>> {
    let lists = list.into_iter();
    lists.flat_map(|things| {
        let things = things.into_iter().map(Event::InitApply);
        std::iter::once(Event::Init)
            .chain(things)
            .chain([Event::InitDone])
    })
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
