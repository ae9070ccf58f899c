//! What one kind has told so far, so that a new list can be told as its difference.

use std::collections::BTreeMap;

use api::istio::{Object, ObjectKey, Problem};

/// Names and digests of the objects that were told. The objects themselves are kept by whoever
/// listens, and by nobody else.
#[derive(Default)]
pub(super) struct Ledger {
    digests: BTreeMap<ObjectKey, u64>,
    problems: BTreeMap<ObjectKey, Box<Problem>>,
}

/// One object as it was read; `None` if its content is what was told already.
pub(super) struct Read {
    pub(super) key: ObjectKey,
    pub(super) digest: u64,
    pub(super) object: Option<Result<Object, Box<Problem>>>,
}

/// What a list or a change makes different.
#[derive(Default)]
pub(super) struct Difference {
    pub(super) applied: Vec<Object>,
    pub(super) deleted: Vec<ObjectKey>,
    pub(super) problems_changed: bool,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn len(&self) -> usize {
        self.digests.len()
    }

    pub(super) fn is_known(&self, key: &ObjectKey, digest: u64) -> bool {
        self.digests.get(key) == Some(&digest)
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        self.problems.values().map(|p| (**p).clone()).collect()
    }

    /// A complete list replaces everything.
    pub(super) fn replace(&mut self, list: Vec<Read>) -> Difference {
        let mut gone = std::mem::take(&mut self.digests);
        let mut difference = Difference::default();
        for read in list {
            if let Some(digest) = gone.remove(&read.key) {
                self.digests.insert(read.key.clone(), digest);
            }
            self.enter(read, &mut difference);
        }
        for key in gone.into_keys() {
            difference.problems_changed |= self.problems.remove(&key).is_some();
            difference.deleted.push(key);
        }
        difference
    }

    pub(super) fn apply(&mut self, read: Read) -> Difference {
        let mut difference = Difference::default();
        self.enter(read, &mut difference);
        difference
    }

    pub(super) fn delete(&mut self, key: ObjectKey) -> Difference {
        let known = self.digests.remove(&key).is_some();
        Difference {
            problems_changed: self.problems.remove(&key).is_some(),
            deleted: known.then_some(key).into_iter().collect(),
            ..Difference::default()
        }
    }

    /// An object that cannot be read counts as told: what was told of it before stays.
    fn enter(&mut self, read: Read, difference: &mut Difference) {
        let Some(object) = read.object else {
            return;
        };
        match object {
            Ok(object) => {
                difference.problems_changed |= self.problems.remove(&read.key).is_some();
                difference.applied.push(object);
            }
            Err(problem) => {
                let before = self.problems.insert(read.key.clone(), problem);
                difference.problems_changed |= before.as_ref() != self.problems.get(&read.key);
            }
        }
        self.digests.insert(read.key, read.digest);
    }
}

// === impl Difference ===

impl Difference {
    pub(super) fn is_empty(&self) -> bool {
        self.applied.is_empty() && self.deleted.is_empty() && !self.problems_changed
    }
}
