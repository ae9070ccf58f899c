//! Which names there is a reason to look at.
//!
//! A name that is not among them would bring nothing: the client has what it should have, or
//! refuses it, or waits for something that will put the name here.

use std::collections::BTreeSet;
use std::sync::Arc;

/// More names than this are not worth listing. They pile up where a client does not read.
const MAX_NAMES: usize = 4_096;

/// The names of one kind that may have something to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    all: bool,
    names: BTreeSet<Arc<str>>,
    /// There is something to look at, but not before there is another reason.
    deferred: bool,
}

// === impl Look ===

impl Look {
    /// A look at everything.
    pub(crate) fn all() -> Look {
        Look {
            all: true,
            ..Look::default()
        }
    }

    pub(crate) fn names(names: BTreeSet<Arc<str>>) -> Look {
        Look {
            names,
            ..Look::default()
        }
    }

    /// Whether there is no reason to look.
    pub(crate) fn is_clean(&self) -> bool {
        !self.all && self.names.is_empty()
    }

    /// The names, unless all must be looked at.
    pub(crate) fn only(&self) -> Option<&BTreeSet<Arc<str>>> {
        (!self.all && !self.deferred).then_some(&self.names)
    }

    /// There is a reason to look at one name.
    pub(crate) fn at(&mut self, name: Arc<str>) {
        if self.names.len() >= MAX_NAMES {
            *self = Look::all();
        }
        if !self.all {
            self.names.insert(name);
        }
    }

    /// There is a reason to look at all of these names.
    pub(crate) fn at_all(&mut self, names: &BTreeSet<Arc<str>>) {
        if self.names.len() + names.len() > MAX_NAMES {
            *self = Look::all();
        }
        if !self.all {
            self.names.extend(names.iter().map(Arc::clone));
        }
    }

    /// There is a reason to look at these; `None` means at all.
    pub(crate) fn at_each(&mut self, names: Option<&[Arc<str>]>) {
        match names {
            Some(names) => names.iter().for_each(|name| self.at(Arc::clone(name))),
            None => *self = Look::all(),
        }
    }

    /// Nothing to look at until there is another reason, but then at all.
    pub(crate) fn defer(&mut self) {
        *self = Look {
            deferred: true,
            ..Look::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f03_a_client_that_does_not_read_piles_up_no_names() {
        let mut look = Look::default();
        for n in 0..2 * MAX_NAMES {
            look.at(n.to_string().into());
        }
        assert_eq!(look, Look::all());
    }

    #[test]
    fn what_is_deferred_is_looked_at_with_the_next_reason() {
        let mut look = Look::all();
        look.defer();
        assert!(look.is_clean());
        look.at("a".into());
        assert!(!look.is_clean());
        assert_eq!(look.only(), None);
    }
}
