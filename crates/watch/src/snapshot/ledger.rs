//! What the sources have said so far, in the form in which it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::event::{Change, Event, Keyed, SourceId};
use api::istio::Object;
use api::marathon::Workload;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Written, WrittenLists};

/// JSON of things by name: smaller than the things, and ready to be written. Cheap to clone.
type Texts<T> = BTreeMap<<T as Keyed>::Key, Arc<RawValue>>;

#[derive(Default, Clone)]
pub(super) struct Ledger {
    by_source: BTreeMap<SourceId, Page>,
}

#[derive(Default, Clone)]
struct Page {
    config: Said<Object>,
    workloads: Said<Workload>,
}

#[derive(Clone)]
struct Said<T: Keyed> {
    /// `None` before the first complete list.
    complete: Option<Texts<T>>,
    /// A list that has begun.
    begun: Option<Texts<T>>,
}

/// What a word did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    Nothing,
    Changed,
    /// A list is complete.
    Completed,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn note(&mut self, source: &SourceId, change: &Change) -> Noted {
        let page = self.by_source.entry(source.clone()).or_default();
        match change {
            Change::Config(event) => page.config.note(event),
            Change::Workload(event) => page.workloads.note(event),
            Change::Problems(_) => Noted::Nothing,
        }
    }

    /// Whether a source is in the middle of a list, or through with one.
    pub(super) fn has_begun(&self, source: &SourceId) -> bool {
        let page = self.by_source.get(source);
        page.is_some_and(|page| page.config.has_begun() || page.workloads.has_begun())
    }

    pub(super) fn written(&self) -> Written<'_> {
        let sources = self.by_source.iter();
        Written {
            written: Timestamp::now(),
            sources: sources
                .map(|(source, page)| (&**source, page.lists()))
                .collect(),
        }
    }
}

// === impl Page ===

impl Page {
    fn lists(&self) -> WrittenLists<'_> {
        WrittenLists {
            config: self.config.texts(),
            workloads: self.workloads.texts(),
        }
    }
}

// === impl Said ===

impl<T: Keyed> Default for Said<T> {
    fn default() -> Said<T> {
        Said {
            complete: None,
            begun: None,
        }
    }
}

impl<T: Keyed + Serialize> Said<T> {
    fn note(&mut self, event: &Event<T>) -> Noted {
        match event {
            Event::Init => self.begun = Some(BTreeMap::new()),
            Event::InitApply(thing) => put(self.begun.get_or_insert_default(), thing),
            Event::InitSame(key) => {
                let text = self.complete.as_ref().and_then(|texts| texts.get(key));
                if let Some(text) = text.cloned() {
                    self.begun.get_or_insert_default().insert(key.clone(), text);
                }
            }
            Event::InitDone => {
                self.complete = self.begun.take().or_else(|| self.complete.take());
                return Noted::Completed;
            }
            // News during a list belong to it.
            Event::Apply(thing) => put(self.texts_now(), thing),
            Event::Delete(key) => {
                self.texts_now().remove(key);
            }
        }
        Noted::Changed
    }

    fn texts_now(&mut self) -> &mut Texts<T> {
        match &mut self.begun {
            Some(begun) => begun,
            None => self.complete.get_or_insert_default(),
        }
    }

    fn has_begun(&self) -> bool {
        self.complete.is_some() || self.begun.is_some()
    }

    fn texts(&self) -> Option<Vec<&RawValue>> {
        let complete = self.complete.as_ref()?;
        Some(complete.values().map(|text| &**text).collect())
    }
}

/// What cannot be written is left out: the next start has to wait for its source then.
fn put<T: Keyed + Serialize>(texts: &mut Texts<T>, thing: &T) {
    let text = serde_json::value::to_raw_value(thing);
    match text {
        Ok(text) => texts.insert(thing.key(), text.into()),
        Err(_) => texts.remove(&thing.key()),
    };
}
