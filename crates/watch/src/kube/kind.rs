//! One kind: listed, then watched, then watched on, for ever.

use std::sync::Arc;
use std::time::Duration;

use api::istio::Kind;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::Timing;
use super::catalog::{Kinds, Served};
use super::chorus::Word;
use super::conditions::Conditions;
use super::document::Document;
use super::failure::Failure;
use super::follow::{Line, Lines};
use super::ledger::{Difference, Ledger, Read};
use super::list::{self, List};
use super::servers::Servers;
use crate::backoff::{Backoff, jittered};
use crate::report::Deaf;

/// How often a kind that could be read may be refused before it is told.
const GRACE: u32 = 4;

/// The life of one kind.
pub(super) struct KindTask {
    kind: Kind,
    pub(super) servers: Servers,
    pub(super) timing: Timing,
    conditions: Conditions,
    words: mpsc::Sender<Word>,
    ledger: Ledger,
    /// From where the watch goes on; `None`: everything must be listed.
    version: Option<String>,
    /// Whether the first list was told.
    listed: bool,
}

/// Why a step ended early.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    Deaf(#[from] Deaf),
}

/// Whether the definition of a kind is installed.
enum Definition {
    There,
    Gone,
    /// We may not ask.
    Unknown,
}

type StepResult<T = ()> = Result<T, Stop>;

// === impl KindTask ===

impl KindTask {
    pub(super) fn new(
        kind: Kind,
        servers: Servers,
        timing: Timing,
        conditions: Conditions,
        words: mpsc::Sender<Word>,
    ) -> KindTask {
        KindTask {
            kind,
            servers,
            timing,
            conditions,
            words,
            ledger: Ledger::default(),
            version: None,
            listed: false,
        }
    }

    /// `begun` becomes true when all kinds have listed: changes are told after that only.
    pub(super) async fn run(
        mut self,
        mut kinds: watch::Receiver<Kinds>,
        mut recovered: watch::Receiver<u64>,
        mut begun: watch::Receiver<bool>,
    ) {
        let (first, most) = self.timing.backoff;
        let mut backoff = Backoff::new(first, most);
        let mut refused = 0;
        loop {
            recovered.mark_unchanged();
            let started = Instant::now();
            match self.step(&mut kinds, &mut begun).await {
                Ok(()) => {
                    backoff.reset();
                    refused = 0;
                    // However a server answers, it is not asked in a circle.
                    tokio::time::sleep_until(started + first).await;
                }
                Err(Stop::Deaf(_)) => return,
                // A server that has just started refuses everybody until it has read its rules.
                Err(Stop::Failed(failure))
                    if self.listed && failure.is_forbidden() && refused < GRACE =>
                {
                    refused += 1;
                    tokio::time::sleep(backoff.wait()).await;
                }
                Err(Stop::Failed(failure)) => {
                    if self.say(Word::Failing(self.kind, failure)).await.is_err() {
                        return;
                    }
                    // Elapsed is as good as a recovery: both mean to try.
                    let _ = timeout(backoff.wait(), recovered.changed()).await;
                }
            }
        }
    }

    /// One watch, with the list before it if one is needed.
    async fn step(
        &mut self,
        kinds: &mut watch::Receiver<Kinds>,
        begun: &mut watch::Receiver<bool>,
    ) -> StepResult {
        let known = kinds.wait_for(Option::is_some).await;
        let known = known.map_err(|_| Deaf)?.clone().unwrap_or_default();
        kinds.mark_unchanged();
        let Some(served) = known.get(&self.kind) else {
            return self.missing(kinds).await;
        };
        match self.follow(served, begun).await {
            Err(Stop::Failed(failure)) if failure.is_missing() => self.missing(kinds).await,
            other => other,
        }
    }

    async fn follow(&mut self, served: &Served, begun: &mut watch::Receiver<bool>) -> StepResult {
        let version = match self.version.take() {
            Some(version) => version,
            None => self.list(served).await?,
        };
        self.version = Some(version.clone());
        self.say(Word::Following(self.kind)).await?;
        begun.wait_for(|begun| *begun).await.map_err(|_| Deaf)?;
        match self.watch(served, &version).await {
            Err(Stop::Failed(failure)) if failure.is_expired() => {
                tracing::info!(kind = %self.kind, "the watch is too old and begins with a new list: {failure}");
                self.version = None;
                Ok(())
            }
            other => other,
        }
    }

    /// Tells everything, as a list or as the difference to what was told; returns the version.
    async fn list(&mut self, served: &Served) -> StepResult<String> {
        let mut list = List::read(self, served).await?;
        if is_doubtful(self.ledger.len(), list.objects.len()) {
            tracing::warn!(
                kind = %self.kind,
                before = self.ledger.len(),
                now = list.objects.len(),
                "a list has lost most of its objects; it is read again before it is believed"
            );
            sleep(self.timing.confirm).await;
            list = List::read(self, served).await?;
        }
        self.settle(list.objects).await?;
        Ok(list.version)
    }

    async fn settle(&mut self, objects: Vec<Read>) -> StepResult {
        let difference = self.ledger.replace(objects);
        for key in &difference.deleted {
            self.conditions.forget(key);
        }
        if std::mem::replace(&mut self.listed, true) {
            return self.tell(difference, true).await;
        }
        self.tell_problems(&difference).await?;
        let word = Word::Listed(self.kind, difference.applied);
        Ok(self.say(word).await?)
    }

    /// Until the watch ends, the server changes, or nothing is heard for too long.
    async fn watch(&mut self, served: &Served, version: &str) -> StepResult {
        let mut moved = self.servers.subscribe();
        let path = self.watch_path(served, version);
        let stream = self.servers.stream(&path, self.timing.answer).await?;
        let mut lines = Lines::new(self.servers.url(), Box::pin(stream));
        let (started, mut heard) = (Instant::now(), 0u32);
        loop {
            let line = tokio::select! {
                line = timeout(self.timing.silence, lines.next()) => line,
                _ = moved.changed() => return Ok(()),
            };
            match line {
                // It may be dead without knowing.
                Err(_) => return Ok(()),
                Ok(line) => match line? {
                    Some(line) => self.take(line, &served.api_version).await?,
                    None if heard == 0 && started.elapsed() < Duration::from_secs(1) => {
                        let why = "the watch was closed as soon as it began";
                        return Err(Failure::away(&self.servers.url(), why).into());
                    }
                    None => return Ok(()),
                },
            }
            heard += 1;
        }
    }

    fn watch_path(&self, served: &Served, version: &str) -> String {
        let seconds = jittered(self.timing.watch).as_secs().max(1);
        format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}",
            served.path()
        )
    }

    async fn take(&mut self, line: Line, api_version: &Arc<str>) -> StepResult {
        match line {
            Line::Put(text) => {
                let (ledger, conditions) = (&self.ledger, &self.conditions);
                let read = list::read(self.kind, &text, api_version, ledger, conditions);
                if let Some((read, version)) = read {
                    let difference = self.ledger.apply(read);
                    self.tell(difference, false).await?;
                    self.version = Some(version);
                }
            }
            Line::Deleted(text) => {
                let document = Document::parse(&text);
                let url = self.servers.url();
                let document = document.map_err(|e| Failure::undecodable(&url, &e))?;
                let key = document.key(self.kind);
                self.conditions.forget(&key);
                let difference = self.ledger.delete(key);
                self.tell(difference, false).await?;
                self.version = Some(document.resource_version().to_owned());
            }
            Line::Bookmark(version) => self.version = Some(version),
            Line::Ended(failure) => return Err(failure.into()),
        }
        Ok(())
    }

    /// The kind is not served. While a server starts it answers so for kinds that it has, too: only
    /// a definition that is gone empties a kind.
    async fn missing(&mut self, kinds: &mut watch::Receiver<Kinds>) -> StepResult {
        match self.definition().await? {
            Definition::There => {
                let why = "the definition is installed, and its objects are not served yet";
                return Err(Failure::away(&self.servers.url(), why).into());
            }
            Definition::Unknown if self.ledger.len() > 0 => sleep(self.timing.confirm).await,
            Definition::Unknown | Definition::Gone => {}
        }
        self.version = None;
        if !self.listed || self.ledger.len() > 0 {
            self.settle(Vec::new()).await?;
        }
        self.say(Word::Missing(self.kind)).await?;
        // Elapsed is as good as news: both mean to look.
        let _ = timeout(self.timing.discover, kinds.changed()).await;
        Ok(())
    }

    async fn definition(&self) -> Result<Definition, Failure> {
        let name = format!("{}.{}", self.kind.plural(), self.kind.group());
        for version in ["v1", "v1beta1"] {
            let path =
                format!("/apis/apiextensions.k8s.io/{version}/customresourcedefinitions/{name}");
            match self.servers.text(&path, self.timing.answer).await {
                Ok(_) => return Ok(Definition::There),
                Err(failure) if failure.is_missing() => {}
                Err(failure) if failure.is_forbidden() => return Ok(Definition::Unknown),
                Err(failure) => return Err(failure),
            }
        }
        Ok(Definition::Gone)
    }

    /// Reads one object of a list.
    pub(super) fn read(&self, text: &str, api_version: &Arc<str>) -> Option<Read> {
        let read = list::read(self.kind, text, api_version, &self.ledger, &self.conditions);
        read.map(|(read, _)| read)
    }

    async fn tell(&self, difference: Difference, relisted: bool) -> StepResult {
        self.tell_problems(&difference).await?;
        if difference.is_empty() && !relisted {
            return Ok(());
        }
        let word = Word::Changed {
            applied: difference.applied,
            deleted: difference.deleted,
            relisted,
        };
        Ok(self.say(word).await?)
    }

    async fn tell_problems(&self, difference: &Difference) -> StepResult {
        if difference.problems_changed {
            let problems = self.ledger.problems();
            self.say(Word::Problems(self.kind, problems)).await?;
        }
        Ok(())
    }

    async fn say(&self, word: Word) -> Result<(), Deaf> {
        self.words.send(word).await.map_err(|_| Deaf)
    }
}

/// An apiserver on an etcd that lost its data, or a restored one, says this without meaning it.
fn is_doubtful(before: usize, now: usize) -> bool {
    now < before && now * 2 < before.max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_lost_most_is_doubted() {
        for (before, now) in [(1, 0), (2, 0), (5, 2), (100, 49)] {
            assert!(is_doubtful(before, now), "{before} to {now}");
        }
        for (before, now) in [(0, 0), (2, 1), (4, 2), (0, 5), (3, 3)] {
            assert!(!is_doubtful(before, now), "{before} to {now}");
        }
    }
}
