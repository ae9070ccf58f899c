//! The mouth of a source: puts its name on every change, and problems only when they changed.

use api::event::{Change, SourceId, Update};
use api::istio::Problem;
use tokio::sync::{mpsc, watch};

use crate::Status;

/// Nobody listens any more, so the source may end.
#[derive(Debug, thiserror::Error)]
#[error("nobody listens to this source any more")]
pub(crate) struct Deaf;

pub(crate) struct Report {
    source: SourceId,
    updates: mpsc::Sender<Update>,
    status: watch::Sender<Status>,
    problems: Vec<Problem>,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(
        source: SourceId,
        updates: mpsc::Sender<Update>,
        status: watch::Sender<Status>,
    ) -> Report {
        Report {
            source,
            updates,
            status,
            problems: Vec::new(),
        }
    }

    pub(crate) async fn say(&self, change: Change) -> Result<(), Deaf> {
        let source = self.source.clone();
        let update = Update { source, change };
        self.updates.send(update).await.map_err(|_| Deaf)
    }

    /// Reports the problems of the moment, unless they are the ones already reported.
    pub(crate) async fn problems(&mut self, problems: Vec<Problem>) -> Result<(), Deaf> {
        if problems == self.problems {
            return Ok(());
        }
        for problem in problems.iter().filter(|p| !self.problems.contains(p)) {
            warn(&self.source, problem);
        }
        self.problems.clone_from(&problems);
        self.say(Change::Problems(problems)).await
    }

    pub(crate) fn status(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    /// For a part of the source that reports on its own.
    pub(crate) fn status_sender(&self) -> watch::Sender<Status> {
        self.status.clone()
    }

    pub(crate) fn source(&self) -> &SourceId {
        &self.source
    }

    /// Records a failure; tells whether it is a new one.
    pub(crate) fn failed(&self, error: &str) -> bool {
        let mut news = false;
        self.status(|status| news = status.failed(error.to_owned()));
        news
    }
}

fn warn(source: &SourceId, problem: &Problem) {
    let place = problem.location.as_ref().map(tracing::field::display);
    tracing::warn!(
        %source,
        code = problem.code,
        place,
        effect = %problem.effect,
        remedy = %problem.remedy,
        "{}",
        problem.why
    );
}
