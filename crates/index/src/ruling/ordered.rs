//! Objects of one kind in order of precedence, and which of them became others.
//!
//! An edit concerns one object among thousands. What it changes is noted when it happens, so that
//! nobody has to compare whole lists to find it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::istio::Kind;
use jiff::Timestamp;
use model::{Location, ObjectRef};

/// Where an object stands among all: without a time of creation, as in files, after all others,
/// and then by name. The order of arrival must not count, or two replicas that read the same
/// objects would disagree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) undated: bool,
    pub(crate) created: Option<Timestamp>,
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Arc<str>,
    pub(crate) kind: Kind,
}

/// A value, and where its document stands.
#[derive(Debug, PartialEq)]
pub(crate) struct Placed<T> {
    pub(crate) value: Arc<T>,
    pub(crate) location: Option<Location>,
}

/// An object in force, with its place.
pub(crate) type Standing<T> = (Place, Placed<T>);

/// Objects of one kind.
#[derive(Debug)]
pub(crate) struct Ordered<T> {
    by_place: BTreeMap<Place, Placed<T>>,
    place_by_object: BTreeMap<ObjectRef, Place>,
    /// What was touched since the last look, as it was then.
    before: BTreeMap<ObjectRef, Option<Standing<T>>>,
}

/// An object that was touched: as it was, and as it is.
#[derive(Debug)]
pub(crate) struct Turned<T> {
    pub(crate) object: ObjectRef,
    pub(crate) old: Option<Standing<T>>,
    pub(crate) new: Option<Standing<T>>,
}

// === impl Ordered ===

impl<T> Default for Ordered<T> {
    fn default() -> Ordered<T> {
        Ordered {
            by_place: BTreeMap::new(),
            place_by_object: BTreeMap::new(),
            before: BTreeMap::new(),
        }
    }
}

impl<T: PartialEq> Ordered<T> {
    /// Says what an object is now; `None` if it is in force no more.
    pub(crate) fn set(&mut self, object: &ObjectRef, now: Option<Standing<T>>) {
        let old = self.place_by_object.remove(object);
        let old = old.and_then(|place| self.by_place.remove_entry(&place));
        if old.is_some() || now.is_some() {
            self.before.entry(object.clone()).or_insert(old);
        }
        if let Some((place, placed)) = now {
            self.place_by_object.insert(object.clone(), place.clone());
            self.by_place.insert(place, placed);
        }
    }

    /// In order of precedence.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Placed<T>> + Clone {
        self.by_place.values()
    }

    pub(crate) fn get(&self, object: &ObjectRef) -> Option<(&Place, &Placed<T>)> {
        self.by_place
            .get_key_value(self.place_by_object.get(object)?)
    }

    /// What was touched since the last look. A value that is equal to the one before is that one,
    /// so that whoever holds it need not compare.
    pub(crate) fn turned(&mut self) -> Vec<Turned<T>> {
        let mut all = Vec::with_capacity(self.before.len());
        for (object, old) in std::mem::take(&mut self.before) {
            let place = self.place_by_object.get(&object);
            let mut new = None;
            if let Some((place, placed)) = place.and_then(|p| Some((p, self.by_place.get_mut(p)?)))
            {
                if let Some((_, before)) = &old
                    && before.value == placed.value
                {
                    placed.value = before.value.clone();
                }
                new = Some((place.clone(), placed.clone()));
            }
            if old != new {
                all.push(Turned { object, old, new });
            }
        }
        all
    }
}

// === impl Placed ===

impl<T> Clone for Placed<T> {
    fn clone(&self) -> Placed<T> {
        Placed::new(&self.value, self.location.clone())
    }
}

impl<T> Placed<T> {
    pub(crate) fn new(value: &Arc<T>, location: Option<Location>) -> Placed<T> {
        Placed {
            value: value.clone(),
            location,
        }
    }
}

// === impl Turned ===

impl<T> Turned<T> {
    /// Its values, as it was and as it is.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        let both = [&self.old, &self.new].into_iter().flatten();
        both.map(|(_, placed)| &*placed.value)
    }

    /// Whether the value is another, and not only where its document stands.
    pub(super) fn differs(&self) -> bool {
        let value = |standing: &Option<Standing<T>>| {
            standing
                .as_ref()
                .map(|(_, placed)| Arc::as_ptr(&placed.value))
        };
        value(&self.old) != value(&self.new)
    }

    /// Whether it stood and stands, and elsewhere.
    pub(super) fn is_moved(&self) -> bool {
        match (&self.old, &self.new) {
            (Some((old, _)), Some((new, _))) => old != new,
            _ => false,
        }
    }
}
