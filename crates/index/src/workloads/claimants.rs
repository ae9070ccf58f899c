//! Who claims a host or an instance: nearly always one, so a list without spare room.

use std::collections::BTreeMap;

use super::Who;

/// In order, nobody twice.
#[derive(Debug, Default)]
pub(super) struct Claimants(Vec<Who>);

// === impl Claimants ===

impl Claimants {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Who> {
        self.0.iter()
    }

    pub(super) fn first(&self) -> Option<&Who> {
        self.0.first()
    }

    fn insert(&mut self, who: &Who) {
        if let Err(at) = self.0.binary_search(who) {
            self.0.reserve_exact(1);
            self.0.insert(at, who.clone());
        }
    }

    fn remove(&mut self, who: &Who) {
        if let Ok(at) = self.0.binary_search(who) {
            self.0.remove(at);
        }
    }
}

pub(super) fn link<'a, K: Ord + Clone + 'a>(
    map: &mut BTreeMap<K, Claimants>,
    keys: impl Iterator<Item = &'a K>,
    who: &Who,
) {
    for key in keys {
        map.entry(key.clone()).or_default().insert(who);
    }
}

/// Keys that nobody claims any more are not kept.
pub(super) fn unlink<'a, K: Ord + 'a>(
    map: &mut BTreeMap<K, Claimants>,
    keys: impl Iterator<Item = &'a K>,
    who: &Who,
) {
    for key in keys {
        if let Some(claimants) = map.get_mut(key) {
            claimants.remove(who);
            if claimants.0.is_empty() {
                map.remove(key);
            }
        }
    }
}
