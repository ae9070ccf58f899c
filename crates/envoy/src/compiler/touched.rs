//! What a change can make different, of what is shared.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use model::route::{GatewayRef, VirtualService};
use model::{
    AuthPolicy, Authentication, Bridge, ChangeSet, Endpoint, Gateway, Hostname, Service,
    ServicePort,
};

use crate::dynamic;
use crate::registry::{Registry, kind, served};

/// Rather too much than too little: what comes out equal is not told.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Services whose clusters can be others, and with them their endpoints.
    pub(super) hosts: BTreeSet<Hostname>,
    /// Whose endpoints alone can be others.
    pub(super) endpoints: BTreeSet<ServicePort>,
    /// Ports whose outbound listeners can be others.
    pub(super) listeners: BTreeSet<u16>,
    /// Ports whose routes of sidecars can be others.
    pub(super) routes: BTreeSet<u16>,
    /// As they were and as they are.
    pub(super) gateways: Vec<Arc<Gateway>>,
    /// As they were and as they are.
    pub(super) authentication: Vec<Arc<Authentication>>,
    /// As they were and as they are; also those with a destination that can be another.
    pub(super) virtual_services: Vec<Arc<VirtualService>>,
}

// === impl Touched ===

impl Touched {
    pub(super) fn new(old: &Registry, new: &Registry, changes: &ChangeSet) -> Touched {
        let mut touched = Touched {
            hosts: changes.services.clone(),
            ..Touched::default()
        };
        for registry in [old, new] {
            touched.add_services(registry, changes);
            touched.add_config(registry, changes);
        }
        let ruled = |kind: &str| changes.config.iter().any(|object| object.kind == kind);
        if ruled(kind::DESTINATION_RULE) {
            touched.add_rules(old, new, changes);
        }
        if !touched.virtual_services.is_empty()
            || ruled(kind::VIRTUAL_SERVICE)
            || !changes.services.is_empty()
        {
            touched.add_routes(old, new);
        }
        for key in &changes.endpoints {
            touched.add_endpoints(old, new, key);
        }
        if new.world.mesh.auto_mtls {
            for registry in [old, new] {
                touched.add_takers(registry, changes);
            }
        }
        if old.has_dynamic() || new.has_dynamic() {
            // Whether requests are routed to names that are resolved is known to listeners.
            touched.listeners.extend(&touched.routes);
        }
        touched
    }

    /// The places of virtual services of which listeners know: those that route connections, and
    /// those that route requests to names that are resolved.
    pub(super) fn bound(&self, old: &Registry, new: &Registry) -> BTreeSet<GatewayRef> {
        let services = self.virtual_services.iter();
        let routing = services.filter(|service| {
            !(service.tls.is_empty() && service.tcp.is_empty())
                || dynamic::leads_there(service, old)
                || dynamic::leads_there(service, new)
        });
        routing.flat_map(|s| s.gateways.iter().cloned()).collect()
    }

    /// The ports of the services, and the routes that lead to them.
    fn add_services(&mut self, registry: &Registry, changes: &ChangeSet) {
        let services = changes.services.iter();
        let services = services.filter_map(|host| registry.world.services.get(host));
        let mut names: BTreeSet<&Hostname> = changes.services.iter().collect();
        for service in services {
            names.extend(&service.aliases);
            for port in served(service) {
                self.listeners.insert(port.number);
                if port.protocol.is_http() {
                    self.routes.insert(port.number);
                }
            }
        }
        if !names.is_empty() {
            let all = registry.world.virtual_services.iter();
            let leading = all.filter(|service| leads_to(service, &names));
            self.virtual_services.extend(leading.cloned());
        }
    }

    fn add_config(&mut self, registry: &Registry, changes: &ChangeSet) {
        if changes.config.is_empty() {
            return;
        }
        let world = &registry.world;
        let gateways = world.gateways.iter();
        let gateways = gateways.filter(|gateway| changes.config.contains(&gateway.object));
        self.gateways.extend(gateways.cloned());
        let policies = world.authentication.iter();
        let policies = policies.filter(|policy| changes.config.contains(&policy.object));
        self.authentication.extend(policies.cloned());
        let services = world.virtual_services.iter();
        let services = services.filter(|service| changes.config.contains(&service.object));
        self.virtual_services.extend(services.cloned());
    }

    /// Services that get other subsets or policies. Who has a policy is told where Envoy would
    /// refuse it.
    fn add_rules(&mut self, old: &Registry, new: &Registry, changes: &ChangeSet) {
        // Where clients are told to use TLS by the mesh config, a rule that says nothing ends that.
        let bare = new.world.mesh.auth_policy == AuthPolicy::MutualTls;
        let says = |registry: &Registry, host: &Hostname| {
            let rule = registry.rule(host)?;
            let named = (!rule.is_plain()).then(|| rule.object.clone());
            Some((rule.subsets.clone(), rule.policies.clone(), named)).filter(
                |(subsets, policies, _)| bare || !subsets.is_empty() || !policies.is_empty(),
            )
        };
        for registry in [old, new] {
            let rules = registry.world.destination_rules.iter();
            for rule in rules.filter(|rule| changes.config.contains(&rule.object)) {
                let hosts = ruled(new, &rule.host).into_iter().map(|s| &s.host);
                let differing = hosts.filter(|host| says(old, host) != says(new, host));
                self.hosts.extend(differing.cloned());
            }
        }
        let hashes = |registry: &Registry, host| registry.rule(host).is_some_and(|r| r.hashes());
        let hosts = self.hosts.iter();
        let hashed: BTreeSet<Hostname> = hosts
            .filter(|host| hashes(old, host) || hashes(new, host))
            .cloned()
            .collect();
        for registry in [old, new] {
            self.add_terms(registry);
            self.add_retries(registry, &hashed);
        }
    }

    /// Requests that stick to an endpoint are tried there again, which routes tell.
    fn add_retries(&mut self, registry: &Registry, hashed: &BTreeSet<Hostname>) {
        if hashed.is_empty() {
            return;
        }
        let mut names: BTreeSet<&Hostname> = hashed.iter().collect();
        let services = hashed.iter();
        for service in services.filter_map(|host| registry.world.services.get(host)) {
            names.extend(&service.aliases);
            let ports = served(service).filter(|port| port.protocol.is_http());
            self.routes.extend(ports.map(|port| port.number));
        }
        let all = registry.world.virtual_services.iter();
        let leading = all.filter(|service| leads_to(service, &names));
        self.virtual_services.extend(leading.cloned());
    }

    /// Listeners of connections keep to the policies of where these go.
    fn add_terms(&mut self, registry: &Registry) {
        let mut names: BTreeSet<&Hostname> = self.hosts.iter().collect();
        let services = self.hosts.iter();
        for service in services.filter_map(|host| registry.world.services.get(host)) {
            names.extend(&service.aliases);
            let ports = served(service).filter(|port| !port.protocol.is_http());
            self.listeners.extend(ports.map(|port| port.number));
        }
        let all = registry.world.virtual_services.iter();
        let leading = all.filter(|service| connects_to(service, &names));
        self.virtual_services.extend(leading.cloned());
    }

    /// The ports of the virtual services, and of hosts that only these know.
    fn add_routes(&mut self, old: &Registry, new: &Registry) {
        for service in &self.virtual_services {
            if service.gateways.contains(&GatewayRef::Mesh) {
                self.routes.extend(old.routes().ports_of(service, old));
                self.routes.extend(new.routes().ports_of(service, new));
                for registry in [old, new] {
                    let ports = registry.routes().connection_ports_of(service, registry);
                    self.listeners.extend(ports);
                }
            }
        }
        let bare = old.routes().bare_differences(new.routes());
        self.routes.extend(bare);
    }

    /// Endpoints tell whether they take mutual TLS, which their instances and policies decide.
    fn add_takers(&mut self, registry: &Registry, changes: &ChangeSet) {
        if self.authentication.is_empty() && changes.instances.is_empty() {
            return;
        }
        let world = &registry.world;
        let other = |endpoint: &Endpoint| {
            let instance = world.instances.get(&endpoint.instance);
            let mut policies = self.authentication.iter();
            changes.instances.contains(&endpoint.instance)
                || instance.is_some_and(|i| policies.any(|policy| policy.may_concern(i)))
        };
        let endpoints = world.endpoints.iter();
        let others = endpoints.filter(|(_, list)| list.iter().any(other));
        let others: Vec<ServicePort> = others.map(|(key, _)| key.clone()).collect();
        let known = others.into_iter();
        let rest = known.filter(|key| !self.hosts.contains(&key.host));
        self.endpoints.extend(rest.collect::<Vec<_>>());
    }

    fn add_endpoints(&mut self, old: &Registry, new: &Registry, key: &ServicePort) {
        let services = new.ports().get(&key.port);
        let by_address = services.is_some_and(|services| services.is_by_address());
        if by_address {
            let before = addresses(old.endpoints(&key.host, key.port));
            if before != addresses(new.endpoints(&key.host, key.port)) {
                self.listeners.insert(key.port);
            }
        }
        if !self.hosts.contains(&key.host) {
            self.endpoints.insert(key.clone());
        }
    }
}

/// The services to which a rule for this host can apply.
fn ruled<'a>(registry: &'a Registry, host: &'a Hostname) -> Vec<&'a Arc<Service>> {
    match host.is_wildcard() {
        false => registry.world.services.get(host).into_iter().collect(),
        true => registry
            .services()
            .filter(|s| host.covers(&s.host))
            .collect(),
    }
}

fn leads_to(service: &VirtualService, names: &BTreeSet<&Hostname>) -> bool {
    let mut destinations = service.destinations();
    connects_to(service, names) || destinations.any(|to| names.contains(&to.host))
}

fn connects_to(service: &VirtualService, names: &BTreeSet<&Hostname>) -> bool {
    let connections = service.tls.iter().chain(&service.tcp);
    let mut connections = connections.flat_map(|route| &route.to);
    connections.any(|to| names.contains(&to.destination.host))
}

type Addresses = BTreeSet<([Option<IpAddr>; 2], Option<(Bridge, IpAddr)>)>;

/// All that listeners take from endpoints: not their ports, nor their health.
fn addresses(endpoints: &[Endpoint]) -> Addresses {
    let reached = endpoints.iter().map(|endpoint| {
        let reach = &endpoint.reach;
        let own = reach.same_bridge.map(|(bridge, own)| (bridge, own.ip()));
        let both = [reach.anywhere, reach.also];
        (both.map(|address| Some(address?.ip())), own)
    });
    reached.collect()
}
