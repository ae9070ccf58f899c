//! What one proxy should run: immutable, ordered resources per kind.
//!
//! Most resources are the same for many proxies. A snapshot is therefore layers of shared sets,
//! with the proxy's own small set on top; where several have a name, the last one wins.
//!
//! ```text
//!   own:    Arc<Resources>  ◄── this proxy (inbound listener, its certificate)
//!   shared: Arc<Resources>  ◄── proxies on one agent, of one class
//!   shared: Arc<Resources>  ◄── thousands of snapshots
//! ```

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Instant;

use crate::kind::Kind;
use crate::resource::{Resource, Version};
use crate::resources::{Names, Resources, union};

/// Everything one proxy should run, at one moment. Cheap to clone, never changed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    kinds: [Layers; Kind::COUNT],
    /// Of the World it was compiled from; larger is newer.
    pub generation: u64,
    /// When the change that it brings was known, for the time that clients take to converge.
    pub made_at: Option<Instant>,
}

/// Puts a [`Snapshot`] together.
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    shared: [Vec<Arc<Resources>>; Kind::COUNT],
    own: [BTreeMap<Arc<str>, Arc<Resource>>; Kind::COUNT],
    kept: [Option<Layers>; Kind::COUNT],
    generation: u64,
    made_at: Option<Instant>,
}

/// The sets of one kind, the first at the bottom. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    sets: Arc<[Arc<Resources>]>,
    version: Version,
}

// === impl Snapshot ===

impl Snapshot {
    /// Starts an empty snapshot of that generation.
    pub fn builder(generation: u64) -> SnapshotBuilder {
        SnapshotBuilder {
            generation,
            ..SnapshotBuilder::default()
        }
    }

    /// The resource of that kind and name.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Arc<Resource>> {
        self.layers(kind).get(name)
    }

    /// All resources of that kind, in order of their names.
    pub fn iter(&self, kind: Kind) -> impl Iterator<Item = &Arc<Resource>> {
        self.layers(kind).named().map(|(_, resource)| resource)
    }

    /// How many resources of that kind there are.
    pub fn len(&self, kind: Kind) -> usize {
        self.layers(kind).len()
    }

    /// Whether there is nothing of any kind.
    pub fn is_empty(&self) -> bool {
        Kind::ALL
            .into_iter()
            .all(|kind| self.layers(kind).most() == 0)
    }

    /// The content version of all resources of that kind: equal for equal layers.
    pub fn version(&self, kind: Kind) -> Version {
        self.layers(kind).version
    }

    /// Of all bodies, hidden ones included.
    pub fn bytes(&self) -> usize {
        let sets = self.kinds.iter().flat_map(|layers| layers.sets.iter());
        sets.map(|set| set.bytes()).sum()
    }

    /// The names of that kind of which the content may differ from an older snapshot of the same
    /// proxy; `None` if the layers do not know, so that all must be compared.
    pub fn changes_since(&self, older: &Snapshot, kind: Kind) -> Option<Names> {
        self.layers(kind).changes_since(older.layers(kind))
    }

    pub(crate) fn layers(&self, kind: Kind) -> &Layers {
        &self.kinds[kind.index()]
    }
}

// === impl SnapshotBuilder ===

impl SnapshotBuilder {
    /// Adds a set that this proxy shares with others, over those added before. Sets that may
    /// become empty keep their place even then, so that snapshots can be compared layer by layer.
    pub fn share(mut self, kind: Kind, resources: Arc<Resources>) -> Self {
        self.shared[kind.index()].push(resources);
        self
    }

    /// Adds a resource of this proxy alone; it hides a shared one of the same name.
    pub fn insert(mut self, kind: Kind, resource: Arc<Resource>) -> Self {
        self.own[kind.index()].insert(Arc::clone(&resource.name), resource);
        self
    }

    /// Adds several resources of this proxy alone.
    pub fn extend(self, kind: Kind, resources: impl IntoIterator<Item = Arc<Resource>>) -> Self {
        resources
            .into_iter()
            .fold(self, |builder, resource| builder.insert(kind, resource))
    }

    /// Has all of that kind as another snapshot has it, whatever else is added: nothing is put
    /// together again for a kind that a change left alone.
    pub fn keep(mut self, kind: Kind, of: &Snapshot) -> Self {
        self.kept[kind.index()] = Some(of.layers(kind).clone());
        self
    }

    /// When the change that the snapshot brings was known.
    pub fn made_at(mut self, made_at: Instant) -> Self {
        self.made_at = Some(made_at);
        self
    }

    /// The finished snapshot.
    pub fn build(self) -> Arc<Snapshot> {
        let parts = self.shared.into_iter().zip(self.own).zip(self.kept);
        let mut layers = parts.map(|((mut sets, own), kept)| {
            if let Some(kept) = kept {
                return kept;
            }
            if !own.is_empty() {
                sets.push(Arc::new(Resources::from(own)));
            }
            Layers::new(sets)
        });
        let kinds = std::array::from_fn(|_| layers.next().unwrap_or_default());
        Arc::new(Snapshot {
            kinds,
            generation: self.generation,
            made_at: self.made_at,
        })
    }
}

// === impl Layers ===

impl Layers {
    fn new(sets: Vec<Arc<Resources>>) -> Layers {
        // Deterministic for equal layers, without walking what thousands share.
        let versions = sets
            .iter()
            .filter(|set| !set.is_empty())
            .map(|s| s.version());
        let version = versions.reduce(Version::of_pair).unwrap_or_default();
        let sets = sets.into();
        Layers { sets, version }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Resource>> {
        self.sets.iter().rev().find_map(|set| set.get(name))
    }

    /// How many names there are at most.
    pub(crate) fn most(&self) -> usize {
        self.sets.iter().map(|set| set.len()).sum()
    }

    fn len(&self) -> usize {
        let above = |n: usize| {
            let below = &self.sets[..n];
            let names = self.sets[n].iter().map(|resource| &*resource.name);
            names.filter(move |name| below.iter().all(|set| set.get(name).is_none()))
        };
        match &*self.sets {
            [] => 0,
            [first, ..] => first.len() + (1..self.sets.len()).flat_map(above).count(),
        }
    }

    /// Everything that can be seen, in order of names.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Resource>)> {
        let layers = self.sets.iter().filter(|set| !set.is_empty());
        Merge(layers.map(|set| set.named().peekable()).collect())
    }

    pub(crate) fn changes_since(&self, older: &Layers) -> Option<Names> {
        if Arc::ptr_eq(&self.sets, &older.sets) || self.version == older.version {
            return Some(Names::default());
        }
        let count = self.sets.len().max(older.sets.len());
        let nothing = Resources::default();
        let changes: Option<Vec<Names>> = (0..count)
            .map(|n| {
                let old = older
                    .sets
                    .get(n)
                    .map_or(Version::default(), |set| set.version());
                self.sets
                    .get(n)
                    .map_or(&nothing, |set| set)
                    .changes_since(old)
            })
            .collect();
        Some(union(&changes?))
    }
}

/// Several ordered sequences as one; of equal names the last sequence wins.
struct Merge<I: Iterator>(Vec<Peekable<I>>);

impl<'a, I> Iterator for Merge<I>
where
    I: Iterator<Item = (&'a Arc<str>, &'a Arc<Resource>)>,
{
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let layers = &mut self.0[..];
        if let [only] = layers {
            return only.next();
        }
        // Names are compared as seldom as can be: every walk over a snapshot comes through here.
        let mut least: Option<(usize, &str)> = None;
        let mut is_hidden = false;
        for (at, layer) in layers.iter_mut().enumerate() {
            let Some((name, _)) = layer.peek() else {
                continue;
            };
            match least.map_or(Ordering::Less, |(_, least)| (***name).cmp(least)) {
                Ordering::Less => (least, is_hidden) = (Some((at, &***name)), false),
                Ordering::Equal => is_hidden = true,
                Ordering::Greater => {}
            }
        }
        let (at, name) = least?;
        let first = layers[at].next();
        if !is_hidden {
            return first;
        }
        let at_name = |layer: &mut Peekable<I>| layer.next_if(|(head, _)| ***head == *name);
        layers[at + 1..]
            .iter_mut()
            .filter_map(at_name)
            .last()
            .or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str, body: &'static str) -> Arc<Resource> {
        Resource::new(Kind::Cluster, name, body)
    }

    fn names(snapshot: &Snapshot) -> Vec<&str> {
        snapshot
            .iter(Kind::Cluster)
            .map(|resource| &*resource.name)
            .collect()
    }

    #[test]
    fn own_resources_hide_shared_ones_and_order_holds() {
        let shared: Arc<Resources> = Arc::new(
            [resource("c", "1"), resource("a", "1")]
                .into_iter()
                .collect(),
        );
        let snapshot = Snapshot::builder(7)
            .share(Kind::Cluster, Arc::clone(&shared))
            .insert(Kind::Cluster, resource("b", "2"))
            .insert(Kind::Cluster, resource("c", "2"))
            .build();
        assert_eq!(names(&snapshot), ["a", "b", "c"]);
        assert_eq!(snapshot.len(Kind::Cluster), 3);
        assert_eq!(snapshot.generation, 7);
        let hidden = snapshot.get(Kind::Cluster, "c").expect("c is there");
        assert_eq!(hidden.body, "2");
        assert!(snapshot.get(Kind::Listener, "c").is_none());
    }

    #[test]
    fn later_layers_hide_earlier_ones() {
        let layer = |resources: &[(&str, &'static str)]| {
            let resources = resources.iter().map(|(name, body)| resource(name, body));
            Arc::new(resources.collect::<Resources>())
        };
        let snapshot = Snapshot::builder(1)
            .share(Kind::Cluster, layer(&[("a", "1"), ("b", "1"), ("d", "1")]))
            .share(Kind::Cluster, layer(&[]))
            .share(Kind::Cluster, layer(&[("b", "2"), ("c", "2")]))
            .insert(Kind::Cluster, resource("c", "3"))
            .build();
        let seen: Vec<_> = snapshot
            .iter(Kind::Cluster)
            .map(|r| (&*r.name, &*r.body))
            .collect();
        assert_eq!(
            seen,
            [("a", &b"1"[..]), ("b", b"2"), ("c", b"3"), ("d", b"1")]
        );
        for (name, body) in seen {
            let got = snapshot.get(Kind::Cluster, name).expect("is there");
            assert_eq!(got.body, body);
        }
        assert_eq!((snapshot.len(Kind::Cluster), snapshot.bytes()), (4, 6));
    }

    #[test]
    fn changes_are_known_from_the_layers() {
        let first: Resources = [resource("a", "1"), resource("b", "1")]
            .into_iter()
            .collect();
        let second = first.derive([resource("b", "2")], []);
        let with = |shared: &Resources, own: &'static str| {
            Snapshot::builder(1)
                .share(Kind::Cluster, Arc::new(shared.clone()))
                .insert(Kind::Cluster, resource("own", own))
                .build()
        };
        let changes = |new: &Snapshot, old: &Snapshot| {
            let names = new.changes_since(old, Kind::Cluster)?;
            Some(
                names
                    .iter()
                    .map(|name| name.to_string())
                    .collect::<Vec<_>>(),
            )
        };
        let old = with(&first, "1");
        assert_eq!(changes(&with(&first, "1"), &old), Some(vec![]));
        assert_eq!(changes(&with(&second, "1"), &old), Some(vec!["b".into()]));
        assert_eq!(
            changes(&with(&second, "2"), &old),
            None,
            "own sets have no history"
        );
        assert_eq!(changes(&old, &with(&second, "1")), None);
    }

    #[test]
    fn a_kind_that_is_kept_is_the_same_and_the_others_are_new() {
        let before = Snapshot::builder(1)
            .insert(Kind::Cluster, resource("a", "1"))
            .insert(Kind::Route, Resource::new(Kind::Route, "r", "1"))
            .build();
        let after = Snapshot::builder(2)
            .keep(Kind::Cluster, &before)
            .insert(Kind::Route, Resource::new(Kind::Route, "r", "2"))
            .build();
        assert_eq!((names(&after), after.generation), (vec!["a"], 2));
        let changes = after.changes_since(&before, Kind::Cluster);
        assert!(changes.is_some_and(|names| names.is_empty()));
        assert_ne!(after.version(Kind::Route), before.version(Kind::Route));
    }

    #[test]
    fn an_own_layer_changes_the_version_only_where_it_has_something() {
        let shared: Arc<Resources> = Arc::new([resource("a", "1")].into_iter().collect());
        let plain = Snapshot::builder(1)
            .share(Kind::Cluster, Arc::clone(&shared))
            .build();
        let overlaid = Snapshot::builder(1)
            .share(Kind::Cluster, Arc::clone(&shared))
            .insert(Kind::Cluster, resource("b", "1"))
            .build();
        assert_eq!(plain.version(Kind::Cluster), shared.version());
        assert_ne!(overlaid.version(Kind::Cluster), shared.version());
        assert_eq!(plain.version(Kind::Route), overlaid.version(Kind::Route));
    }
}
