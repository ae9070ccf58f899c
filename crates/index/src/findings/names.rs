//! What objects refer to, as findings look it up: names of services, and rules by host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{DestinationRule, Hostname, ObjectRef, Service, World};

use super::Step;
use crate::ruling::{Place, Turned};

/// The services that go by other names, too.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    by_alias: BTreeMap<Hostname, BTreeSet<Hostname>>,
}

/// What of the names became another.
#[derive(Debug, Default)]
pub(super) struct Renamed {
    /// Names, aliases among them, of services that appeared, went or changed.
    pub(super) names: BTreeSet<Hostname>,
    /// A service appeared or went, so that another name can be the nearest.
    pub(super) others: bool,
}

/// The rules of every host, in order of precedence.
#[derive(Debug, Default)]
pub(super) struct RulesByHost {
    by_host: BTreeMap<Hostname, BTreeMap<Place, Arc<DestinationRule>>>,
}

// === impl Aliases ===

impl Aliases {
    /// Takes in the services that changed.
    pub(super) fn advance(&mut self, step: Step<'_>) -> Renamed {
        let mut renamed = Renamed::default();
        for host in &step.changes.services {
            let (old, new) = (step.old.services.get(host), step.new.services.get(host));
            renamed.others |= old.is_some() != new.is_some();
            renamed.names.insert(host.clone());
            for alias in old.into_iter().flat_map(|service| &service.aliases) {
                remove(&mut self.by_alias, alias, host);
                renamed.names.insert(alias.clone());
            }
            for alias in new.into_iter().flat_map(|service| &service.aliases) {
                let services = self.by_alias.entry(alias.clone()).or_default();
                services.insert(host.clone());
                renamed.names.insert(alias.clone());
            }
        }
        renamed
    }

    /// The service that goes by an alias; of several the last.
    pub(super) fn get<'a>(&self, alias: &Hostname, world: &'a World) -> Option<&'a Service> {
        let host = self.by_alias.get(alias)?.last()?;
        world.services.get(host).map(|service| &**service)
    }

    /// Whether anybody provides a host, or one that it covers.
    pub(super) fn knows(&self, host: &Hostname, world: &World) -> bool {
        if !host.is_wildcard() {
            return world.services.contains_key(host) || self.by_alias.contains_key(host);
        }
        let mut names = world.services.keys().chain(self.by_alias.keys());
        names.any(|name| host.covers(name))
    }
}

// === impl RulesByHost ===

impl RulesByHost {
    /// Takes in the rules that changed.
    pub(super) fn advance(&mut self, turned: &[Turned<DestinationRule>]) {
        for (place, rule) in turned.iter().filter_map(|turned| turned.old.as_ref()) {
            if let Some(rules) = self.by_host.get_mut(&rule.value.host) {
                rules.remove(place);
                if rules.is_empty() {
                    self.by_host.remove(&rule.value.host);
                }
            }
        }
        for (place, rule) in turned.iter().filter_map(|turned| turned.new.as_ref()) {
            let rules = self.by_host.entry(rule.value.host.clone()).or_default();
            rules.insert(place.clone(), rule.value.clone());
        }
    }

    /// The rules of exactly this host, in order of precedence.
    pub(super) fn of<'a>(
        &'a self,
        host: &Hostname,
    ) -> impl DoubleEndedIterator<Item = &'a DestinationRule> + use<'a> {
        let rules = self.by_host.get(host).into_iter();
        rules.flat_map(BTreeMap::values).map(|rule| &**rule)
    }

    /// The hosts of rules that cover a host, itself among them.
    pub(super) fn covering<'a>(&'a self, host: &'a Hostname) -> impl Iterator<Item = &'a Hostname> {
        let exact = self.by_host.get_key_value(host).map(|(host, _)| host);
        let exact = exact.filter(|host| !host.is_wildcard());
        exact.into_iter().chain(self.wider(host))
    }

    /// The most specific host that covers one.
    pub(super) fn closest<'a>(&'a self, host: &'a Hostname) -> Option<&'a Hostname> {
        self.covering(host).max_by_key(|host| host.specificity())
    }

    /// Wildcards that cover a host. They stand first: no letter or digit is less than an asterisk.
    fn wider<'a>(&'a self, host: &'a Hostname) -> impl Iterator<Item = &'a Hostname> {
        let hosts = self.by_host.keys();
        let wildcards = hosts.take_while(|host| host.is_wildcard());
        wildcards.filter(move |wide| wide.covers(host))
    }

    /// The hosts of rules that a wildcard covers, itself among them.
    pub(super) fn covered<'a>(&'a self, wide: &'a Hostname) -> impl Iterator<Item = &'a Hostname> {
        self.by_host.keys().filter(|host| wide.covers(host))
    }

    /// The rule of a service for callers of no namespace in particular, as
    /// [`World::destination_rule`] finds it.
    pub(super) fn of_service(&self, service: &Service, world: &World) -> Option<&DestinationRule> {
        let place = |rule: &DestinationRule| {
            let namespace = &rule.object.namespace;
            (
                *namespace == service.namespace,
                **namespace == *world.mesh.root_namespace,
            )
        };
        let hosts = self.covering(&service.host);
        // Of equals the oldest, which is the last one seen.
        let rules = hosts.flat_map(|host| self.of(host).rev());
        rules
            .filter(|rule| rule.workload_selector.is_none())
            .max_by_key(|rule| (place(rule), rule.host.specificity()))
    }
}

/// Takes a value out of a set that goes with its last one.
pub(super) fn remove<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

/// The objects behind turned values.
pub(super) fn objects<T>(turned: &[Turned<T>]) -> impl Iterator<Item = &ObjectRef> {
    turned.iter().map(|turned| &turned.object)
}
