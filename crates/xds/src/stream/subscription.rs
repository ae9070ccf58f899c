//! What a client asked for, of one kind.
//!
//! Names and the wildcard live side by side. The wildcard comes in two forms: `*`, and the legacy
//! form of a first CDS or LDS request without names, which Envoy uses. Once a client has named
//! anything, no names mean nothing (xDS protocol, "How the client specifies what resources to
//! return").

use std::collections::BTreeSet;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::kind::Kind;

const WILDCARD: &str = "*";

/// The names and the wildcard of one kind on one stream.
#[derive(Debug, Default)]
pub(crate) struct Subscription {
    wildcard: bool,
    /// The client has named something on this stream, so that "no names" is no wildcard any more.
    has_named: bool,
    names: BTreeSet<Arc<str>>,
    /// Hash of the last state-of-the-world list: every ACK repeats it, and rarely changed.
    last_list: Option<u128>,
}

/// What a request changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Names to be answered, whether or not they were known before.
    pub(crate) added: Vec<Arc<str>>,
    /// Names no longer wanted.
    pub(crate) dropped: Vec<Arc<str>>,
    pub(crate) wildcard_added: bool,
    pub(crate) wildcard_dropped: bool,
}

impl Change {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Change::default()
    }
}

impl Subscription {
    pub(crate) fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.wildcard && self.names.is_empty()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.names.iter()
    }

    /// Takes the complete list of a state-of-the-world request.
    pub(crate) fn replace(&mut self, kind: Kind, list: &[String]) -> Change {
        let hash = hash(list);
        if self.last_list == Some(hash) {
            return Change::default();
        }
        self.last_list = Some(hash);
        self.has_named |= !list.is_empty();
        let legacy = !self.has_named && kind.is_legacy_wildcard();
        let wildcard = legacy || list.iter().any(|name| name == WILDCARD);
        let wanted: BTreeSet<&str> = list
            .iter()
            .map(String::as_str)
            .filter(|name| is_name(name))
            .collect();
        let mut change = self.set_wildcard(wildcard);
        change.dropped = self
            .names
            .iter()
            .filter(|name| !wanted.contains(&***name))
            .map(Arc::clone)
            .collect();
        for name in &change.dropped {
            self.names.remove(name);
        }
        for name in wanted {
            if !self.names.contains(name) {
                change.added.push(self.insert(name));
            }
        }
        change
    }

    /// Takes the additions and removals of a delta request.
    pub(crate) fn adjust(
        &mut self,
        kind: Kind,
        first: bool,
        subscribe: &[String],
        unsubscribe: &[String],
    ) -> Change {
        let legacy = first && subscribe.is_empty() && kind.is_legacy_wildcard();
        let star = |list: &[String]| list.iter().any(|name| name == WILDCARD);
        let wildcard = (self.wildcard || legacy || star(subscribe)) && !star(unsubscribe);
        let mut change = self.set_wildcard(wildcard);
        let added: BTreeSet<&str> = subscribe
            .iter()
            .map(String::as_str)
            .filter(|name| is_name(name))
            .collect();
        for name in added {
            change.added.push(self.insert(name));
        }
        for name in unsubscribe.iter().filter(|name| is_name(name)) {
            if let Some(name) = self.names.take(name.as_str()) {
                change.added.retain(|added| *added != name);
                change.dropped.push(name);
            }
        }
        change
    }

    fn set_wildcard(&mut self, wildcard: bool) -> Change {
        let before = std::mem::replace(&mut self.wildcard, wildcard);
        Change {
            wildcard_added: wildcard && !before,
            wildcard_dropped: before && !wildcard,
            ..Change::default()
        }
    }

    fn insert(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }
}

/// The empty name stands for nothing: some clients send it to mean "no names at all".
fn is_name(name: &str) -> bool {
    !name.is_empty() && name != WILDCARD
}

fn hash(list: &[String]) -> u128 {
    let mut hash = Xxh3::new();
    for name in list {
        hash.update(&name.len().to_le_bytes());
        hash.update(name.as_bytes());
    }
    hash.digest128()
}
