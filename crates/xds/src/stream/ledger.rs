//! What one client named and what it has, of one kind.
//!
//! Most clients have what their snapshot holds, name for name. The ledger therefore writes down
//! only where a client differs from a base, which is the layers of a snapshot: a client that is up
//! to date takes a handful of bytes, however many names it follows.
//!
//! ```text
//!   base:    a=1 b=2 c=1 d=1        shared with every stream
//!   entries:     b=1         e=1    this client: old b, and an e that is gone from the base
//! ```

mod many;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ordered::{Pair, join};
use crate::resource::{Resource, Version};
use crate::snapshot::Layers;

pub(crate) use many::{add_all, keep_named, pays, remove_all};

/// From how many entries on it pays to look for a base.
const COMPACT_FROM: usize = 64;

/// What the client has under a name.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// Sent on this stream, or known to be what we would send.
    Sent(Arc<Resource>),
    /// Named by the client, with this version, when it reconnected.
    Told(Box<Version>),
    /// It may have something, we cannot know what.
    Unknown,
}

/// [`Held`], for looking.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Has<'a> {
    Sent(&'a Arc<Resource>),
    Told(Version),
    Unknown,
}

/// The names and holdings of one client.
#[derive(Debug)]
pub(crate) struct Ledger {
    base: Layers,
    /// The client named what the base holds, one by one.
    base_named: bool,
    entries: BTreeMap<Arc<str>, Entry>,
    /// How many names the client named.
    named: usize,
    compact_at: usize,
}

/// One name that is not as the base says.
#[derive(Clone, Debug, Default)]
struct Entry {
    named: bool,
    held: Option<Held>,
}

// === impl Held ===

impl Held {
    pub(crate) fn is(&self, version: Version) -> bool {
        self.look().is(version)
    }

    pub(crate) fn look(&self) -> Has<'_> {
        match self {
            Held::Sent(resource) => Has::Sent(resource),
            Held::Told(version) => Has::Told(**version),
            Held::Unknown => Has::Unknown,
        }
    }
}

impl<'a> Has<'a> {
    pub(crate) fn is(self, version: Version) -> bool {
        match self {
            Has::Sent(resource) => resource.version == version,
            Has::Told(told) => told == version,
            Has::Unknown => false,
        }
    }

    pub(crate) fn body(self) -> Option<&'a Arc<Resource>> {
        match self {
            Has::Sent(resource) => Some(resource),
            Has::Told(_) | Has::Unknown => None,
        }
    }

    fn to_held(self) -> Held {
        match self {
            Has::Sent(resource) => Held::Sent(Arc::clone(resource)),
            Has::Told(version) => Held::Told(Box::new(version)),
            Has::Unknown => Held::Unknown,
        }
    }
}

// === impl Ledger ===

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger {
            base: Layers::default(),
            base_named: false,
            entries: BTreeMap::new(),
            named: 0,
            compact_at: COMPACT_FROM,
        }
    }
}

impl Ledger {
    /// With another size at which compaction starts, so that tests reach it with few names.
    #[cfg(test)]
    pub(crate) fn compact_from(&mut self, entries: usize) {
        self.compact_at = entries;
    }

    /// How many names the client named.
    pub(crate) fn named(&self) -> usize {
        self.named
    }

    /// How many names there are at most, for limits.
    pub(crate) fn most(&self) -> usize {
        self.entries.len() + self.base.most()
    }

    /// How many names differ from the base: what the ledger costs.
    #[cfg(test)]
    pub(crate) fn differing(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        match self.entries.get(name) {
            Some(entry) => entry.named,
            None => self.base_named && self.base.get(name).is_some(),
        }
    }

    pub(crate) fn has(&self, name: &str) -> Option<Has<'_>> {
        match self.entries.get(name) {
            Some(entry) => entry.held.as_ref().map(Held::look),
            None => self.base.get(name).map(Has::Sent),
        }
    }

    /// The names that the client named, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.iter()
            .filter(|(_, named, _)| *named)
            .map(|(name, ..)| name)
    }

    /// The names that the client named, in order, with what it has under each.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&Arc<str>, Option<Has<'_>>)> {
        self.iter()
            .filter_map(|(name, named, has)| named.then_some((name, has)))
    }

    /// What the client has, in order of names.
    pub(crate) fn holdings(&self) -> impl Iterator<Item = (&Arc<str>, Has<'_>)> {
        self.iter().filter_map(|(name, _, has)| Some((name, has?)))
    }

    /// The client names `name`. The key is returned as it is kept, or as `known` has it already:
    /// thousands of clients spell out the same names.
    pub(crate) fn name(&mut self, name: &str, known: Option<&Layers>) -> Arc<str> {
        let (key, mut entry) = self.entry(name, known);
        self.named += usize::from(!entry.named);
        entry.named = true;
        self.store(Arc::clone(&key), entry);
        key
    }

    /// The client drops `name`, and what it has under it. Returns whether it had named it.
    pub(crate) fn unname(&mut self, name: &str) -> bool {
        if !self.is_named(name) {
            return false;
        }
        let (key, _) = self.entry(name, None);
        self.named -= 1;
        self.store(key, Entry::default());
        true
    }

    /// Writes down what the client has under a name, and returns what it had.
    pub(crate) fn put(&mut self, name: &Arc<str>, held: Option<Held>) -> Option<Held> {
        let (key, entry) = self.entry(name, None);
        let named = entry.named;
        self.store(key, Entry { named, held });
        entry.held
    }

    /// Forgets everything that the client has under names that it did not name.
    pub(crate) fn keep_named(&mut self) {
        let kept: BTreeMap<Arc<str>, Entry> = self
            .iter()
            .filter(|(_, named, _)| *named)
            .map(|(name, named, has)| (Arc::clone(name), Entry::new(named, has)))
            .collect();
        self.base = Layers::default();
        self.base_named = false;
        self.entries = kept;
    }

    /// What a client told us that it has, and that is what we would send, counts as sent.
    pub(crate) fn confirm(&mut self, wanted: &Layers) {
        for (name, entry) in &mut self.entries {
            if let Some(Held::Told(version)) = &entry.held
                && let Some(resource) = wanted.get(name)
                && resource.version == **version
            {
                entry.held = Some(Held::Sent(Arc::clone(resource)));
            }
        }
    }

    /// Moves to the layers that the client is being brought to, in time proportional to the names
    /// that may differ; `None` compares all.
    pub(crate) fn rebase(&mut self, wanted: &Layers, changed: Option<&[Arc<str>]>) {
        if self.base.most() == 0 {
            return;
        }
        let compared;
        let changed = match changed {
            Some(changed) => changed,
            None => {
                compared = differences(&self.base, wanted);
                &compared[..]
            }
        };
        let before: Vec<(Arc<str>, Entry)> =
            changed.iter().map(|name| self.entry(name, None)).collect();
        self.base = wanted.clone();
        for (name, entry) in before {
            self.store(name, entry);
        }
    }

    /// Looks for a smaller way to say the same, once there is much to say.
    pub(crate) fn compact(&mut self, wanted: &Layers, wildcard: bool) {
        if self.entries.len() < self.compact_at {
            return;
        }
        let named = !wildcard;
        let mut entries = Vec::new();
        for (name, pair) in join(wanted.named(), self.iter().map(|(n, d, h)| (n, (d, h)))) {
            let (default, (is_named, has)) = match pair {
                Pair::Left(resource) => (Some(resource), (false, None)),
                Pair::Right(entry) => (None, entry),
                Pair::Both(resource, entry) => (Some(resource), entry),
            };
            let is_default = match (default, has) {
                (Some(resource), Some(Has::Sent(sent))) => {
                    is_named == named && sent.version == resource.version
                }
                (None, None) => !is_named,
                _ => false,
            };
            // Names and resources are counted by all threads: nothing is cloned that need not be.
            if !is_default {
                entries.push((Arc::clone(name), Entry::new(is_named, has)));
            }
        }
        if entries.len() <= self.entries.len() / 2 {
            self.base = wanted.clone();
            self.base_named = named;
            self.entries = entries.into_iter().collect();
        }
        // Not again before there is twice as much.
        self.compact_at = self.compact_at.max(2 * self.entries.len());
    }

    /// Every name with something to say about it, in order.
    fn iter(&self) -> impl Iterator<Item = (&Arc<str>, bool, Option<Has<'_>>)> {
        join(self.base.named(), self.entries.iter()).map(|(name, pair)| match pair {
            Pair::Left(resource) => (name, self.base_named, Some(Has::Sent(resource))),
            Pair::Right(entry) | Pair::Both(_, entry) => {
                (name, entry.named, entry.held.as_ref().map(Held::look))
            }
        })
    }

    fn entry(&self, name: &str, known: Option<&Layers>) -> (Arc<str>, Entry) {
        if let Some((key, entry)) = self.entries.get_key_value(name) {
            return (Arc::clone(key), entry.clone());
        }
        match self.base.get(name) {
            Some(resource) => (
                Arc::clone(&resource.name),
                Entry::sent(self.base_named, resource),
            ),
            None => {
                let known = known.and_then(|layers| layers.get(name));
                let key = known.map_or_else(|| name.into(), |resource| Arc::clone(&resource.name));
                (key, Entry::default())
            }
        }
    }

    /// Keeps an entry unless the base says the same.
    fn store(&mut self, name: Arc<str>, entry: Entry) {
        let default = match self.base.get(&name) {
            Some(resource) => Entry::sent(self.base_named, resource),
            None => Entry::default(),
        };
        if entry.says(&default) {
            self.entries.remove(&name);
        } else {
            self.entries.insert(name, entry);
        }
    }
}

impl Entry {
    fn new(named: bool, has: Option<Has<'_>>) -> Entry {
        let held = has.map(Has::to_held);
        Entry { named, held }
    }

    fn sent(named: bool, resource: &Arc<Resource>) -> Entry {
        Entry::new(named, Some(Has::Sent(resource)))
    }

    fn says(&self, default: &Entry) -> bool {
        self.named == default.named
            && match (&self.held, &default.held) {
                (None, None) => true,
                (Some(Held::Sent(a)), Some(Held::Sent(b))) => a.version == b.version,
                _ => false,
            }
    }
}

fn differences(old: &Layers, new: &Layers) -> Vec<Arc<str>> {
    join(old.named(), new.named())
        .filter(|(_, pair)| !matches!(pair, Pair::Both(old, new) if old.version == new.version))
        .map(|(name, _)| Arc::clone(name))
        .collect()
}
