//! Which virtual service a host of the mesh has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::route::{GatewayRef, VirtualService};
use model::{Hostname, Service};

use super::connection;
use super::http::Source;
use crate::registry::{ByHost, Registry};

/// The virtual services that apply to sidecars. A host has one, never a mix: the one that names it
/// most specifically, and of equals the oldest.
#[derive(Debug, Default)]
pub(crate) struct MeshRoutes {
    by_host: ByHost<VirtualService>,
    /// Hosts that no service has, with the ports on which they are routed.
    bare: BTreeMap<Hostname, Bare>,
    bare_by_port: BTreeMap<u16, Vec<(Hostname, Arc<VirtualService>)>>,
    sources: BTreeSet<Source>,
    connection_sources: BTreeSet<Source>,
}

/// How a host without a service is routed.
#[derive(Debug, PartialEq)]
struct Bare {
    service: Arc<VirtualService>,
    ports: BTreeSet<u16>,
}

/// The port of hosts that no service has, if nothing says another.
const BARE_PORT: u16 = 80;

// === impl MeshRoutes ===

impl MeshRoutes {
    pub(crate) fn new(registry: &Registry) -> MeshRoutes {
        let mut routes = MeshRoutes {
            by_host: in_mesh(registry).flat_map(by_host).collect(),
            ..MeshRoutes::default()
        };
        for service in in_mesh(registry) {
            routes.add_bare(service, registry);
            routes.sources.extend(Source::all(service));
            let sources = connection::sources(service);
            routes.connection_sources.extend(sources);
        }
        for (host, bare) in &routes.bare {
            for port in &bare.ports {
                let on_port = routes.bare_by_port.entry(*port).or_default();
                on_port.push((host.clone(), bare.service.clone()));
            }
        }
        routes
    }

    /// The virtual service of a service, by its name or else by an alias.
    pub(crate) fn of(&self, service: &Service) -> Option<&Arc<VirtualService>> {
        let mut names = std::iter::once(&service.host).chain(&service.aliases);
        names.find_map(|name| self.by_host.get(name))
    }

    /// The hosts without a service that are routed on a port, in order.
    pub(crate) fn bare(&self, port: u16) -> &[(Hostname, Arc<VirtualService>)] {
        self.bare_by_port.get(&port).map_or(&[], |hosts| hosts)
    }

    /// All that conditions ask of callers, beyond nothing.
    pub(crate) fn sources(&self) -> &BTreeSet<Source> {
        &self.sources
    }

    /// The same of tls and tcp routes.
    pub(crate) fn connection_sources(&self) -> &BTreeSet<Source> {
        &self.connection_sources
    }

    /// Whether tls and tcp routes of a port ask anything of callers that holds for this class.
    pub(crate) fn connections_ask(
        &self,
        port: u16,
        class: &BTreeSet<Source>,
        registry: &Registry,
    ) -> bool {
        let services = registry.ports().get(&port).into_iter();
        let mut used = services
            .flat_map(|services| services.not_http())
            .filter_map(|service| self.of(service));
        used.any(|service| !connection::sources(service).is_disjoint(class))
    }

    /// The ports whose connections a virtual service may route before any request.
    pub(crate) fn connection_ports_of(
        &self,
        service: &VirtualService,
        registry: &Registry,
    ) -> BTreeSet<u16> {
        let known = service.hosts.iter().flat_map(|h| registry.known_as(h));
        let ports = known.flat_map(|service| &service.ports);
        let ports = ports.filter(|port| !port.protocol.is_http());
        ports.map(|port| port.number).collect()
    }

    /// The virtual services that are used on a port.
    pub(crate) fn on_port<'a>(
        &'a self,
        port: u16,
        registry: &'a Registry,
    ) -> impl Iterator<Item = &'a Arc<VirtualService>> {
        let services = registry.ports().get(&port).into_iter();
        let with = services.flat_map(|services| &services.http);
        let bare = self.bare(port).iter().map(|(_, service)| service);
        with.filter_map(|service| self.of(service)).chain(bare)
    }

    /// The ports on which a virtual service may be used.
    pub(crate) fn ports_of(&self, service: &VirtualService, registry: &Registry) -> BTreeSet<u16> {
        let mut ports = BTreeSet::new();
        for host in &service.hosts {
            let known = registry.known_as(host).into_iter();
            ports.extend(known.flat_map(|service| http_ports(service)));
            ports.extend(self.bare.get(host).into_iter().flat_map(|bare| &bare.ports));
        }
        ports
    }

    /// The ports on which hosts without a service are routed otherwise.
    pub(crate) fn bare_differences(&self, other: &MeshRoutes) -> BTreeSet<u16> {
        let one_way = |from: &MeshRoutes, to: &MeshRoutes| -> Vec<u16> {
            let entries = from.bare.iter();
            let different = entries.filter(|(host, bare)| to.bare.get(*host) != Some(*bare));
            different.flat_map(|(_, bare)| bare.ports.clone()).collect()
        };
        let ports = one_way(self, other).into_iter();
        ports.chain(one_way(other, self)).collect()
    }

    /// Hosts without a service are routed on the ports of the services that the same virtual
    /// service names, and of wildcard services that stand for them; failing these, on port 80.
    fn add_bare(&mut self, service: &Arc<VirtualService>, registry: &Registry) {
        let mut ports = BTreeSet::new();
        let mut without = Vec::new();
        for host in &service.hosts {
            let covered = covered(host, registry);
            if covered.is_empty() {
                without.push(host);
            }
            ports.extend(covered.into_iter().flat_map(http_ports));
        }
        for host in without {
            let wildcards = registry.wildcards().iter();
            let standing = wildcards.filter(|s| s.host.covers(host));
            let standing = standing.flat_map(|s| http_ports(s));
            let mut ports: BTreeSet<u16> = ports.iter().copied().chain(standing).collect();
            if ports.is_empty() {
                ports.insert(BARE_PORT);
            }
            self.bare.entry(host.clone()).or_insert_with(|| Bare {
                service: service.clone(),
                ports,
            });
        }
    }
}

fn in_mesh(registry: &Registry) -> impl Iterator<Item = &Arc<VirtualService>> {
    let services = registry.world.virtual_services.iter();
    services.filter(|service| service.gateways.contains(&GatewayRef::Mesh))
}

fn by_host(service: &Arc<VirtualService>) -> impl Iterator<Item = (Hostname, Arc<VirtualService>)> {
    let hosts = service.hosts.iter();
    hosts.map(|host| (host.clone(), service.clone()))
}

/// The services that a host of a virtual service stands for.
fn covered<'a>(host: &'a Hostname, registry: &'a Registry) -> Vec<&'a Service> {
    match host.is_wildcard() {
        false => registry.service(host).map(|s| &**s).into_iter().collect(),
        true => {
            let services = registry.services().map(|service| &**service);
            services.filter(|s| host.covers(&s.host)).collect()
        }
    }
}

fn http_ports(service: &Service) -> impl Iterator<Item = u16> {
    let ports = service.ports.iter();
    ports
        .filter(|port| port.protocol.is_http())
        .map(|port| port.number)
}
