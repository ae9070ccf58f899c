//! Content that must not be offered to more clients, because clients like them refused it.
//!
//! A value, not a policy: who puts what here is decided in `server::quarantine`; a stream only
//! respects it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kind::Kind;
use crate::resource::{Resource, Version};

/// Contents to be withheld from the clients of one version, with what may stand in for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    kinds: [BTreeMap<Arc<str>, Contents>; Kind::COUNT],
}

/// Several contents may go by one name: some resources are each proxy's own.
type Contents = BTreeMap<Version, Option<Arc<Resource>>>;

// === impl Withheld ===

impl Withheld {
    /// Withholds a content. `stand_in` is the last one under that name which such clients are
    /// known to accept; it is sent to those who have none.
    pub fn insert(
        &mut self,
        kind: Kind,
        name: Arc<str>,
        version: Version,
        stand_in: Option<Arc<Resource>>,
    ) {
        let contents = self.kinds[kind.index()].entry(name).or_default();
        contents.insert(version, stand_in);
    }

    /// Whether nothing is withheld.
    pub fn is_empty(&self) -> bool {
        self.kinds.iter().all(BTreeMap::is_empty)
    }

    /// Whether that content is withheld.
    pub fn holds(&self, kind: Kind, name: &str, version: Version) -> bool {
        let contents = self.kinds[kind.index()].get(name);
        contents.is_some_and(|contents| contents.contains_key(&version))
    }

    /// What may be sent in place of that content.
    pub(crate) fn stand_in(&self, kind: Kind, wanted: &Resource) -> Option<&Arc<Resource>> {
        let contents = self.kinds[kind.index()].get(&wanted.name)?;
        contents.get(&wanted.version)?.as_ref()
    }

    /// Everything that is withheld, in order.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (Kind, &Arc<str>, Version)> {
        Kind::ALL.into_iter().flat_map(move |kind| {
            let names = self.kinds[kind.index()].iter();
            names.flat_map(move |(name, contents)| {
                contents.keys().map(move |version| (kind, name, *version))
            })
        })
    }

    pub(crate) fn names(&self, kind: Kind) -> impl Iterator<Item = &Arc<str>> {
        self.kinds[kind.index()].keys()
    }

    /// The names of that kind about which two disagree.
    pub(crate) fn differences(&self, other: &Withheld, kind: Kind) -> Vec<Arc<str>> {
        let (ours, theirs) = (&self.kinds[kind.index()], &other.kinds[kind.index()]);
        let changed = ours
            .iter()
            .filter(|(name, c)| theirs.get(*name) != Some(*c));
        let gone = theirs.iter().filter(|(name, _)| !ours.contains_key(*name));
        let names = changed.chain(gone).map(|(name, _)| Arc::clone(name));
        names.collect()
    }
}
