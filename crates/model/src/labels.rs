//! Labels, and selection by them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A set of labels, cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<BTreeMap<String, String>>);

// === impl Labels ===

impl Labels {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each label of `self`, taken as a selector, is among `labels`. An empty selector selects all.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.0
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl From<BTreeMap<String, String>> for Labels {
    fn from(map: BTreeMap<String, String>) -> Labels {
        Labels(Arc::new(map))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Labels {
        let map: BTreeMap<String, String> = pairs
            .into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        map.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_a_subset() {
        let labels = Labels::from_iter([("istio", "reviews"), ("version", "v1")]);
        assert!(Labels::from_iter([("version", "v1")]).selects(&labels));
        assert!(Labels::default().selects(&labels));
        assert!(!Labels::from_iter([("version", "v2")]).selects(&labels));
        assert!(!Labels::from_iter([("tier", "x")]).selects(&labels));
    }
}
