//! A shared, ordered set of resources of one kind.
//!
//! Thousands of proxies hold the same set, and most changes touch one resource of a thousand. A
//! set is therefore persistent: deriving the next one costs what changed, shares the rest, and
//! remembers which names changed, so that whoever holds the old one can look at these alone.
//!
//! ```text
//!   Resources ──derive(changes)──► Resources ──derive──► ...     each knows its last few steps
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;

use crate::resource::{Resource, Version};

/// How many derivations a set remembers.
const MAX_STEPS: usize = 32;
/// How many changed names it remembers, over all of them.
const MAX_NAMES: usize = 4_096;

/// Names in ascending order, none twice, shared.
pub type Names = Arc<[Arc<str>]>;

/// An ordered set of resources of one kind, with the version of the whole.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    by_name: OrdMap<Arc<str>, Arc<Resource>>,
    version: Version,
    bytes: usize,
    /// Oldest first.
    history: Vec<Arc<Step>>,
}

/// One derivation.
#[derive(Debug)]
struct Step {
    /// Version of the set that it started from.
    from: Version,
    /// What it changed.
    names: Names,
}

// === impl Resources ===

impl FromIterator<Arc<Resource>> for Resources {
    fn from_iter<I: IntoIterator<Item = Arc<Resource>>>(resources: I) -> Resources {
        let by_name: BTreeMap<_, _> = resources
            .into_iter()
            .map(|resource| (Arc::clone(&resource.name), resource))
            .collect();
        Resources::from(by_name)
    }
}

impl From<BTreeMap<Arc<str>, Arc<Resource>>> for Resources {
    fn from(by_name: BTreeMap<Arc<str>, Arc<Resource>>) -> Resources {
        Resources {
            version: Version::of_set(by_name.values()),
            bytes: by_name.values().map(|resource| resource.body.len()).sum(),
            by_name: by_name.into_iter().collect(),
            history: Vec::new(),
        }
    }
}

impl Resources {
    /// The resource of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Resource>> {
        self.by_name.get(name)
    }

    /// All resources, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_name.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Of all bodies together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hash over names and versions: equal for equal content, wherever it was compiled and
    /// whatever way led to it.
    pub fn version(&self) -> Version {
        self.version
    }

    /// This set with some resources added or replaced and some taken out, in time proportional to
    /// their number. A name in both lists ends up in the set.
    #[must_use]
    pub fn derive(
        &self,
        upserts: impl IntoIterator<Item = Arc<Resource>>,
        removals: impl IntoIterator<Item = Arc<str>>,
    ) -> Resources {
        let mut next = self.clone();
        let mut touched = BTreeSet::new();
        for name in removals {
            if next.remove(&name) {
                touched.insert(name);
            }
        }
        for resource in upserts {
            let name = Arc::clone(&resource.name);
            if next.insert(resource) {
                touched.insert(name);
            }
        }
        // Taken out and put back is no change.
        let version = |set: &Resources, name: &str| set.get(name).map(|resource| resource.version);
        touched.retain(|name| version(self, name) != version(&next, name));
        if !touched.is_empty() {
            next.remember(self.version, touched.into_iter().collect());
        }
        next
    }

    /// The names of which the content may differ from the set of that version; `None` if it is not
    /// among the recent ancestors.
    pub fn changes_since(&self, version: Version) -> Option<Names> {
        if version == self.version {
            return Some(Names::default());
        }
        let at = self.history.iter().rposition(|step| step.from == version)?;
        Some(union(self.history[at..].iter().map(|step| &step.names)))
    }

    pub(crate) fn named(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Resource>)> {
        self.by_name.iter()
    }

    fn insert(&mut self, resource: Arc<Resource>) -> bool {
        if let Some(old) = self.by_name.get(&*resource.name) {
            if old.version == resource.version {
                return false;
            }
            self.version = self.version.without(old);
            self.bytes -= old.body.len();
        }
        self.version = self.version.with(&resource);
        self.bytes += resource.body.len();
        self.by_name.insert(Arc::clone(&resource.name), resource);
        true
    }

    fn remove(&mut self, name: &str) -> bool {
        let Some(old) = self.by_name.remove(name) else {
            return false;
        };
        self.version = self.version.without(&old);
        self.bytes -= old.body.len();
        true
    }

    fn remember(&mut self, from: Version, names: Names) {
        self.history.push(Arc::new(Step { from, names }));
        let mut budget = MAX_NAMES;
        let kept = self
            .history
            .iter()
            .rev()
            .take(MAX_STEPS)
            .take_while(|step| {
                let fits = step.names.len() <= budget;
                budget = budget.saturating_sub(step.names.len());
                fits
            });
        let kept = kept.count();
        self.history.drain(..self.history.len() - kept);
    }
}

/// Several lists of names as one. A single one is shared, not copied.
pub(crate) fn union<'a>(lists: impl IntoIterator<Item = &'a Names>) -> Names {
    let mut lists = lists.into_iter().filter(|names| !names.is_empty());
    let Some(first) = lists.next() else {
        return Names::default();
    };
    let Some(second) = lists.next() else {
        return Arc::clone(first);
    };
    let all = first.iter().chain(second.iter());
    let all: BTreeSet<Arc<str>> = all
        .chain(lists.flat_map(|names| names.iter()))
        .map(Arc::clone)
        .collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn resource(name: &str, body: &str) -> Arc<Resource> {
        Resource::new(Kind::Cluster, name, body.to_string().into_bytes())
    }

    fn set(names: &[(&str, &str)]) -> Resources {
        names
            .iter()
            .map(|(name, body)| resource(name, body))
            .collect()
    }

    fn since(set: &Resources, older: &Resources) -> Option<Vec<String>> {
        let names = set.changes_since(older.version())?;
        Some(names.iter().map(|name| name.to_string()).collect())
    }

    #[test]
    fn version_follows_content_not_order_of_insertion() {
        let forward = set(&[("a", "1"), ("b", "2")]);
        assert_eq!(forward.version(), set(&[("b", "2"), ("a", "1")]).version());
        assert_ne!(forward.version(), set(&[("a", "2"), ("b", "1")]).version());
        assert_eq!(set(&[]).version(), Version::default());
    }

    #[test]
    fn a_derived_set_names_what_changed_since_each_ancestor() {
        let first = set(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let second = first.derive([resource("b", "2")], []);
        let third = second.derive([resource("d", "1")], ["a".into()]);
        assert_eq!(since(&third, &third), Some(vec![]));
        assert_eq!(since(&third, &second), Some(vec!["a".into(), "d".into()]));
        let all = vec!["a".into(), "b".into(), "d".into()];
        assert_eq!(since(&third, &first), Some(all));
        assert_eq!(since(&first, &third), None, "no ancestor");
        assert_eq!(since(&third, &set(&[("x", "1")])), None, "a stranger");
        assert_eq!((first.len(), third.len(), third.bytes()), (3, 3, 3));
    }

    #[test]
    fn what_changes_nothing_is_no_step() {
        let first = set(&[("a", "1"), ("b", "1")]);
        let same = first.derive(
            [resource("a", "1"), resource("b", "1")],
            ["b".into(), "x".into()],
        );
        assert_eq!(same.version(), first.version());
        assert!(same.history.is_empty());
    }

    #[test]
    fn the_memory_of_changes_is_bounded() {
        let mut at = set(&[]);
        let mut sets = vec![at.clone()];
        for n in 0..100 {
            at = at.derive([resource("a", &n.to_string())], []);
            sets.push(at.clone());
        }
        assert_eq!(at.history.len(), MAX_STEPS);
        assert!(since(&at, &sets[100 - MAX_STEPS]).is_some());
        assert!(since(&at, &sets[99 - MAX_STEPS]).is_none());
        let many = (0..=MAX_NAMES).map(|n| resource(&n.to_string(), "1"));
        assert!(at.derive(many, []).history.is_empty(), "dearer than a walk");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever way leads to a set, it is the set of its content, and what changed since any
        /// ancestor is among the names it tells.
        #[test]
        fn a_derived_set_equals_one_made_from_scratch(
            steps in vec((vec(("[a-e]", "[0-2]"), 0..3), vec("[a-e]", 0..3)), 0..12),
        ) {
            let mut sets = vec![Resources::default()];
            for (upserts, removals) in steps {
                let upserts = upserts.iter().map(|(name, body)| resource(name, body));
                let removals = removals.iter().map(|name| name.as_str().into());
                let next = sets[sets.len() - 1].derive(upserts, removals);
                let scratch: Resources = next.iter().cloned().collect();
                prop_assert_eq!(next.version(), scratch.version());
                prop_assert_eq!((next.len(), next.bytes()), (scratch.len(), scratch.bytes()));
                for older in &sets {
                    let told = next.changes_since(older.version()).expect("a recent ancestor");
                    prop_assert!(told.is_sorted());
                    for name in ["a", "b", "c", "d", "e"] {
                        let changed = next.get(name) != older.get(name);
                        prop_assert!(!changed || told.iter().any(|n| **n == *name), "{} is missing", name);
                    }
                }
                sets.push(next);
            }
        }
    }
}
