//! The World: all that is true at one moment, immutable.

use std::sync::Arc;

use imbl::OrdMap;

use crate::route::VirtualService;
use crate::{
    Authentication, DestinationRule, Diagnostic, Endpoint, EnvoyFilter, Gateway, Hostname,
    Instance, InstanceId, Mesh, Service, ServicePort, Sidecar, Telemetry,
};

/// A consistent state of the mesh. Whoever holds one sees no change; the next state is another World.
///
/// Its maps are persistent: the next World shares all but the changed paths with the one before, so
/// that one task among ten thousand does not copy the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct World {
    /// Grows by one with every published state.
    pub generation: u64,
    pub mesh: Arc<Mesh>,
    pub services: OrdMap<Hostname, Arc<Service>>,
    /// Sorted by instance. A service port without instances has an empty list.
    pub endpoints: OrdMap<ServicePort, Arc<[Endpoint]>>,
    pub instances: OrdMap<InstanceId, Arc<Instance>>,
    /// In order of precedence: oldest first, then by name and namespace.
    pub virtual_services: Arc<[Arc<VirtualService>]>,
    /// In order of precedence; at most one for each host.
    pub destination_rules: Arc<[Arc<DestinationRule>]>,
    /// In order of precedence.
    pub gateways: Arc<[Arc<Gateway>]>,
    /// In order of precedence.
    pub authentication: Arc<[Arc<Authentication>]>,
    /// In order of precedence.
    pub telemetries: Arc<[Arc<Telemetry>]>,
    /// By priority, then in order of precedence. Empty while the kind is off.
    pub envoy_filters: Arc<[Arc<EnvoyFilter>]>,
    pub sidecars: Arc<[Arc<Sidecar>]>,
    /// Sorted.
    pub diagnostics: Arc<[Diagnostic]>,
}

// === impl World ===

impl World {
    pub fn endpoints_of(&self, host: &Hostname, port: u16) -> &[Endpoint] {
        let key = ServicePort {
            host: host.clone(),
            port,
        };
        self.endpoints.get(&key).map_or(&[], |list| list)
    }

    /// The rule that applies to a host: the most specific alone, without inheritance from wider ones.
    pub fn destination_rule(&self, host: &Hostname) -> Option<&Arc<DestinationRule>> {
        self.destination_rules
            .iter()
            .filter(|rule| rule.host.covers(host))
            .max_by_key(|rule| rule.host.specificity())
    }
}
