//! The routes of a sidecar: one configuration for each HTTP port of the mesh.

use std::net::IpAddr;
use std::sync::Arc;

use model::route::{GatewayRef, VirtualService};
use model::{Diagnostic, Hostname, OutboundPolicy, Service};

use super::domains::{Domain, Taken, alternates};
use super::http::{self, Caller, Place};
use super::{dynamic, everything, virtual_host, written};
use crate::built::Built;
use crate::finding::{self, Text, code};
use crate::registry::Registry;
use crate::{Kind, names, pb, wire};

/// All that the routes of a port depend on.
pub(crate) struct SidecarKey<'a> {
    pub(crate) port: u16,
    /// The services that have HTTP on this port, in order of precedence.
    pub(crate) services: &'a [Arc<Service>],
    /// Knows the virtual services of hosts, and resolves the destinations of routes; nothing else
    /// is asked of it.
    pub(crate) registry: &'a Registry,
    /// The domain that the asking proxy completes short names with.
    pub(crate) domain: &'a str,
    pub(crate) caller: Caller<'a>,
}

/// A host that gets a virtual host of its own.
struct Host<'a> {
    name: &'a Hostname,
    /// Of the virtual host.
    title: String,
    service: Option<&'a Service>,
    routes: Option<&'a VirtualService>,
    domains: Vec<Domain<'a>>,
}

pub(crate) fn sidecar(key: &SidecarKey<'_>, buffer: &mut Vec<u8>) -> Built {
    let mut diagnostics = Vec::new();
    let mut taken = Taken::with_capacity(key.services.len() * 5);
    let addresses: Vec<_> = key.services.iter().map(|s| addresses(s)).collect();
    let mut hosts = hosts(key, &addresses, &mut taken, &mut diagnostics);
    hosts.sort_by(|a, b| a.title.cmp(&b.title));
    let every = Domain {
        name: "*",
        dot: false,
    };
    let name = names::sidecar_routes(key.port);
    written::configuration(buffer, &name, |buffer| {
        for host in &hosts {
            written::virtual_host(buffer, &host.title, &host.domains, |buffer| {
                routes(key, host, &mut diagnostics, buffer);
            });
        }
        if !taken.has(every) {
            wire::message_of(buffer, 2, &catch_all(key.registry));
        }
    });
    Built {
        diagnostics,
        ..Built::sound(Kind::Route, name.into(), buffer)
    }
}

/// Full names claim their domains first, then aliases, addresses and the shorter forms. A domain is taken
/// once, and a host that is left without any is left out.
fn hosts<'a>(
    key: &SidecarKey<'a>,
    addresses: &'a [Vec<String>],
    taken: &mut Taken<'a>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Host<'a>> {
    let routes = key.registry.routes();
    let with = key.services.iter().map(|service| {
        let routes = routes.of(service).map(|routes| &**routes);
        Host::new(&service.host, key.port, Some(service), routes)
    });
    let bare = routes.bare(key.port).iter();
    let without = bare.map(|(name, routes)| Host::new(name, key.port, None, Some(routes)));
    let mut hosts: Vec<Host<'a>> = with.chain(without).collect();
    for host in &mut hosts {
        host.claim(taken, Domain::of(host.name));
    }
    for host in &mut hosts {
        host.claim_aliases(taken, diagnostics);
    }
    // Requests that name no host name the address. What several services share tells none of them.
    for (host, addresses) in hosts.iter_mut().zip(addresses) {
        for name in addresses {
            host.claim(taken, Domain { name, dot: false });
        }
    }
    let domain = key.domain.trim_matches('.').to_ascii_lowercase();
    for host in &mut hosts {
        for name in std::iter::once(host.name).chain(host.aliases()) {
            for form in alternates(name, &domain) {
                host.claim(taken, form);
            }
        }
    }
    hosts.retain(|host| !host.domains.is_empty());
    hosts
}

/// As they stand in the header `Host`.
fn addresses(service: &Service) -> Vec<String> {
    let each = service.addresses.iter().filter_map(|block| block.single());
    each.map(|address| match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    })
    .collect()
}

// === impl Host ===

impl<'a> Host<'a> {
    fn new(
        name: &'a Hostname,
        port: u16,
        service: Option<&'a Service>,
        routes: Option<&'a VirtualService>,
    ) -> Host<'a> {
        Host {
            name,
            title: names::virtual_host(name, port),
            service,
            routes,
            domains: Vec::with_capacity(5),
        }
    }

    fn aliases(&self) -> &'a [Hostname] {
        self.service.map_or(&[], |service| &service.aliases)
    }

    /// `false` if another has the domain.
    fn claim(&mut self, taken: &mut Taken<'a>, domain: Domain<'a>) -> bool {
        let free = taken.take(domain);
        if free {
            self.domains.push(domain);
        }
        free
    }

    fn claim_aliases(&mut self, taken: &mut Taken<'a>, diagnostics: &mut Vec<Diagnostic>) {
        let Some(service) = self.service else { return };
        for alias in &service.aliases {
            if !self.claim(taken, Domain::of(alias)) {
                diagnostics.push(duplicate(service, alias));
            }
        }
    }
}

fn duplicate(service: &Service, alias: &Hostname) -> Diagnostic {
    let text = Text {
        why: format!("{alias} is also a name of another service with the same port"),
        effect: "requests for it go to the other service".to_owned(),
        remedy: "give the name to one service only".to_owned(),
    };
    let object = finding::service(service);
    finding::warning(code::DUPLICATE_DOMAIN, object, String::new(), text)
}

fn routes(
    key: &SidecarKey<'_>,
    host: &Host<'_>,
    diagnostics: &mut Vec<Diagnostic>,
    buffer: &mut Vec<u8>,
) {
    let Some(service) = host.routes else {
        // Without a virtual service, everything goes to all endpoints.
        let cluster = names::outbound_cluster(key.port, None, host.name);
        let operation = names::default_operation(&host.title);
        if host.service.is_some_and(crate::dynamic::is) {
            let mesh = &key.registry.world.mesh;
            let route = dynamic::default_route(cluster, operation, key.port, mesh);
            return written::route(buffer, &route);
        }
        let alike = key.registry.default_route(host.name, key.port);
        return written::default_route(buffer, alike, &cluster, &operation);
    };
    let place = Place {
        gateways: &[&GatewayRef::Mesh],
        port: key.port,
        caller: key.caller,
    };
    for built in http::routes(service, place, key.registry, diagnostics) {
        written::route(buffer, &built.route);
    }
}

/// Requests for hosts that the mesh does not know.
fn catch_all(registry: &Registry) -> pb::route::VirtualHost {
    let (name, route) = match registry.world.mesh.outbound {
        OutboundPolicy::AllowAny => {
            let cluster = registry.unknown_destination().to_owned();
            (names::ALLOW_ANY, everything(names::ALLOW_ANY, cluster))
        }
        OutboundPolicy::RegistryOnly => (names::BLOCK_ALL, blocked()),
    };
    virtual_host(name.to_owned(), vec!["*".to_owned()], vec![route])
}

fn blocked() -> pb::route::Route {
    let response = pb::route::DirectResponseAction {
        status: 502,
        ..Default::default()
    };
    pb::route::Route {
        name: names::BLOCK_ALL.to_owned(),
        r#match: Some(super::any_path()),
        action: Some(pb::route::route::Action::DirectResponse(response)),
        ..Default::default()
    }
}
