//! What one compile looks up again and again: services by name, rules by host.

use std::collections::BTreeMap;

use model::route::Destination;
use model::{DestinationRule, Endpoint, Hostname, Port, Service, World};

/// A World, indexed for the length of one compile.
pub(crate) struct Registry<'w> {
    world: &'w World,
    aliases: BTreeMap<&'w Hostname, &'w Service>,
    rules: ByHost<'w, DestinationRule>,
}

/// Values that apply to a host or to all hosts under a wildcard; for a host, the most specific.
pub(crate) struct ByHost<'w, T> {
    exact: BTreeMap<&'w Hostname, &'w T>,
    /// The most specific first; among equals in order of arrival.
    wildcards: Vec<(&'w Hostname, &'w T)>,
}

// === impl Registry ===

impl<'w> Registry<'w> {
    pub(crate) fn new(world: &'w World) -> Registry<'w> {
        let mut aliases = BTreeMap::new();
        for service in world.services.values() {
            for alias in &service.aliases {
                aliases.entry(alias).or_insert(&**service);
            }
        }
        let rules = world.destination_rules.iter();
        Registry {
            world,
            aliases,
            rules: rules.map(|rule| (&rule.host, &**rule)).collect(),
        }
    }

    /// Every service, by name.
    pub(crate) fn services(&self) -> impl Iterator<Item = &'w Service> + use<'w> {
        self.world.services.values().map(|service| &**service)
    }

    /// The service that callers know under this name, be it an alias.
    pub(crate) fn service(&self, host: &Hostname) -> Option<&'w Service> {
        match self.world.services.get(host) {
            Some(service) => Some(service),
            None => self.aliases.get(host).copied(),
        }
    }

    /// The rule of a host: the most specific alone, without inheritance from wider ones.
    pub(crate) fn rule(&self, host: &Hostname) -> Option<&'w DestinationRule> {
        self.rules.get(host)
    }

    pub(crate) fn endpoints(&self, service: &Service, port: &Port) -> &'w [Endpoint] {
        self.world.endpoints_of(&service.host, port.number)
    }

    /// The host and port of a destination: the port that is named, else the only one that the
    /// service has, else that of the listener. An unknown host keeps its name, so that requests
    /// are answered with 503 instead of going elsewhere.
    pub(crate) fn resolve<'a>(&self, to: &'a Destination, listener: u16) -> (&'a Hostname, u16)
    where
        'w: 'a,
    {
        let service = self.service(&to.host);
        let only = service.and_then(|service| match service.ports.as_slice() {
            [only] => Some(only.number),
            _ => None,
        });
        let host = service.map_or(&to.host, |service| &service.host);
        (host, to.port.or(only).unwrap_or(listener))
    }
}

// === impl ByHost ===

impl<'w, T> ByHost<'w, T> {
    pub(crate) fn get(&self, host: &Hostname) -> Option<&'w T> {
        if let Some(value) = self.exact.get(host) {
            return Some(value);
        }
        let mut wildcards = self.wildcards.iter();
        let (_, value) = wildcards.find(|(pattern, _)| pattern.covers(host))?;
        Some(value)
    }
}

impl<'w, T> FromIterator<(&'w Hostname, &'w T)> for ByHost<'w, T> {
    /// The first value of a host wins.
    fn from_iter<I: IntoIterator<Item = (&'w Hostname, &'w T)>>(values: I) -> ByHost<'w, T> {
        let mut exact = BTreeMap::new();
        let mut wildcards: Vec<(&Hostname, &T)> = Vec::new();
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
