//! Findings of single objects: each object has its own, and is looked at again by itself.

use std::collections::{BTreeMap, BTreeSet};

use model::{Diagnostic, ObjectRef};

use super::names::Renamed;

/// The findings of all objects of a kind.
#[derive(Debug, Default)]
pub(super) struct Single {
    by_object: BTreeMap<ObjectRef, Vec<Diagnostic>>,
    /// Those that name a host that nobody provides, of which another name can be the nearest.
    lost: BTreeSet<ObjectRef>,
}

/// What a look at an object found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Whether it names a host that nobody provides.
    pub(super) lost: bool,
    pub(super) found: Vec<Diagnostic>,
}

// === impl Single ===

impl Single {
    pub(super) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.by_object.values().flatten()
    }

    /// Looks at these objects, and at those that are lost if names came or went.
    pub(super) fn look(
        &self,
        mut again: BTreeSet<ObjectRef>,
        renamed: &Renamed,
        look: impl Fn(&ObjectRef) -> Look,
    ) -> Vec<(ObjectRef, Look)> {
        if renamed.others {
            again.extend(self.lost.iter().cloned());
        }
        let looked = again.into_iter().map(|object| {
            let look = look(&object);
            (object, look)
        });
        looked.collect()
    }

    /// Keeps what was found; `true` if any of it is another.
    pub(super) fn keep(&mut self, looked: Vec<(ObjectRef, Look)>) -> bool {
        let mut changed = false;
        for (object, Look { lost, found }) in looked {
            match lost {
                true => self.lost.insert(object.clone()),
                false => self.lost.remove(&object),
            };
            changed |= super::keep(&mut self.by_object, object, found);
        }
        changed
    }
}
