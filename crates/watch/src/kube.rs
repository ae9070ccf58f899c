//! The Istio objects of a kube-apiserver, kept in step by list and watch.
//!
//! ```text
//! catalog (what is served) ─┐
//! health (is it there) ─────┼─► kind, one task each ──► chorus ──► Update
//!                 servers ──┘     list, then watch
//! ```
//!
//! All kinds together are one source: its first list is complete when every kind has listed, and a
//! kind whose definition is not installed counts as empty until it is. A later list of one kind is
//! told as its difference, so nothing that stays is ever missing. While the apiserver is away, or
//! says what cannot be believed yet, nothing is sent.

mod access;
mod catalog;
mod chorus;
mod conditions;
mod document;
mod failure;
mod follow;
mod health;
mod kind;
mod ledger;
mod list;
mod servers;

use std::time::Duration;

use api::event::{SourceId, Update};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::access::{Access, AccessError};
use self::catalog::Catalog;
pub use self::catalog::{Catalogued, Served};
use self::chorus::Chorus;
pub use self::conditions::{ACCEPTED, Condition, Conditions};
pub use self::failure::Failure;
use self::health::Health;
use self::kind::KindTask;
pub use self::servers::Servers;
use crate::Status;
use crate::report::Report;

/// The words of all kinds that may wait for the chorus.
const BACKLOG: usize = 64;

/// A kube-apiserver, or several in front of one etcd.
pub struct Kube {
    source: SourceId,
    servers: Servers,
    timing: Timing,
    catalogued: Catalogued,
    conditions: Conditions,
}

/// How patiently an apiserver is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// How long an answer may take.
    pub answer: Duration,
    /// How long a watch is asked to last. Servers end it then, and it is resumed.
    pub watch: Duration,
    /// A watch that says nothing for so long is asked anew: bookmarks come every minute.
    pub silence: Duration,
    /// How often the server is asked whether it is well.
    pub probe: Duration,
    /// How often it is asked for kinds that are not installed.
    pub discover: Duration,
    /// How long a list that has lost most of its objects, or all, is doubted.
    pub confirm: Duration,
    /// The first and the longest wait after a failure.
    pub backoff: (Duration, Duration),
    /// Objects per page of a list.
    pub page: usize,
}

// === impl Timing ===

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            answer: Duration::from_secs(10),
            watch: Duration::from_secs(290),
            silence: Duration::from_secs(90),
            probe: Duration::from_secs(3),
            discover: Duration::from_secs(5),
            confirm: Duration::from_secs(3),
            backoff: (Duration::from_millis(250), Duration::from_secs(15)),
            page: 500,
        }
    }
}

// === impl Kube ===

impl Kube {
    pub fn new(servers: Servers, source: impl Into<SourceId>) -> Kube {
        Kube {
            source: source.into(),
            servers,
            timing: Timing::default(),
            catalogued: Catalogued::default(),
            conditions: Conditions::default(),
        }
    }

    pub fn with_timing(self, timing: Timing) -> Kube {
        Kube { timing, ..self }
    }

    /// Under which version and path each kind is served, as far as it is known.
    pub fn catalogued(&self) -> Catalogued {
        self.catalogued.clone()
    }

    /// What stands in the status of the objects.
    pub fn conditions(&self) -> Conditions {
        self.conditions.clone()
    }

    /// What to put into the status channel before `run`.
    pub fn status(&self) -> Status {
        Status::starting(self.source.clone(), self.servers.url())
    }

    /// Sends all objects and every change, until the shutdown or until nobody listens.
    pub async fn run(
        self,
        updates: mpsc::Sender<Update>,
        status: watch::Sender<Status>,
        shutdown: CancellationToken,
    ) {
        let mut tasks = JoinSet::new();
        let (words, heard) = mpsc::channel(BACKLOG);
        let health = Health::new(self.servers.clone(), self.timing.clone());
        let catalog = Catalog::new(
            self.servers.clone(),
            self.timing.clone(),
            self.catalogued.clone(),
        );
        let report = Report::new(self.source, updates, status);
        let (chorus, begun) = Chorus::new(report, self.servers.clone());
        for kind in api::istio::Kind::all() {
            let task = KindTask::new(
                kind,
                self.servers.clone(),
                self.timing.clone(),
                self.conditions.clone(),
                words.clone(),
            );
            tasks.spawn(task.run(catalog.subscribe(), health.subscribe(), begun.clone()));
        }
        tasks.spawn(catalog.run(health.subscribe(), words.clone()));
        tasks.spawn(health.run(words));
        let sing = Box::pin(chorus.run(heard));
        if let Some(deaf) = shutdown.run_until_cancelled(sing).await {
            tracing::debug!("{deaf}");
        }
        // Dropping the set ends all tasks.
    }
}
