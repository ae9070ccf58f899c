//! Which virtual service a host of the mesh has.

use std::collections::{BTreeMap, BTreeSet};

use model::route::{GatewayRef, VirtualService};
use model::{Hostname, Service};

use crate::registry::{ByHost, Registry};

/// The virtual services that apply to sidecars. A host has one, never a mix: the one that names it
/// most specifically, and of equals the oldest.
pub(crate) struct MeshRoutes<'w> {
    by_host: ByHost<'w, VirtualService>,
    /// Hosts that no service has, with the ports on which they are routed.
    bare: BTreeMap<&'w Hostname, (&'w VirtualService, BTreeSet<u16>)>,
}

/// The port of hosts that no service has, if nothing says another.
const BARE_PORT: u16 = 80;

// === impl MeshRoutes ===

impl<'w> MeshRoutes<'w> {
    pub(crate) fn new(
        services: impl Iterator<Item = &'w VirtualService> + Clone,
        registry: &Registry<'w>,
    ) -> MeshRoutes<'w> {
        let mesh = services.filter(|service| service.gateways.contains(&GatewayRef::Mesh));
        let hosts = mesh
            .clone()
            .flat_map(|service| service.hosts.iter().map(move |host| (host, service)));
        let mut bare = BTreeMap::new();
        for service in mesh {
            add_bare(service, registry, &mut bare);
        }
        MeshRoutes {
            by_host: hosts.collect(),
            bare,
        }
    }

    /// The virtual service of a service, by its name or else by an alias.
    pub(super) fn of(&self, service: &Service) -> Option<&'w VirtualService> {
        let mut names = std::iter::once(&service.host).chain(&service.aliases);
        names.find_map(|name| self.by_host.get(name))
    }

    /// The hosts without a service that are routed on a port.
    pub(super) fn bare(
        &self,
        port: u16,
    ) -> impl Iterator<Item = (&'w Hostname, &'w VirtualService)> {
        self.bare
            .iter()
            .filter(move |(_, (_, ports))| ports.contains(&port))
            .map(|(host, (service, _))| (*host, *service))
    }
}

type Bare<'w> = BTreeMap<&'w Hostname, (&'w VirtualService, BTreeSet<u16>)>;

/// Hosts without a service are routed on the ports of the services that the same virtual service
/// names, and of wildcard services that stand for them; failing these, on port 80.
fn add_bare<'w>(service: &'w VirtualService, registry: &Registry<'w>, bare: &mut Bare<'w>) {
    let mut ports = BTreeSet::new();
    let mut without = Vec::new();
    for host in &service.hosts {
        let mut covered = covered(host, registry).peekable();
        if covered.peek().is_none() {
            without.push(host);
        }
        ports.extend(covered.flat_map(http_ports));
    }
    for host in without {
        let wildcards = registry.services().filter(|s| s.host.is_wildcard());
        let standing = wildcards
            .filter(|s| s.host.covers(host))
            .flat_map(http_ports);
        let mut ports: BTreeSet<u16> = ports.iter().copied().chain(standing).collect();
        if ports.is_empty() {
            ports.insert(BARE_PORT);
        }
        bare.entry(host).or_insert((service, ports));
    }
}

/// The services that a host of a virtual service stands for.
fn covered<'a, 'w: 'a>(
    host: &'a Hostname,
    registry: &Registry<'w>,
) -> Box<dyn Iterator<Item = &'w Service> + 'a> {
    match host.is_wildcard() {
        false => Box::new(registry.service(host).into_iter()),
        true => Box::new(registry.services().filter(|s| host.covers(&s.host))),
    }
}

fn http_ports(service: &Service) -> impl Iterator<Item = u16> {
    let ports = service.ports.iter();
    ports
        .filter(|port| port.protocol.is_http())
        .map(|port| port.number)
}
