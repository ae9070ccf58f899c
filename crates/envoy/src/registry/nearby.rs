//! Which services look otherwise from where.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use model::{Service, Spot};

use super::{Registry, served};

/// The services that have another address somewhere, by where; made when it is first asked for.
///
/// Proxies connect by the thousand after a restart, each from a place of its own; none of them
/// searches the whole World.
#[derive(Debug, Default)]
pub(super) struct Nearby(OnceLock<HashMap<Spot, Vec<Arc<Service>>>>);

// === impl Nearby ===

impl Nearby {
    /// In order of their names.
    pub(super) fn of(&self, spot: Spot, registry: &Registry) -> &[Arc<Service>] {
        let all = self.0.get_or_init(|| find(registry));
        all.get(&spot).map_or(&[], Vec::as_slice)
    }
}

fn find(registry: &Registry) -> HashMap<Spot, Vec<Arc<Service>>> {
    let mut all: HashMap<Spot, Vec<Arc<Service>>> = HashMap::new();
    for service in registry.services() {
        let ports = served(service).map(|port| registry.endpoints(&service.host, port.number));
        for endpoint in ports.flatten() {
            for spot in endpoint.reach.differing() {
                let here = all.entry(spot).or_default();
                let is_known = here.last().is_some_and(|last| Arc::ptr_eq(last, service));
                if !is_known {
                    here.push(service.clone());
                }
            }
        }
    }
    all
}
