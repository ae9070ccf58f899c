//! The sets in use, what is in them, and what of that has not been told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use model::Diagnostic;

use super::set::{Scope, SetChange, SetKey};
use crate::built::Built;
use crate::{Kind, Resource};

#[derive(Debug, Default)]
pub(super) struct Sets {
    by_key: BTreeMap<SetKey, Set>,
    /// What became different since the last telling: the new bodies, by name.
    news: BTreeMap<SetKey, BTreeMap<Arc<str>, Option<Bytes>>>,
}

#[derive(Debug, Default)]
struct Set {
    users: usize,
    entries: BTreeMap<Arc<str>, Entry>,
}

/// What became of one name.
#[derive(Debug, Default, PartialEq)]
struct Entry {
    /// `None` if there is nothing to send, and only something to say.
    body: Option<Bytes>,
    diagnostics: Vec<Diagnostic>,
}

// === impl Sets ===

impl Sets {
    /// All sets in use. What hides comes after what it hides.
    pub(super) fn keys(&self) -> Vec<SetKey> {
        self.by_key.keys().cloned().collect()
    }

    /// The sets in use of this scope, without and with patches.
    pub(super) fn over(&self, scope: &Scope) -> Vec<SetKey> {
        let keys = self.by_key.keys();
        keys.filter(|key| key.scope() == scope).cloned().collect()
    }

    /// The sets of endpoints that are preferred by where callers are.
    pub(super) fn near(&self) -> Vec<SetKey> {
        let keys = self.by_key.keys();
        let near = keys.filter(|key| matches!(key.0, Scope::EndpointsNear(..)));
        near.cloned().collect()
    }

    pub(super) fn has(&self, key: &SetKey) -> bool {
        self.by_key.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// One more uses the set; `true` if it is the first, and the set is still empty.
    pub(super) fn hold(&mut self, key: &SetKey) -> bool {
        let set = self.by_key.entry(key.clone()).or_default();
        set.users += 1;
        if set.users == 1 {
            // That there is an empty set is news, too.
            self.news.entry(key.clone()).or_default();
        }
        set.users == 1
    }

    /// One less uses the set; told if it was the last.
    pub(super) fn release(&mut self, key: &SetKey) -> Option<SetChange> {
        let set = self.by_key.get_mut(key)?;
        set.users -= 1;
        if set.users > 0 {
            return None;
        }
        self.by_key.remove(key);
        Some(SetChange {
            set: key.clone(),
            kind: key.kind(),
            upserts: Vec::new(),
            removals: Vec::new(),
            gone: true,
        })
    }

    /// Puts into a set that is still empty all that was built.
    pub(super) fn fill(&mut self, key: &SetKey, mut built: Vec<Built>) {
        let Some(set) = self.by_key.get_mut(key).filter(|_| key.base().is_none()) else {
            return built.into_iter().for_each(|built| self.put(key, built));
        };
        if matches!(key.0, Scope::Patched(..)) {
            built = built.into_iter().map(|built| key.finish(built)).collect();
        }
        // Maps are made from what is in order in one go.
        built.sort_by(|a, b| a.name.cmp(&b.name));
        let bodies = built.iter().filter(|built| built.body.is_some());
        let bodies = bodies.map(|built| (built.name.clone(), built.body.clone()));
        self.news.insert(key.clone(), bodies.collect());
        let entry = |built: Built| {
            let (body, diagnostics) = (built.body, built.diagnostics);
            (built.name, Entry { body, diagnostics })
        };
        set.entries = built.into_iter().map(entry).collect();
    }

    /// Puts into a set what was built. Where the set holds only differences, what does not differ
    /// is taken out of it.
    pub(super) fn put(&mut self, key: &SetKey, built: Built) {
        let built = key.finish(built);
        let mut entry = Entry {
            body: built.body,
            diagnostics: built.diagnostics,
        };
        if let Some(base) = key.base().and_then(|base| self.by_key.get(&base)) {
            match base.entries.get(&built.name) {
                Some(same) if *same == entry => return self.remove(key, &built.name),
                Some(same) if same.body == entry.body => entry.body = None,
                _ => {}
            }
        }
        let Some(set) = self.by_key.get_mut(key) else {
            return;
        };
        let before = set.entries.get_mut(&built.name);
        if before.as_ref().and_then(|before| before.body.as_ref()) != entry.body.as_ref() {
            let news = self.news.entry(key.clone()).or_default();
            news.insert(built.name.clone(), entry.body.clone());
        }
        match before {
            Some(before) => *before = entry,
            None => {
                set.entries.insert(built.name, entry);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &SetKey, name: &str) {
        let Some(set) = self.by_key.get_mut(key) else {
            return;
        };
        let Some((name, entry)) = set.entries.remove_entry(name) else {
            return;
        };
        if entry.body.is_some() {
            let news = self.news.entry(key.clone()).or_default();
            news.insert(name, None);
        }
    }

    /// Puts in all that was built, and takes out all else.
    pub(super) fn replace(&mut self, key: &SetKey, built: Vec<Built>) {
        let names: BTreeSet<Arc<str>> = built.iter().map(|built| built.name.clone()).collect();
        let held = self.by_key.get(key).into_iter();
        let stale = held.flat_map(|set| set.entries.keys());
        let stale: Vec<Arc<str>> = stale.filter(|n| !names.contains(*n)).cloned().collect();
        for name in stale {
            self.remove(key, &name);
        }
        for built in built {
            self.put(key, built);
        }
    }

    /// What there is to say about each name of a set. Where the set hides, nothing is said as well.
    pub(super) fn diagnostics(
        &self,
        key: &SetKey,
    ) -> impl Iterator<Item = ((Kind, &Arc<str>), &[Diagnostic])> {
        let kind = key.kind();
        let entries = self.by_key.get(key).into_iter().flat_map(|s| &s.entries);
        entries.map(move |(name, entry)| ((kind, name), entry.diagnostics.as_slice()))
    }

    /// What became different since the last time.
    pub(super) fn take_news(&mut self) -> Vec<SetChange> {
        let news = std::mem::take(&mut self.news).into_iter();
        news.map(|(set, bodies)| told(set, bodies)).collect()
    }
}

fn told(set: SetKey, bodies: BTreeMap<Arc<str>, Option<Bytes>>) -> SetChange {
    let kind = set.kind();
    let (mut upserts, mut removals) = (Vec::new(), Vec::new());
    for (name, body) in bodies {
        match body {
            Some(body) => upserts.push(Resource { kind, name, body }),
            None => removals.push(name),
        }
    }
    SetChange {
        set,
        kind,
        upserts,
        removals,
        gone: false,
    }
}
