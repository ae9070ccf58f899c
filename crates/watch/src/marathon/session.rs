//! One session: an open event stream, and everything that is read while it is open.
//!
//! The stream is opened before the first reading and heard during every reading, so a change at
//! any moment is either in the answer or leaves an event that makes it read again.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;

use api::event::{Change, Event};
use api::istio::Problem;
use api::marathon::{Workload, WorkloadKey, affected};
use jiff::Timestamp;
use reqwest::Url;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::agents::{self, Agents};
use super::client::Client;
use super::decode::Listing;
use super::dirty::{Dirty, Work};
use super::endpoint;
use super::failure::Failure;
use super::framework;
use super::options::Options;
use super::reading::{self, Found, Reading};
use super::sent::Sent;
use super::stream::EventStream;
use super::verdicts::{Moment, Verdicts};
use super::versions::Versions;
use crate::Status;
use crate::backoff::jittered;
use crate::report::Report;

/// What outlives a session.
pub(super) struct Memory {
    pub(super) client: Client,
    pub(super) options: Options,
    pub(super) report: Report,
    pub(super) sent: Sent,
    pub(super) versions: Versions,
    pub(super) verdicts: Verdicts,
    pub(super) agents: Agents,
    /// What is wrong with its name.
    pub(super) framework: Option<Problem>,
    /// Since when the present session is in step with Marathon.
    pub(super) synced: Option<Instant>,
}

/// The event stream and what it has made doubtful.
struct Inlet {
    stream: EventStream,
    dirty: Dirty,
    options: Options,
    status: watch::Sender<Status>,
}

// === impl Memory ===

impl Memory {
    /// Follows the Marathon at `base` until something fails.
    pub(super) async fn session(&mut self, base: &Url) -> Result<Infallible, Failure> {
        let timing = self.options.timing.clone();
        let mut inlet = Inlet {
            stream: EventStream::open(&self.client, base, timing.idle).await?,
            dirty: Dirty::new(timing.quiet, timing.most),
            options: self.options.clone(),
            status: self.report.status_sender(),
        };
        self.ask_name(base, &mut inlet).await?;
        let listing = self.read_all(base, &mut inlet).await?;
        let list = self.sent.begin(listing);
        self.forget();
        self.agents.retain(|key| self.sent.has(key));
        self.introduce(base, list).await?;
        let mut resync = Instant::now() + jittered(timing.resync);
        loop {
            let wake = inlet.dirty.due().map_or(resync, |due| due.min(resync));
            tokio::select! {
                heard = inlet.hear() => {
                    heard?;
                    continue;
                }
                () = until(wake) => {}
            }
            let work = inlet.dirty.take(Instant::now());
            let events = match self.amount(work, resync <= Instant::now()) {
                Work::Ids(ids) => self.read_some(base, &mut inlet, ids).await?,
                Work::Everything => {
                    let listing = self.read_all(base, &mut inlet).await?;
                    let events = self.sent.replace(listing);
                    self.forget();
                    self.agents.retain(|key| self.sent.has(key));
                    resync = Instant::now() + jittered(timing.resync);
                    self.resynced();
                    events
                }
            };
            self.tell(events).await?;
        }
    }

    /// Many single requests cost more than the whole list; up to one batch they never do.
    fn amount(&self, work: Work, resync: bool) -> Work {
        match work {
            Work::Ids(ids) => {
                let many = ids.len() > self.options.parallel && ids.len() * 4 > self.sent.len();
                if many || resync {
                    Work::Everything
                } else {
                    Work::Ids(ids)
                }
            }
            everything => everything,
        }
    }

    async fn read_all(&mut self, base: &Url, inlet: &mut Inlet) -> Result<Listing, Failure> {
        let reading = reading(&self.client, base, &self.options);
        let (sent, versions, agents) = (&self.sent, &mut self.versions, &mut self.agents);
        let mut listing = inlet
            .during(async {
                let mut listing = reading.everything(sent).await?;
                let workloads = listing.workloads.values_mut();
                complete(&reading, versions, agents, sent, workloads).await;
                Ok(listing)
            })
            .await?;
        self.judge(inlet, listing.workloads.values_mut());
        Ok(listing)
    }

    async fn read_some(
        &mut self,
        base: &Url,
        inlet: &mut Inlet,
        ids: BTreeSet<String>,
    ) -> Result<Vec<Event<Workload>>, Failure> {
        let reading = reading(&self.client, base, &self.options);
        let (sent, versions, agents) = (&self.sent, &mut self.versions, &mut self.agents);
        let mut found: Vec<Found> = inlet
            .during(async {
                let mut found = reading.some(ids, sent).await?;
                let workloads = reading::workloads(&mut found);
                complete(&reading, versions, agents, sent, workloads).await;
                Ok(found)
            })
            .await?;
        self.judge(inlet, reading::workloads(&mut found));
        let found = found.into_iter();
        let events = found
            .filter_map(|(key, entry)| self.sent.update(key, entry))
            .collect();
        self.forget();
        Ok(events)
    }

    /// Fills in the health that Marathon does not tell, and has those read again that wait for it.
    fn judge<'a>(&mut self, inlet: &mut Inlet, workloads: impl Iterator<Item = &'a mut Workload>) {
        let moment = Moment {
            now: Timestamp::now(),
            fresh: self.synced.is_none(),
        };
        for workload in workloads {
            if let Some(at) = self.verdicts.complete(workload, moment) {
                let wait = at.duration_since(moment.now).unsigned_abs();
                let id = workload.key().id.to_string();
                inlet.dirty.note_later(id, Instant::now() + wait);
            }
        }
    }

    fn forget(&mut self) {
        self.versions.retain(|key| self.sent.has(key));
        self.verdicts.retain(|key| self.sent.has(key));
    }

    /// Who does not tell its name is followed all the same.
    async fn ask_name(&mut self, base: &Url, inlet: &mut Inlet) -> Result<(), Failure> {
        if self.options.domains.is_empty() {
            return Ok(());
        }
        let client = &self.client;
        let asked = async { Ok(client.read(base, endpoint::info(base)).await.ok().flatten()) };
        let Some(name) = inlet
            .during(asked)
            .await?
            .and_then(|body| framework::read(&body))
        else {
            return Ok(());
        };
        let source = self.report.source().to_string();
        self.framework = framework::mismatch(&source, &name, &self.options.domains);
        self.report.status(|status| status.framework = Some(name));
        Ok(())
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.sent.problems();
        problems.extend(self.framework.clone());
        problems
    }

    /// The complete list that begins every session.
    async fn introduce(&mut self, base: &Url, list: Vec<Event<Workload>>) -> Result<(), Failure> {
        let tasks = self.sent.instances();
        let (source, workloads) = (self.report.source(), self.sent.len());
        tracing::info!(%source, url = %base, workloads, tasks, "in step with Marathon");
        let problems = self.problems();
        self.report.problems(problems).await?;
        for event in list {
            self.report.say(Change::Workload(event)).await?;
        }
        self.resynced();
        self.synced = Some(Instant::now());
        Ok(())
    }

    fn resynced(&self) {
        let leader = self.client.leader();
        self.report.status(|status| {
            status.resynced();
            status.leader = leader;
        });
    }

    async fn tell(&mut self, events: Vec<Event<Workload>>) -> Result<(), Failure> {
        let problems = self.problems();
        self.report.problems(problems).await?;
        if !events.is_empty() {
            tracing::debug!(source = %self.report.source(), changes = events.len(), "Marathon changed");
        }
        for event in events {
            self.report.say(Change::Workload(event)).await?;
        }
        Ok(())
    }
}

// === impl Inlet ===

impl Inlet {
    /// Waits for the next event and notes it. May be dropped while waiting.
    async fn hear(&mut self) -> Result<(), Failure> {
        let frame = self.stream.next().await?;
        let now = Instant::now();
        tracing::trace!(event = frame.kind, "event");
        self.status.send_modify(|status| status.heard(1));
        if frame.kind == "group_change_success" {
            // The groups may be stored only after the event was sent.
            self.dirty
                .note_aftermath(now + self.options.timing.aftermath);
        }
        self.dirty.note(affected(&frame.kind, &frame.data), now);
        Ok(())
    }

    /// Does some work and hears events meanwhile; the end of the stream ends the work.
    async fn during<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                heard = self.hear() => heard?,
            }
        }
    }
}

/// Adds what the answers themselves do not tell: older versions, and addresses of agents.
async fn complete<'a>(
    reading: &Reading<'_>,
    versions: &mut Versions,
    agents: &mut Agents,
    sent: &'a Sent,
    workloads: impl Iterator<Item = &'a mut Workload>,
) {
    let mut workloads: Vec<&mut Workload> = workloads.collect();
    let again = workloads.iter_mut().map(|w| &mut **w);
    let last = |key: &WorkloadKey| sent.last(key);
    versions
        .complete(reading.client, reading.base, reading.parallel, again, last)
        .await;
    agents.complete(&mut workloads, agents::resolve).await;
}

/// What is due is not put to sleep: the runtime's timers round up to the next millisecond.
async fn until(at: Instant) {
    if at > Instant::now() {
        sleep_until(at).await;
    }
}

fn reading<'a>(client: &'a Client, base: &'a Url, options: &Options) -> Reading<'a> {
    Reading {
        client,
        base,
        parallel: options.parallel,
        confirm: options.timing.confirm,
    }
}
