//! A steady load: so many requests a second, all the time, and what became of each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Client;

/// Requests that may be open: slow answers must not slow the others down.
const AT_ONCE: usize = 64;
/// Failures that are kept in full.
const KEPT: usize = 10;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// When it was sent, since the load began.
    pub at: Duration,
    /// What was going on.
    pub step: String,
    /// How it failed, after how long.
    pub what: String,
}

/// What became of the requests so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// All that have an outcome.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// The first failures.
    pub first: Vec<Lost>,
    /// The slowest request.
    pub slowest: Duration,
    /// Answers by version of reviews.
    pub by_version: BTreeMap<String, u64>,
}

/// A running load. Dropping it ends it.
pub struct Load {
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

struct Shared {
    client: Client,
    began: Instant,
    step: Mutex<String>,
    tally: Mutex<Tally>,
}

impl Load {
    /// Begins to ask for whole pages, without a user.
    pub fn start(client: Client, per_second: u32) -> Self {
        let shared = Arc::new(Shared {
            client,
            began: Instant::now(),
            step: Mutex::new("start".into()),
            tally: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(run(shared.clone(), per_second, stop.clone()));
        Self { shared, stop, task }
    }

    /// What is going on from now on; failures are filed under it.
    pub fn step(&self, name: impl Into<String>) {
        *self.shared.step.lock() = name.into();
    }

    /// The outcome so far.
    pub fn tally(&self) -> Tally {
        self.shared.tally.lock().clone()
    }

    /// Waits until so many more requests have an outcome.
    pub async fn more(&self, requests: u64) {
        let goal = self.tally().requests + requests;
        while self.tally().requests < goal {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends no more, waits for what is open, and returns the outcome.
    pub async fn finish(mut self) -> Tally {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
        self.tally()
    }
}

async fn run(shared: Arc<Shared>, per_second: u32, stop: CancellationToken) {
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    // After a stall the rate goes on, without a burst that would be a test of its own.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let Ok(permit) = permits.clone().acquire_owned().await else {
            break;
        };
        let shared = shared.clone();
        open.spawn(async move {
            shared.ask().await;
            drop(permit);
        });
        while open.try_join_next().is_some() {}
    }
    while open.join_next().await.is_some() {}
}

impl Shared {
    async fn ask(&self) {
        let (at, step) = (self.began.elapsed(), self.step.lock().clone());
        let answer = self.client.whole_page(None).await;
        let took = self.began.elapsed() - at;
        let mut tally = self.tally.lock();
        tally.requests += 1;
        tally.slowest = tally.slowest.max(took);
        match answer {
            Ok(page) => {
                let version = page.reviews_version().unwrap_or("none").to_owned();
                *tally.by_version.entry(version).or_default() += 1;
            }
            Err(failure) => {
                tally.failed += 1;
                if tally.first.len() < KEPT {
                    let what = format!("{failure} (after {took:?})");
                    tally.first.push(Lost { at, step, what });
                }
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slowest = self.slowest.as_millis();
        write!(
            f,
            "{} of {} requests failed, slowest {slowest} ms",
            self.failed, self.requests
        )?;
        for lost in &self.first {
            write!(
                f,
                "\n  at {:.3} s, {}: {}",
                lost.at.as_secs_f64(),
                lost.step,
                lost.what
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Block;

    #[tokio::test]
    async fn failures_are_counted_and_filed_under_their_step() {
        let block = Block::claim().unwrap();
        let nobody = (block.agent(1), 9080).into();
        let load = Load::start(Client::new(nobody).unwrap(), 200);
        load.more(3).await;
        load.step("second");
        load.more(5).await;
        let tally = load.finish().await;
        assert!(tally.requests >= 8, "{tally}");
        assert_eq!(tally.failed, tally.requests);
        assert_eq!(tally.first.len() as u64, tally.failed.min(KEPT as u64));
        assert_eq!(tally.first[0].step, "start");
        assert!(
            tally.first.iter().any(|lost| lost.step == "second"),
            "{tally}"
        );
        assert!(tally.first[0].what.contains("refused"), "{tally}");
        assert!(tally.by_version.is_empty());
    }
}
