//! What applies to a host by its own name or under a wildcard.

use std::collections::HashMap;
use std::sync::Arc;

use model::Hostname;

/// Values that apply to a host or to all hosts under a wildcard; for a host, the most specific.
#[derive(Debug)]
pub(crate) struct ByHost<T> {
    exact: HashMap<Hostname, Arc<T>>,
    /// The most specific first; among equals in order of arrival.
    wildcards: Vec<(Hostname, Arc<T>)>,
}

// === impl ByHost ===

impl<T> ByHost<T> {
    pub(crate) fn get(&self, host: &Hostname) -> Option<&Arc<T>> {
        if let Some(value) = self.exact.get(host) {
            return Some(value);
        }
        let mut wildcards = self.wildcards.iter();
        let (_, value) = wildcards.find(|(pattern, _)| pattern.covers(host))?;
        Some(value)
    }
}

impl<T> Default for ByHost<T> {
    fn default() -> ByHost<T> {
        std::iter::empty().collect()
    }
}

impl<T> FromIterator<(Hostname, Arc<T>)> for ByHost<T> {
    /// The first value of a host wins.
    fn from_iter<I: IntoIterator<Item = (Hostname, Arc<T>)>>(values: I) -> ByHost<T> {
        let mut exact = HashMap::new();
        let mut wildcards: Vec<(Hostname, Arc<T>)> = Vec::new();
        for (host, value) in values {
            match host.is_wildcard() {
                true => wildcards.push((host, value)),
                false => {
                    exact.entry(host).or_insert(value);
                }
            }
        }
        wildcards.sort_by_key(|(host, _)| std::cmp::Reverse(host.specificity()));
        ByHost { exact, wildcards }
    }
}
