//! Who may see an object: `exportTo`.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The namespaces whose proxies take notice of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportTo {
    #[default]
    All,
    /// Only these; nobody, if there are none.
    Namespaces(BTreeSet<Arc<str>>),
}

// === impl ExportTo ===

impl ExportTo {
    /// Whether proxies of a namespace see the object.
    pub fn reaches(&self, namespace: &str) -> bool {
        match self {
            ExportTo::All => true,
            ExportTo::Namespaces(namespaces) => namespaces.contains(namespace),
        }
    }

    /// The namespaces that are named; none if all are meant.
    pub fn named(&self) -> impl Iterator<Item = &Arc<str>> {
        let named = match self {
            ExportTo::All => None,
            ExportTo::Namespaces(namespaces) => Some(namespaces),
        };
        named.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_namespace_nobody_sees_it() {
        let named = |names: &[&str]| {
            ExportTo::Namespaces(names.iter().map(|name| Arc::from(*name)).collect())
        };
        assert!(ExportTo::All.reaches("a"));
        assert!(named(&["a", "b"]).reaches("b"));
        assert!(!named(&["a"]).reaches("b"));
        assert!(!named(&[]).reaches("a"));
    }
}
