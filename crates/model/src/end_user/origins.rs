//! What policies of Istio 1.0 demand of requests: whose token, and for which paths.

use std::collections::BTreeSet;

use super::Issuer;

/// A request needs a good token of one of those whose paths it is for; if it is for nobody's, it
/// needs none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origins {
    /// Never empty; no two have one issuer.
    pub all: Vec<Origin>,
    /// Requests without a good token pass as well, as if they had none.
    pub optional: bool,
}

/// An issuer, and when its tokens are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    pub issuer: Issuer,
    /// For a path that one of them holds for; empty for all paths.
    pub triggers: Vec<Trigger>,
}

/// Holds for paths that are one of `included`, if there are any, and none of `excluded`. Not both
/// are empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trigger {
    pub included: Vec<Path>,
    pub excluded: Vec<Path>,
}

/// How a path is compared, without its query. Never empty; only a regular expression can have what
/// ends a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    Exact(String),
    Prefix(String),
    Suffix(String),
    /// RE2 syntax, matched against the whole path.
    Regex(String),
}

// === impl Origins ===

impl Origins {
    /// The most cases that are told apart.
    pub const MAX_CASES: usize = 32;

    /// What triggers say that are not for all paths, each once.
    pub fn triggers(&self) -> BTreeSet<&[Trigger]> {
        let each = self.all.iter().map(|origin| &*origin.triggers);
        each.filter(|triggers| !triggers.is_empty()).collect()
    }

    /// The only trigger there is, if no other must be asked besides.
    pub fn only_trigger(&self) -> Option<&Trigger> {
        let mut all = self.triggers().into_iter();
        match (all.next(), all.next()) {
            (Some([only]), None) => Some(only),
            _ => None,
        }
    }

    /// How many combinations of triggers there are.
    pub fn cases(&self) -> usize {
        let sizes = self.triggers().into_iter().map(|triggers| triggers.len());
        sizes.fold(1, |cases, size| cases.saturating_mul(size + 1))
    }
}

// === impl Trigger ===

impl Trigger {
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.included.iter().chain(&self.excluded)
    }
}
