//! The World: all that is true at one moment, immutable.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::route::VirtualService;
use crate::{
    Authentication, Authorization, DestinationRule, Diagnostic, Endpoint, EnvoyFilter, Gateway,
    Hostname, Instance, InstanceId, Mesh, RequestAuthentication, Service, ServicePort, Sidecar,
    Standing, Telemetry,
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
    /// By workload, in the words of `index`; what no proxy is told, so it changes without a new
    /// generation.
    pub standings: OrdMap<Arc<str>, Arc<[Standing]>>,
    /// In order of precedence: oldest first, then by name and namespace.
    pub virtual_services: Arc<[Arc<VirtualService>]>,
    /// In order of precedence; of those for one host, namespace and kind of caller at most one.
    pub destination_rules: Arc<[Arc<DestinationRule>]>,
    /// In order of precedence.
    pub gateways: Arc<[Arc<Gateway>]>,
    /// In order of precedence.
    pub authentication: Arc<[Arc<Authentication>]>,
    /// In order of precedence.
    pub authorizations: Arc<[Arc<Authorization>]>,
    /// In order of precedence.
    pub request_authentications: Arc<[Arc<RequestAuthentication>]>,
    /// In order of precedence.
    pub telemetries: Arc<[Arc<Telemetry>]>,
    /// By priority, then in order of precedence. Empty while the kind is off.
    pub envoy_filters: Arc<[Arc<EnvoyFilter>]>,
    /// In order of precedence.
    pub sidecars: Arc<[Arc<Sidecar>]>,
    /// The namespace of the callers by whom it is seen so; `None` is by no one in particular.
    pub caller: Option<Arc<str>>,
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

    /// The rule that applies to a host, for callers of no namespace in particular: that of the
    /// service's namespace before that of the root namespace, and then any; there the most specific
    /// alone, without inheritance from wider ones.
    pub fn destination_rule(&self, host: &Hostname) -> Option<&Arc<DestinationRule>> {
        let home = self.services.get(host).map(|service| &service.namespace);
        let place = |rule: &DestinationRule| {
            let namespace = &rule.object.namespace;
            (
                Some(namespace) == home,
                **namespace == *self.mesh.root_namespace,
            )
        };
        self.destination_rules
            .iter()
            .rev()
            .filter(|rule| rule.workload_selector.is_none() && rule.host.covers(host))
            .max_by_key(|rule| (place(rule), rule.host.specificity()))
    }

    /// Services that appeared, went or changed between this World and another.
    pub fn differing_services(&self, other: &World) -> BTreeSet<Hostname> {
        let differences = self.services.diff(&other.services);
        let hosts = differences.map(|difference| match difference {
            DiffItem::Add(host, _) | DiffItem::Remove(host, _) => host.clone(),
            DiffItem::Update { new: (host, _), .. } => host.clone(),
        });
        hosts.collect()
    }
}
