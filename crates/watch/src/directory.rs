//! Istio objects in the YAML and JSON files below a directory, read again whenever one changes.
//!
//! ```text
//! notice ──► Directory ──► tree (which files) ──► parse (documents) ──► ledger ──► Update
//! ```
//!
//! The files are edited by people, live. So one bad document costs nothing but itself, and what
//! it replaced stays in force; a directory that is missing is never mistaken for an empty one.

mod ledger;
mod notice;
mod parse;
mod split;
mod tree;
mod yaml;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::event::{Change, Event, SourceId, Update};
use api::istio::{Object, Problem};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::ledger::{Difference, Ledger};
use self::notice::Notices;
use self::tree::{Scan, Tree};
use crate::report::{Deaf, Report};
use crate::{State, Status};

/// A directory of configuration.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    source: SourceId,
    timing: Timing,
}

/// How patiently a directory is watched.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Read when no notice has come for so long …
    pub quiet: Duration,
    /// … but at the latest so long after the first one.
    pub most: Duration,
    /// Look at all files so often even without a notice: not every file system gives them.
    pub poll: Duration,
    /// Look a second time after so long before believing that all files are gone.
    pub confirm: Duration,
}

/// A source at work.
struct Running {
    path: PathBuf,
    timing: Timing,
    report: Report,
    notices: Notices,
    /// Absent while a scan has it.
    tree: Option<Tree>,
    ledger: Ledger,
    synced: bool,
    /// All files were gone at the last look.
    emptied: bool,
}

/// What one file says by itself; an object that stands twice is there twice.
pub fn documents(name: &str, text: &str) -> (Vec<Object>, Vec<Problem>) {
    let name: Arc<str> = name.into();
    let parsed = parse::file(&name, text);
    (parsed.objects, parsed.problems)
}

/// What files with these names and texts say, as a directory of them would tell it.
pub fn read<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> (Vec<Object>, Vec<Problem>) {
    let mut ledger = Ledger::default();
    for (name, text) in files {
        let name: Arc<str> = name.into();
        let parsed = parse::file(&name, text);
        ledger.read(name, parsed);
    }
    (ledger.objects(), ledger.problems())
}

// === impl Timing ===

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            quiet: Duration::from_millis(20),
            most: Duration::from_millis(200),
            poll: Duration::from_secs(2),
            confirm: Duration::from_millis(500),
        }
    }
}

// === impl Directory ===

impl Directory {
    /// All `*.yaml`, `*.yml` and `*.json` below `path`, hidden ones left out.
    pub fn new(path: impl Into<PathBuf>, source: impl Into<SourceId>) -> Directory {
        Directory {
            path: path.into(),
            source: source.into(),
            timing: Timing::default(),
        }
    }

    /// With another pace.
    pub fn timing(mut self, timing: Timing) -> Directory {
        self.timing = timing;
        self
    }

    /// What to put into the status channel before `run`.
    pub fn status(&self) -> Status {
        Status::starting(self.source.clone(), self.path.to_string_lossy())
    }

    /// Sends the directory's objects and every change, until the shutdown or until nobody listens.
    pub async fn run(
        self,
        updates: mpsc::Sender<Update>,
        status: watch::Sender<Status>,
        shutdown: CancellationToken,
    ) {
        let mut running = Running {
            tree: Some(Tree::new(self.path.clone())),
            path: self.path,
            timing: self.timing,
            report: Report::new(self.source, updates, status),
            notices: Notices::new(),
            ledger: Ledger::default(),
            synced: false,
            emptied: false,
        };
        // A cancelled run ends wherever it waits; a scan under way finishes on its own thread.
        let Some(Err(deaf)) = shutdown.run_until_cancelled(running.watch()).await else {
            return;
        };
        tracing::debug!(source = %running.report.source(), "{deaf}");
    }
}

// === impl Running ===

impl Running {
    async fn watch(&mut self) -> Result<(), Deaf> {
        self.report.status(Status::connecting);
        loop {
            self.notices.watch(&self.path);
            let pause = match self.scan().await {
                Ok(scan) => self.settle(scan).await?,
                Err(error) => self.lost(&error).await?,
            };
            let noticed = self.notices.settled(&self.timing);
            // Elapsed is as good as a notice: both mean to look.
            let _ = tokio::time::timeout(pause, noticed).await;
        }
    }

    /// Reads what changed, on a thread that may block.
    async fn scan(&mut self) -> io::Result<Scan> {
        let fresh = || Tree::new(self.path.clone());
        let mut tree = self.tree.take().unwrap_or_else(fresh);
        let believe = self.emptied;
        let task = tokio::task::spawn_blocking(move || {
            let scan = tree.scan(believe);
            (tree, scan)
        });
        let (tree, scan) = task.await.map_err(io::Error::other)?;
        self.tree = Some(tree);
        scan
    }

    /// Tells what a scan found; returns how long to wait for the next without a notice.
    async fn settle(&mut self, scan: Scan) -> Result<Duration, Deaf> {
        self.emptied = scan.emptied;
        if scan.emptied {
            // Whatever is noticed meanwhile, the second look comes this much later.
            tokio::time::sleep(self.timing.confirm).await;
            return Ok(Duration::ZERO);
        }
        let restless = scan.restless;
        let read = scan.read.len() + scan.gone.len();
        let blocked = self.enter(scan);
        if self.synced {
            self.tell(blocked, read).await?;
        } else {
            self.introduce(blocked).await?;
        }
        Ok(if restless {
            self.timing.quiet
        } else {
            self.timing.poll
        })
    }

    fn enter(&mut self, scan: Scan) -> Vec<Problem> {
        for file in scan.gone {
            self.ledger.gone(&file);
        }
        for (file, text) in scan.read {
            match text {
                Ok(text) => {
                    let parsed = parse::file(&file, &text);
                    self.ledger.read(file, parsed);
                }
                Err(why) => self.ledger.unreadable(file, &why),
            }
        }
        let blocked = scan.blocked.iter();
        blocked
            .map(|(dir, why)| ledger::unreadable(dir, why))
            .collect()
    }

    /// The first complete list.
    async fn introduce(&mut self, blocked: Vec<Problem>) -> Result<(), Deaf> {
        let objects = self.ledger.objects();
        self.problems(blocked).await?;
        tracing::info!(
            source = %self.report.source(),
            directory = %self.path.display(),
            objects = objects.len(),
            "directory read"
        );
        self.report.say(Change::Config(Event::Init)).await?;
        for object in objects {
            self.report
                .say(Change::Config(Event::InitApply(object)))
                .await?;
        }
        self.report.say(Change::Config(Event::InitDone)).await?;
        self.synced = true;
        self.report.status(Status::resynced);
        Ok(())
    }

    /// The differences since the last list or difference.
    async fn tell(&mut self, blocked: Vec<Problem>, read: usize) -> Result<(), Deaf> {
        let Difference { applied, deleted } = self.ledger.settle();
        self.problems(blocked).await?;
        self.report.status(|status| status.state = State::Streaming);
        if read > 0 {
            self.report.status(|status| status.heard(read as u64));
        }
        if !applied.is_empty() || !deleted.is_empty() {
            tracing::info!(
                source = %self.report.source(),
                applied = applied.len(),
                deleted = deleted.len(),
                "directory changed"
            );
        }
        for object in applied {
            self.report
                .say(Change::Config(Event::Apply(object)))
                .await?;
        }
        for key in deleted {
            self.report.say(Change::Config(Event::Delete(key))).await?;
        }
        Ok(())
    }

    /// The directory itself cannot be listed: nothing is sent but the problem.
    async fn lost(&mut self, error: &io::Error) -> Result<Duration, Deaf> {
        let mut problem = ledger::unreadable(&tree::display(&self.path), &error.to_string());
        problem.effect = if self.synced {
            "everything that was read from it before stays in force".into()
        } else {
            "this source is not ready, and no proxy is served before it is".into()
        };
        problem.remedy = "create the directory, or correct its path; it is tried again".into();
        self.report
            .failed(&format!("{}: {error}", self.path.display()));
        self.problems(vec![problem]).await?;
        Ok(self.timing.poll)
    }

    async fn problems(&mut self, mut more: Vec<Problem>) -> Result<(), Deaf> {
        let mut problems = self.ledger.problems();
        problems.append(&mut more);
        self.report.problems(problems).await
    }
}
