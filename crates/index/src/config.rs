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
mod request_authentication;
mod selector;
mod service_entry;
mod sidecar;
mod telemetry;
mod traffic_policy;
mod virtual_service;
mod without;
mod workload_entry;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use api::event::{Event, SourceId};
use api::istio::{Object, ObjectKey};
use jiff::Timestamp;
use model::{Diagnostic, Location, Mesh, ObjectRef};

use crate::lists::{Lists, Step};
use crate::report::Report;
use crate::ruling::{InForce, Place, Turn};
use crate::{codes, findings};

pub(crate) use export::parse as parse_exports;
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
    /// Objects that changed since the last look.
    dirty: BTreeSet<ObjectKey>,
    findings: BTreeMap<ObjectKey, Vec<Diagnostic>>,
}

/// Precedence of sources: as in the settings, then those that are not there, by name.
type Rank = (usize, SourceId);

/// One object as one source tells it. What it says is kept as a digest: as JSON it is many times as
/// large as what it became.
#[derive(Debug)]
struct Entry {
    key: ObjectKey,
    created: Option<Timestamp>,
    location: Option<api::istio::Location>,
    digest: u64,
    /// The last good version.
    good: Option<Item>,
    diagnostics: Vec<Diagnostic>,
}

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
            dirty: BTreeSet::new(),
            findings: BTreeMap::new(),
        }
    }

    /// Objects that come from now on are read with other settings of the mesh.
    pub(crate) fn configure(&mut self, mesh: &Arc<Mesh>) {
        self.mesh = mesh.clone();
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

    /// The objects that changed since the last call, and whether findings became others.
    pub(crate) fn refresh(&mut self) -> (Vec<Turn>, bool) {
        let mut changed = false;
        let mut turns = Vec::with_capacity(self.dirty.len());
        for key in std::mem::take(&mut self.dirty) {
            let by_rank = self.entries_by_object.get(&key);
            let found = by_rank.map(found).unwrap_or_default();
            changed |= findings::keep(&mut self.findings, key.clone(), found);
            let first = by_rank.and_then(BTreeMap::first_key_value);
            let now = first.and_then(|(_, entry)| entry.in_force());
            turns.push(Turn { key, now });
        }
        (turns, changed)
    }

    pub(crate) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.values().flatten()
    }

    fn put(&mut self, source: &SourceId, object: Object) {
        let rank = self.rank(source);
        let by_rank = self
            .entries_by_object
            .entry(object.key.clone())
            .or_default();
        let old = by_rank.remove(&rank);
        let digest = digest(&object);
        let is_same = old.as_ref().is_some_and(|old| old.is(&object, digest));
        if !is_same {
            self.dirty.insert(object.key.clone());
        }
        let entry = match old {
            Some(old) if is_same => old,
            old => {
                let last_good = old.and_then(|old| old.good);
                let read = object::read(&object, &self.mesh, last_good.is_some());
                Entry {
                    good: match read.refused {
                        true => last_good,
                        false => object::reuse(read.item, last_good),
                    },
                    diagnostics: read.diagnostics,
                    key: object.key,
                    created: object.created,
                    location: object.location,
                    digest,
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
        if by_rank.remove(&rank).is_some() {
            self.dirty.insert(key.clone());
        }
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
    /// Whether it was read from an equal object.
    fn is(&self, object: &Object, digest: u64) -> bool {
        (self.digest, self.created, &self.location) == (digest, object.created, &object.location)
    }

    fn in_force(&self) -> Option<InForce> {
        Some(InForce {
            place: self.place(),
            item: self.good.clone()?,
            location: self.location.as_ref().map(place),
        })
    }

    /// Istio's order: age, then name, then namespace.
    fn place(&self) -> Place {
        let key = &self.key;
        Place {
            undated: self.created.is_none(),
            created: self.created,
            name: key.name.clone(),
            namespace: key.namespace.clone(),
            kind: key.kind,
        }
    }
}

/// Of all that conversions read, but for what [`Entry`] keeps beside it.
fn digest(object: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    let content = (&object.api_version, &object.labels, &object.annotations);
    (content, &object.spec).hash(&mut hasher);
    hasher.finish()
}

/// Of the version that is in force, and of those beside it.
fn found(by_rank: &BTreeMap<Rank, Entry>) -> Vec<Diagnostic> {
    let mut entries = by_rank.iter();
    let Some((winner, entry)) = entries.next() else {
        return Vec::new();
    };
    let own = entry.diagnostics.iter().cloned();
    let others = entries.flat_map(|(rank, entry)| twice(entry, rank, winner));
    own.chain(others).collect()
}

fn twice(entry: &Entry, rank: &Rank, winner: &Rank) -> Vec<Diagnostic> {
    let location = entry.location.as_ref().map(place);
    let mut report = Report::new(reference(&entry.key), location, "");
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
