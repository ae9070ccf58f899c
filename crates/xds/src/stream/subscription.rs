//! What a client asked for, of one kind.
//!
//! Names and the wildcard live side by side. The wildcard comes in two forms: `*`, and the legacy
//! form of a first CDS or LDS request without names, which Envoy uses. Once a client has named
//! anything, no names mean nothing (xDS protocol, "How the client specifies what resources to
//! return"). The names themselves are in the ledger, beside what the client has under them.

use std::sync::Arc;

use super::ledger::Ledger;
use crate::kind::Kind;
use crate::message::list_hash;
use crate::snapshot::Layers;

const WILDCARD: &str = "*";

/// The wildcard of one kind on one stream, and how names are taken.
#[derive(Debug, Default)]
pub(crate) struct Subscription {
    wildcard: bool,
    /// The client has named something on this stream, so that "no names" is no wildcard any more.
    has_named: bool,
    /// Hash of the last state-of-the-world list: every ACK repeats it, and rarely changed.
    last_list: Option<u128>,
}

/// Where names are written down.
pub(crate) struct Book<'a> {
    pub(crate) ledger: &'a mut Ledger,
    /// Names that we have already, to be shared.
    pub(crate) known: Option<&'a Layers>,
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

    /// Takes the complete list of a state-of-the-world request.
    pub(crate) fn replace(&mut self, kind: Kind, list: &[String], book: Book<'_>) -> Change {
        let hash = list_hash(list);
        if self.last_list == Some(hash) {
            return Change::default();
        }
        self.last_list = Some(hash);
        self.has_named |= !list.is_empty();
        let legacy = !self.has_named && kind.is_legacy_wildcard();
        let wildcard = legacy || list.iter().any(|name| name == WILDCARD);
        let wanted = names(list);
        let mut change = self.set_wildcard(wildcard);
        let dropped = book
            .ledger
            .names()
            .filter(|name| wanted.binary_search(&&***name).is_err());
        change.dropped = dropped.map(Arc::clone).collect();
        for name in &change.dropped {
            book.ledger.unname(name);
        }
        let added: Vec<&str> = wanted
            .into_iter()
            .filter(|name| !book.ledger.is_named(name))
            .collect();
        change.added = book.ledger.name_all(&added, book.known);
        change
    }

    /// Takes the additions and removals of a delta request.
    pub(crate) fn adjust(
        &mut self,
        legacy: bool,
        subscribe: &[String],
        unsubscribe: &[String],
        book: Book<'_>,
    ) -> Change {
        let star = |list: &[String]| list.iter().any(|name| name == WILDCARD);
        let wildcard = (self.wildcard || legacy || star(subscribe)) && !star(unsubscribe);
        let mut change = self.set_wildcard(wildcard);
        change.added = book.ledger.name_all(&names(subscribe), book.known);
        for name in names(unsubscribe) {
            if book.ledger.unname(name) {
                change.added.retain(|added| **added != *name);
                change.dropped.push(name.into());
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
}

/// The names of a list, in order, each once. The empty name stands for nothing: some clients send it to mean
/// "no names at all".
fn names(list: &[String]) -> Vec<&str> {
    let names = list.iter().map(String::as_str);
    let mut names: Vec<&str> = names
        .filter(|name| !name.is_empty() && *name != WILDCARD)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
