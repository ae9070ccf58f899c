//! The destination rule of a service, by namespaces.

use std::collections::HashMap;
use std::sync::Arc;

use model::{DestinationRule, Hostname, World};

use super::visibility::is_flat;
use crate::registry::ByHost;

/// The rules that callers of one view follow: first those of their own namespace, then those of the
/// service's, then those of the root namespace.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    caller: Option<Arc<str>>,
    root: Arc<str>,
    by_namespace: HashMap<Arc<str>, ByHost<DestinationRule>>,
    /// The one namespace that has rules, in a mesh without namespaces.
    only: Option<Arc<str>>,
    /// Wherever they stand, if there are several in such a mesh.
    anywhere: Option<ByHost<DestinationRule>>,
}

// === impl Rules ===

impl Rules {
    pub(crate) fn of(world: &World) -> Rules {
        // Of two rules for a host the one for some workloads outranks.
        let rules = world.destination_rules.iter();
        let (selecting, common): (Vec<_>, Vec<_>) =
            rules.partition(|rule| rule.workload_selector.is_some());
        let mut lists: HashMap<Arc<str>, Vec<&Arc<DestinationRule>>> = HashMap::new();
        for rule in selecting.iter().chain(&common) {
            let namespace = rule.object.namespace.clone();
            lists.entry(namespace).or_default().push(rule);
        }
        let flat = is_flat(world);
        let only = lists
            .keys()
            .next()
            .filter(|_| flat && lists.len() == 1)
            .cloned();
        let anywhere = (flat && lists.len() > 1).then(|| by_host(&common));
        let lists = lists.into_iter();
        Rules {
            caller: world.caller.clone(),
            root: world.mesh.root_namespace.clone(),
            by_namespace: lists.map(|(n, rules)| (n, by_host(&rules))).collect(),
            only,
            anywhere,
        }
    }

    /// The most specific of the first namespace that has one, without inheritance from wider ones.
    pub(crate) fn get(&self, host: &Hostname, namespace: &str) -> Option<&Arc<DestinationRule>> {
        if self.by_namespace.is_empty() {
            return None;
        }
        let order = [
            self.caller.as_deref(),
            Some(namespace),
            Some(&*self.root),
            self.only.as_deref(),
        ];
        let mut found = order.into_iter().flatten().filter_map(|namespace| {
            let rules = self.by_namespace.get(namespace)?;
            rules.get(host)
        });
        found.next().or_else(|| self.anywhere.as_ref()?.get(host))
    }
}

fn by_host(rules: &[&Arc<DestinationRule>]) -> ByHost<DestinationRule> {
    let rules = rules.iter();
    rules
        .map(|rule| (rule.host.clone(), Arc::clone(rule)))
        .collect()
}
