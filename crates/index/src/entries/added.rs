//! What an entry adds to a service: endpoints with addresses, and those with names or socket files.

use std::collections::BTreeMap;

use model::{Endpoint, Health, InstanceId, NamedEndpoint, NamedTarget, Reach, Service};

use super::External;
use crate::services::Built;

/// What an endpoint adds to one port.
pub(super) enum Added {
    Endpoint(Endpoint),
    Named(NamedEndpoint),
}

// === impl External ===

impl External {
    pub(super) fn endpoint(&self, id: &str, reach: Reach) -> Endpoint {
        Endpoint {
            instance: InstanceId::from(id),
            labels: self.labels.clone(),
            locality: self.locality.clone(),
            weight: self.weight,
            health: Health::Healthy,
            reach,
        }
    }

    pub(super) fn named(&self, port: u16, target: NamedTarget) -> NamedEndpoint {
        NamedEndpoint {
            port,
            target,
            labels: self.labels.clone(),
            locality: self.locality.clone(),
            weight: self.weight,
        }
    }
}

// === impl Built ===

impl Built {
    pub(super) fn empty(service: Service) -> Built {
        Built {
            service,
            endpoints_by_port: BTreeMap::new(),
            conflicts: Vec::new(),
        }
    }

    pub(super) fn has_endpoints(&self) -> bool {
        let listed = self.endpoints_by_port.values().any(|list| !list.is_empty());
        listed || !self.service.named.is_empty()
    }

    /// In the order that the World promises; an instance that is there by its own label stays.
    pub(super) fn add(&mut self, added: impl Iterator<Item = (u16, Added)>) {
        for (port, added) in added {
            match added {
                Added::Endpoint(endpoint) => {
                    let list = self.endpoints_by_port.entry(port).or_default();
                    if !list.contains(&endpoint) {
                        list.push(endpoint);
                    }
                }
                Added::Named(named) => self.service.named.push(named),
            }
        }
        for list in self.endpoints_by_port.values_mut() {
            list.sort_by_key(|e| (e.instance.clone(), e.reach.anywhere, e.reach.same_bridge));
        }
        self.service
            .named
            .sort_by(|a, b| (a.port, &a.target).cmp(&(b.port, &b.target)));
        self.service.named.dedup();
    }
}
