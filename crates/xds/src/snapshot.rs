//! What one proxy should run: an immutable, ordered set of resources per kind.
//!
//! Most resources are the same for many proxies. A snapshot therefore has two layers per kind: a
//! shared one, handed around as an `Arc`, and the proxy's own, which is small and wins where both
//! have a name.
//!
//! ```text
//!   shared: Arc<Resources>  ◄── thousands of snapshots
//!   own:    Arc<Resources>  ◄── this proxy (inbound listener, its certificate)
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kind::Kind;
use crate::ordered::{Pair, join};
use crate::resource::{Resource, Version};

/// An ordered set of resources of one kind, with the version of the whole.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    by_name: BTreeMap<Arc<str>, Arc<Resource>>,
    version: Version,
}

/// Everything one proxy should run, at one moment. Cheap to clone, never changed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    kinds: [Layers; Kind::COUNT],
    /// Of the World it was compiled from; larger is newer.
    pub generation: u64,
}

/// Puts a [`Snapshot`] together.
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    shared: [Arc<Resources>; Kind::COUNT],
    own: [BTreeMap<Arc<str>, Arc<Resource>>; Kind::COUNT],
    generation: u64,
}

#[derive(Clone, Debug, Default)]
struct Layers {
    shared: Arc<Resources>,
    own: Arc<Resources>,
    len: usize,
    version: Version,
}

// === impl Resources ===

impl FromIterator<Arc<Resource>> for Resources {
    fn from_iter<I: IntoIterator<Item = Arc<Resource>>>(resources: I) -> Resources {
        Resources::from(
            resources
                .into_iter()
                .map(|resource| (Arc::clone(&resource.name), resource))
                .collect::<BTreeMap<_, _>>(),
        )
    }
}

impl From<BTreeMap<Arc<str>, Arc<Resource>>> for Resources {
    fn from(by_name: BTreeMap<Arc<str>, Arc<Resource>>) -> Resources {
        // Equal to the default: an empty set is one thing, however it was made.
        let version = if by_name.is_empty() {
            Version::default()
        } else {
            Version::of_set(by_name.values())
        };
        Resources { by_name, version }
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

    /// Hash over names and versions: equal for equal content, wherever it was compiled.
    pub fn version(&self) -> Version {
        self.version
    }

    fn named(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Resource>)> {
        self.by_name.iter()
    }
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
        let layers = &self.kinds[kind.index()];
        layers.own.get(name).or_else(|| layers.shared.get(name))
    }

    /// All resources of that kind, in order of their names.
    pub fn iter(&self, kind: Kind) -> impl Iterator<Item = &Arc<Resource>> {
        self.named(kind).map(|(_, resource)| resource)
    }

    /// How many resources of that kind there are.
    pub fn len(&self, kind: Kind) -> usize {
        self.kinds[kind.index()].len
    }

    /// Whether there is nothing of any kind.
    pub fn is_empty(&self) -> bool {
        Kind::ALL.into_iter().all(|kind| self.len(kind) == 0)
    }

    /// The content version of all resources of that kind.
    pub fn version(&self, kind: Kind) -> Version {
        self.kinds[kind.index()].version
    }

    pub(crate) fn named(&self, kind: Kind) -> impl Iterator<Item = (&Arc<str>, &Arc<Resource>)> {
        let layers = &self.kinds[kind.index()];
        join(layers.own.named(), layers.shared.named()).map(|(name, pair)| match pair {
            Pair::Left(own) | Pair::Both(own, _) => (name, own),
            Pair::Right(shared) => (name, shared),
        })
    }
}

// === impl SnapshotBuilder ===

impl SnapshotBuilder {
    /// Takes the resources of that kind that this proxy shares with others.
    pub fn share(mut self, kind: Kind, resources: Arc<Resources>) -> Self {
        self.shared[kind.index()] = resources;
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

    /// The finished snapshot.
    pub fn build(self) -> Arc<Snapshot> {
        let mut layers = self
            .shared
            .into_iter()
            .zip(self.own)
            .map(|(s, o)| Layers::new(s, o));
        let kinds = std::array::from_fn(|_| layers.next().unwrap_or_default());
        Arc::new(Snapshot {
            kinds,
            generation: self.generation,
        })
    }
}

// === impl Layers ===

impl Layers {
    fn new(shared: Arc<Resources>, own: BTreeMap<Arc<str>, Arc<Resource>>) -> Layers {
        let hidden = own.keys().filter(|name| shared.get(name).is_some()).count();
        let len = shared.len() + own.len() - hidden;
        let own = Arc::new(Resources::from(own));
        let version = match (shared.is_empty(), own.is_empty()) {
            (_, true) => shared.version(),
            (true, false) => own.version(),
            // Deterministic for equal layers, without walking what thousands share.
            (false, false) => Version::of_pair(shared.version(), own.version()),
        };
        Layers {
            shared,
            own,
            len,
            version,
        }
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
    fn version_follows_content_not_order_of_insertion() {
        let forward: Resources = [resource("a", "1"), resource("b", "2")]
            .into_iter()
            .collect();
        let backward: Resources = [resource("b", "2"), resource("a", "1")]
            .into_iter()
            .collect();
        let other: Resources = [resource("a", "2"), resource("b", "1")]
            .into_iter()
            .collect();
        assert_eq!(forward.version(), backward.version());
        assert_ne!(forward.version(), other.version());
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
