//! The workloads of a Marathon, kept in step by its event stream.
//!
//! ```text
//! client ──► stream ──► sse ──► dirty ──┐             (events only say what to read again)
//!    └─────► reading ◄──────────────────┘
//!               └──► decode ──► versions, agents, verdicts ──► sent ──► Update
//! ```
//!
//! Marathon does not promise that events are complete, in order, or later than the change. So
//! they are hints: whatever one touches is read again, everything is read again once a minute,
//! and a new stream always begins with a complete list. While Marathon is away nothing is sent.

mod access;
mod agents;
mod client;
mod decode;
mod dirty;
mod endpoint;
mod failure;
mod framework;
mod options;
mod reading;
mod sent;
mod session;
mod sse;
mod stream;
mod tls;
mod verdicts;
mod versions;

use std::convert::Infallible;

use api::event::{SourceId, Update};
use api::marathon::Workload;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::agents::Agents;
pub use self::client::BuildError;
use self::client::Client;
use self::failure::Failure;
pub use self::options::{Credentials, Options, Timing, Tls};
use self::sent::Sent;
use self::session::Memory;
use self::verdicts::Verdicts;
use self::versions::Versions;
use crate::Status;
use crate::backoff::Backoff;
use crate::report::{Deaf, Report};

/// A Marathon, or several that share one leader.
pub struct Marathon {
    source: SourceId,
    options: Options,
    client: Client,
    remembered: Vec<Workload>,
}

// === impl Marathon ===

impl Marathon {
    pub fn new(options: Options, source: impl Into<SourceId>) -> Result<Marathon, BuildError> {
        Ok(Marathon {
            source: source.into(),
            client: Client::new(&options)?,
            options,
            remembered: Vec::new(),
        })
    }

    /// Begins with what was last known, so that a list that has lost most of it is doubted, and
    /// addresses and versions that cannot be read at present are taken from there.
    pub fn remember(self, workloads: Vec<Workload>) -> Marathon {
        Marathon {
            remembered: workloads,
            ..self
        }
    }

    /// What to put into the status channel before `run`.
    pub fn status(&self) -> Status {
        let bases = self.client.bases().iter().map(|url| url.as_str());
        Status::starting(self.source.clone(), bases.collect::<Vec<_>>().join(","))
    }

    /// Sends all workloads and every change, until the shutdown or until nobody listens.
    pub async fn run(
        self,
        updates: mpsc::Sender<Update>,
        status: watch::Sender<Status>,
        shutdown: CancellationToken,
    ) {
        let mut agents = Agents::default();
        for workload in &self.remembered {
            agents.remember(workload);
        }
        let mut memory = Memory {
            client: self.client,
            options: self.options,
            report: Report::new(self.source, updates, status),
            sent: Sent::remember(self.remembered),
            versions: Versions::default(),
            verdicts: Verdicts::default(),
            agents,
            framework: None,
            synced: None,
        };
        // Large, and moved about by whoever spawns it.
        let live = Box::pin(memory.live());
        let Some(Err(deaf)) = shutdown.run_until_cancelled(live).await else {
            return;
        };
        tracing::debug!(source = %memory.report.source(), "{deaf}");
    }
}

// === impl Memory ===

impl Memory {
    /// One session after the other, each with the next URL.
    async fn live(&mut self) -> Result<Infallible, Deaf> {
        let (first, most) = self.options.timing.backoff;
        let mut backoff = Backoff::new(first, most);
        let bases = self.client.bases().to_vec();
        for base in bases.iter().cycle() {
            self.report.status(|status| {
                status.connecting();
                base.as_str().clone_into(&mut status.detail);
            });
            self.synced = None;
            let failure = match self.session(base).await {
                Err(Failure::Deaf(deaf)) => return Err(deaf),
                Err(failure) => failure,
                Ok(never) => match never {},
            };
            // A new leader that is not ready accepts the stream and closes it at once, again and
            // again; only a session that lasted shows that the trouble is over.
            if self
                .synced
                .is_some_and(|since| since + most < Instant::now())
            {
                backoff.reset();
            }
            let wait = backoff.wait();
            self.log(&failure, wait);
            tokio::time::sleep(wait).await;
        }
        unreachable!("a client has at least one URL, and a cycle has no end")
    }

    fn log(&self, failure: &Failure, wait: std::time::Duration) {
        let (source, retry) = (self.report.source(), tracing::field::debug(wait));
        // A stream that ends asks nothing of anybody.
        let remedy = Some(failure.remedy()).filter(|remedy| !remedy.is_empty());
        if self.report.failed(&failure.text()) {
            tracing::warn!(
                %source,
                remedy,
                retry,
                "Marathon is away; what it said stays in force: {failure}"
            );
        } else {
            tracing::debug!(%source, retry, "Marathon is still away: {failure}");
        }
    }
}
