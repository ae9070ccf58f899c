//! Who sees what: `exportTo`, the namespaces of destination rules, and sidecars.
//!
//! Callers that see the same are one class and share a [`View`]. Seen through it the World is a
//! World: without what is hidden, and with the one sidecar that is in force. Whatever compiles
//! needs to know no more. In a mesh that hides nothing all callers have the same view, and the
//! World is seen as it is.

mod classes;
mod project;
mod rules;
mod visibility;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use model::ObjectRef;

pub use classes::{Compiler, Plan, SetChange, SetKey};
pub(crate) use project::{Projection, egress_binding, lists, project};
pub(crate) use rules::Rules;
pub(crate) use visibility::Visibility;

/// A class of callers.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct View {
    /// Where they are; `None` if their namespace sees no more and nothing else than any other.
    namespace: Option<Arc<str>>,
    /// The sidecar that is in force for them.
    sidecar: Option<ObjectRef>,
    /// The destination rules for some workloads that are theirs.
    rules: BTreeSet<ObjectRef>,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, " seen from {namespace}")?;
        }
        if let Some(sidecar) = &self.sidecar {
            write!(f, " by {sidecar}")?;
        }
        let mut rules = self.rules.iter();
        rules.try_for_each(|rule| write!(f, " with {rule}"))
    }
}
