//! Many names at once, in one pass over all of them.
//!
//! A new client names a thousand clusters in one request and gets as many resources in one
//! response. A look-up for each would compare a name a dozen times, again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Entry, Held, Ledger};
use crate::ordered::{Pair, join};
use crate::resource::Resource;
use crate::snapshot::Layers;

/// From how many names on a pass costs less than look-ups; tests have few names.
const MANY: usize = if cfg!(test) { 2 } else { 64 };

/// Whether to pass over all of `total` costs less than to look up `count`.
pub(crate) fn pays(count: usize, total: usize) -> bool {
    count >= MANY && count >= total / 8
}

/// Adds names to a set.
pub(crate) fn add_all(set: &mut BTreeSet<Arc<str>>, mut names: BTreeSet<Arc<str>>) {
    match pays(names.len(), set.len()) {
        true if set.is_empty() => *set = names,
        true => set.append(&mut names),
        false => set.extend(names),
    }
}

/// Takes the names of these, in ascending order, out of a set.
pub(crate) fn remove_all(set: &mut BTreeSet<Arc<str>>, resources: &[Arc<Resource>]) {
    if !pays(resources.len(), set.len()) || !is_ascending(resources) {
        for resource in resources {
            set.remove(&resource.name);
        }
        return;
    }
    let gone = resources.iter().map(|resource| (&resource.name, ()));
    let left = join(set.iter().map(|name| (name, ())), gone);
    let left = left.filter(|(_, pair)| matches!(pair, Pair::Left(())));
    *set = left.map(|(name, _)| Arc::clone(name)).collect();
}

/// Takes the names that a client did not name out of a set.
pub(crate) fn keep_named(set: &mut BTreeSet<Arc<str>>, ledger: &Ledger) {
    if !pays(set.len(), ledger.most()) {
        set.retain(|name| ledger.is_named(name));
        return;
    }
    let pairs = || {
        let named = ledger.names().map(|name| (name, ()));
        join(set.iter().map(|name| (name, ())), named)
    };
    // Nearly always all of them: a client asks for the endpoints of the clusters that it was sent.
    if !pairs().any(|(_, pair)| pair == Pair::Left(())) {
        return;
    }
    let both = pairs().filter(|(_, pair)| *pair == Pair::Both((), ()));
    *set = both.map(|(name, _)| Arc::clone(name)).collect();
}

// === impl Ledger ===

impl Ledger {
    /// The client names all of these, in ascending order. The keys are returned as they are kept.
    pub(crate) fn name_all(&mut self, names: &[&str], known: Option<&Layers>) -> Vec<Arc<str>> {
        let known_most = known.map_or(0, Layers::most);
        if !self.is_bare() || !pays(names.len(), self.entries.len().max(known_most)) {
            return names.iter().map(|name| self.name(name, known)).collect();
        }
        let keys = keys(names, known);
        let before = std::mem::take(&mut self.entries);
        let added = keys.iter().map(|key| (Arc::clone(key), ()));
        let entries = join(before.into_iter(), added).map(|(name, pair)| match pair {
            Pair::Left(entry) => (name, entry),
            Pair::Right(()) => (
                name,
                Entry {
                    named: true,
                    held: None,
                },
            ),
            Pair::Both(entry, ()) => (
                name,
                Entry {
                    named: true,
                    ..entry
                },
            ),
        });
        self.entries = entries.collect();
        self.named = self.entries.values().filter(|entry| entry.named).count();
        keys
    }

    /// Writes down that all of these, in ascending order, were sent, and returns what the client had.
    pub(crate) fn put_all(&mut self, sent: &[Arc<Resource>]) -> Vec<Option<Held>> {
        if !self.is_bare() || !pays(sent.len(), self.entries.len()) || !is_ascending(sent) {
            let held = |resource| Some(Held::Sent(Arc::clone(resource)));
            let put = sent.iter().map(|r| self.put(&r.name, held(r)));
            return put.collect();
        }
        let mut had = Vec::with_capacity(sent.len());
        let mut new = Vec::new();
        let entries = self.entries.iter_mut();
        for (name, pair) in join(entries, sent.iter().map(|r| (&r.name, r))) {
            let held = |resource| Some(Held::Sent(Arc::clone(resource)));
            match pair {
                Pair::Left(_) => {}
                Pair::Right(resource) => {
                    had.push(None);
                    let (named, held) = (false, held(resource));
                    new.push((Arc::clone(name), Entry { named, held }));
                }
                Pair::Both(entry, resource) => {
                    had.push(std::mem::replace(&mut entry.held, held(resource)));
                }
            }
        }
        let mut new = BTreeMap::from_iter(new);
        match self.entries.is_empty() {
            true => self.entries = new,
            false => self.entries.append(&mut new),
        }
        had
    }

    /// Whether there is no base, as for a new client.
    fn is_bare(&self) -> bool {
        self.base.most() == 0
    }
}

fn is_ascending(resources: &[Arc<Resource>]) -> bool {
    resources.is_sorted_by(|a, b| a.name < b.name)
}

/// Names as keys, as `known` has them already.
fn keys(names: &[&str], known: Option<&Layers>) -> Vec<Arc<str>> {
    let known = known.into_iter().flat_map(Layers::named);
    let known = known.map(|(name, _)| (&**name, name));
    let names = names.iter().map(|name| (*name, ()));
    join(known, names)
        .filter_map(|(name, pair)| match pair {
            Pair::Left(_) => None,
            Pair::Right(()) => Some(name.into()),
            Pair::Both(key, ()) => Some(Arc::clone(key)),
        })
        .collect()
}
