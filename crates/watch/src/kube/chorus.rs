//! All kinds with one voice: one list, then changes; one report of problems; one state.

use std::collections::{BTreeMap, BTreeSet};

use api::event::{Change, Event, Keyed};
use api::istio::{Kind, Object, ObjectKey, Problem};
use tokio::sync::{mpsc, watch};

use super::failure::Failure;
use super::servers::Servers;
use crate::State;
use crate::code;
use crate::report::{Deaf, Report};

/// What the parts of the source say.
pub(super) enum Word {
    /// The first list of a kind.
    Listed(Kind, Vec<Object>),
    Changed {
        applied: Vec<Object>,
        deleted: Vec<ObjectKey>,
        /// By a new list, and not by a watch.
        relisted: bool,
    },
    /// Everything of a kind that cannot be read at present.
    Problems(Kind, Vec<Problem>),
    /// The kind is in step.
    Following(Kind),
    /// The kind is not installed.
    Missing(Kind),
    Failing(Kind, Failure),
    Health(Option<Failure>),
    Catalog(Option<Failure>),
}

/// What can fail on its own, in order of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Server,
    Catalog,
    Kind(Kind),
}

pub(super) struct Chorus {
    report: Report,
    servers: Servers,
    begun: watch::Sender<bool>,
    /// The kinds that have not listed.
    waiting: BTreeSet<Kind>,
    /// What was listed while others have not.
    first: BTreeMap<ObjectKey, Object>,
    missing: BTreeSet<Kind>,
    failing: BTreeMap<Part, Failure>,
    problems: BTreeMap<Kind, Vec<Problem>>,
}

// === impl Chorus ===

impl Chorus {
    /// The receiver turns true when every kind has listed.
    pub(super) fn new(report: Report, servers: Servers) -> (Chorus, watch::Receiver<bool>) {
        let (begun, has_begun) = watch::channel(false);
        let chorus = Chorus {
            report,
            servers,
            begun,
            waiting: Kind::all().collect(),
            first: BTreeMap::new(),
            missing: BTreeSet::new(),
            failing: BTreeMap::new(),
            problems: BTreeMap::new(),
        };
        (chorus, has_begun)
    }

    pub(super) async fn run(mut self, mut words: mpsc::Receiver<Word>) -> Deaf {
        self.report.status(|status| status.connecting());
        while let Some(word) = words.recv().await {
            if let Err(deaf) = self.hear(word).await {
                return deaf;
            }
        }
        Deaf
    }

    async fn hear(&mut self, word: Word) -> Result<(), Deaf> {
        match word {
            Word::Listed(kind, objects) => {
                self.waiting.remove(&kind);
                self.first.extend(objects.into_iter().map(|o| (o.key(), o)));
                if self.waiting.is_empty() {
                    self.introduce().await?;
                }
            }
            Word::Changed {
                applied,
                deleted,
                relisted,
            } => self.change(applied, deleted, relisted).await?,
            Word::Problems(kind, problems) => {
                self.problems.insert(kind, problems);
                self.tell_problems().await?;
            }
            Word::Following(kind) => {
                self.missing.remove(&kind);
                self.is_well(Part::Kind(kind), None).await?;
            }
            Word::Missing(kind) => {
                self.missing.insert(kind);
                self.is_well(Part::Kind(kind), None).await?;
            }
            Word::Failing(kind, failure) => self.is_well(Part::Kind(kind), Some(failure)).await?,
            Word::Health(failure) => self.is_well(Part::Server, failure).await?,
            Word::Catalog(failure) => self.is_well(Part::Catalog, failure).await?,
        }
        Ok(())
    }

    /// The first complete list of everything.
    async fn introduce(&mut self) -> Result<(), Deaf> {
        let objects = std::mem::take(&mut self.first);
        tracing::info!(
            source = %self.report.source(),
            objects = objects.len(),
            url = self.servers.url(),
            "apiserver read"
        );
        self.say(Event::Init).await?;
        for object in objects.into_values() {
            self.say(Event::InitApply(object)).await?;
        }
        self.say(Event::InitDone).await?;
        self.report.status(|status| status.resynced());
        self.begun.send_replace(true);
        self.tell_state();
        Ok(())
    }

    async fn change(
        &mut self,
        applied: Vec<Object>,
        deleted: Vec<ObjectKey>,
        relisted: bool,
    ) -> Result<(), Deaf> {
        if !*self.begun.borrow() {
            self.first.retain(|key, _| !deleted.contains(key));
            self.first.extend(applied.into_iter().map(|o| (o.key(), o)));
            return Ok(());
        }
        let events = (applied.len() + deleted.len()) as u64;
        self.report.status(|status| match relisted {
            true => status.resynced(),
            false => status.heard(events),
        });
        for object in applied {
            self.say(Event::Apply(object)).await?;
        }
        for key in deleted {
            self.say(Event::Delete(key)).await?;
        }
        self.tell_state();
        Ok(())
    }

    async fn say(&self, event: Event<Object>) -> Result<(), Deaf> {
        self.report.say(Change::Config(event)).await
    }

    async fn is_well(&mut self, part: Part, failure: Option<Failure>) -> Result<(), Deaf> {
        let before = match failure {
            Some(failure) => self.failing.insert(part, failure),
            None => self.failing.remove(&part),
        };
        if before.as_ref() != self.failing.get(&part) {
            self.tell_problems().await?;
        }
        self.tell_state();
        Ok(())
    }

    async fn tell_problems(&mut self) -> Result<(), Deaf> {
        let forbidden = self
            .failing
            .iter()
            .filter_map(|(part, failure)| match part {
                Part::Kind(kind) if failure.is_forbidden() => Some(forbidden(*kind, failure)),
                _ => None,
            });
        let problems = self.problems.values().flatten().cloned();
        let problems = problems.chain(forbidden).collect();
        self.report.problems(problems).await
    }

    fn tell_state(&mut self) {
        let (detail, failure) = (self.detail(), self.failure());
        let begun = *self.begun.borrow();
        self.report.status(|status| {
            status.detail = detail;
            if failure.is_none() && begun {
                status.state = State::Streaming;
            }
        });
        let Some(failure) = failure else {
            return;
        };
        if self.report.failed(&failure) {
            tracing::warn!(
                source = %self.report.source(),
                "the apiserver is not read completely; what it said stays in force: {failure}"
            );
        }
    }

    fn detail(&self) -> String {
        let url = self.servers.url();
        if self.missing.is_empty() {
            return url;
        }
        let kinds: Vec<&str> = self.missing.iter().map(|kind| kind.name()).collect();
        format!("{url}, not installed: {}", kinds.join(", "))
    }

    /// The first failure in words; what follows from it need not be told.
    fn failure(&self) -> Option<String> {
        let (part, failure) = self.failing.first_key_value()?;
        // A server that is away is away for all kinds: which noticed first is no news.
        let of = match part {
            Part::Kind(kind) if !failure.is_away() => format!("{kind}: "),
            Part::Kind(_) | Part::Server | Part::Catalog => String::new(),
        };
        Some(match failure.remedy() {
            "" => format!("{of}{failure}"),
            remedy => format!("{of}{failure}: {remedy}"),
        })
    }
}

fn forbidden(kind: Kind, failure: &Failure) -> Problem {
    Problem {
        code: code::KIND_FORBIDDEN,
        refused: true,
        object: None,
        location: None,
        why: format!("{kind} objects cannot be read: {failure}"),
        effect: "what was read of them before stays in force; if nothing was, no proxy is served until they can be read".into(),
        remedy: failure.remedy().into(),
    }
}
