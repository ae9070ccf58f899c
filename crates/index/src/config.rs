//! Configuration: Istio objects as values of the model, in order of precedence.
//!
//! Each object is converted when it changes, by itself. A bad one is refused alone, and the
//! version of it that was good last stays in force. What concerns several objects (merging,
//! precedence) is decided when a World is published.

mod authentication;
mod authorization;
mod cel;
mod destination_rule;
mod envoy_filter;
mod export;
mod gateway;
mod names;
mod object;
mod regex;
mod selector;
mod service_entry;
mod sidecar;
mod telemetry;
mod traffic_policy;
mod virtual_service;
mod without;
mod workload_entry;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::event::{Event, SourceId};
use api::istio::{Object, ObjectKey};
use jiff::Timestamp;
use model::{Diagnostic, Location, Mesh, ObjectRef};

use crate::codes;
use crate::lists::{Lists, Step};
use crate::report::Report;
use crate::ruling::Ruling;

pub(crate) use object::Item;
pub(crate) use traffic_policy::locality_balance;
pub(crate) use virtual_service::is_retry_condition;

/// All objects of all sources.
#[derive(Debug)]
pub(crate) struct Config {
    mesh: Arc<Mesh>,
    /// Of two sources that define the same object, the one that stands first here wins.
    sources: Vec<SourceId>,
    lists: Lists<Object>,
    entries_by_object: BTreeMap<ObjectKey, BTreeMap<Rank, Entry>>,
    dirty: bool,
}

/// Precedence of sources: as in the settings, then those that are not there, by name.
type Rank = (usize, SourceId);

/// One object as one source tells it.
#[derive(Debug)]
struct Entry {
    object: Object,
    /// The last good version.
    good: Option<Item>,
    diagnostics: Vec<Diagnostic>,
}

/// What orders objects: without a time of creation, as in files, after all others. The order of
/// arrival must not count, or two replicas that read the same objects would disagree.
type Precedence<'a> = (bool, Option<Timestamp>, &'a str, &'a str);

/// What is wrong with an object by itself, without any other beside it.
pub fn validate(object: &Object, mesh: &Mesh) -> Vec<Diagnostic> {
    object::read(object, mesh, false).diagnostics
}

// === impl Config ===

impl Config {
    pub(crate) fn new(mesh: Arc<Mesh>, sources: Vec<SourceId>) -> Config {
        Config {
            mesh,
            sources,
            lists: Lists::default(),
            entries_by_object: BTreeMap::new(),
            dirty: true,
        }
    }

    /// Takes in a word of a source; `true` if it completed a list.
    pub(crate) fn apply(&mut self, source: &SourceId, event: Event<Object>) -> bool {
        let absorbed = self.lists.absorb(source, event);
        for step in absorbed.steps {
            match step {
                Step::Apply(object) => self.put(source, object),
                Step::Delete(key) => self.remove(source, &key),
            }
        }
        absorbed.completed
    }

    /// What is in force, if anything changed since the last call.
    pub(crate) fn refresh(&mut self) -> Option<Ruling> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let mut in_force: Vec<&Entry> = self
            .entries_by_object
            .values()
            .filter_map(|by_rank| by_rank.first_key_value())
            .map(|(_, entry)| entry)
            .collect();
        in_force.sort_by_key(|entry| entry.precedence());
        let mut ruling = Ruling::default();
        for entry in in_force {
            if let Some(good) = &entry.good {
                let location = entry.object.location.as_ref().map(place);
                ruling.add(good, location);
            }
        }
        ruling.delegate();
        ruling.merge_destination_rules();
        ruling.settle_extensions();
        Some(ruling)
    }

    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all = Vec::new();
        for by_rank in self.entries_by_object.values() {
            let mut entries = by_rank.iter();
            let Some((winner, entry)) = entries.next() else {
                continue;
            };
            all.extend(entry.diagnostics.iter().cloned());
            all.extend(entries.flat_map(|(rank, entry)| twice(entry, rank, winner)));
        }
        all
    }

    fn put(&mut self, source: &SourceId, object: Object) {
        let rank = self.rank(source);
        let by_rank = self
            .entries_by_object
            .entry(object.key.clone())
            .or_default();
        let old = by_rank.remove(&rank);
        if old.as_ref().is_none_or(|old| old.object != object) {
            self.dirty = true;
        }
        let entry = match old {
            Some(old) if old.object == object => old,
            old => {
                let last_good = old.and_then(|old| old.good);
                let read = object::read(&object, &self.mesh, last_good.is_some());
                Entry {
                    good: match read.refused {
                        true => last_good,
                        false => object::reuse(read.item, last_good),
                    },
                    diagnostics: read.diagnostics,
                    object,
                }
            }
        };
        by_rank.insert(rank, entry);
    }

    fn remove(&mut self, source: &SourceId, key: &ObjectKey) {
        let rank = self.rank(source);
        let Some(by_rank) = self.entries_by_object.get_mut(key) else {
            return;
        };
        self.dirty |= by_rank.remove(&rank).is_some();
        if by_rank.is_empty() {
            self.entries_by_object.remove(key);
        }
    }

    fn rank(&self, source: &SourceId) -> Rank {
        let known = self.sources.iter().position(|s| s == source);
        (known.unwrap_or(self.sources.len()), source.clone())
    }
}

// === impl Entry ===

impl Entry {
    /// Istio's order: age, then name, then namespace.
    fn precedence(&self) -> Precedence<'_> {
        let (created, key) = (self.object.created, &self.object.key);
        (created.is_none(), created, &key.name, &key.namespace)
    }
}

fn twice(entry: &Entry, rank: &Rank, winner: &Rank) -> Vec<Diagnostic> {
    let location = entry.object.location.as_ref().map(place);
    let mut report = Report::new(reference(&entry.object.key), location, "");
    report.warn(
        codes::OBJECT_TWICE,
        "",
        format!(
            "the sources {} and {} both define this object",
            winner.1, rank.1
        ),
        format!("the version from {} is in force", winner.1),
        "remove one of the two",
    );
    report.into_diagnostics()
}

/// The name of an object in the model.
pub(crate) fn reference(key: &ObjectKey) -> ObjectRef {
    ObjectRef {
        kind: key.kind.name(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}

pub(crate) fn place(location: &api::istio::Location) -> Location {
    Location {
        file: location.file.clone(),
        line: location.line,
    }
}
