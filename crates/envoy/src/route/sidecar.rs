//! The routes of a sidecar: one configuration for each HTTP port of the mesh.

use model::route::{GatewayRef, VirtualService};
use model::{Diagnostic, Hostname, Labels, OutboundPolicy, Service};

use super::domains::{Taken, alternates};
use super::http::{self, Place};
use super::{MeshRoutes, configuration, decorator, everything, retry, virtual_host};
use crate::finding::{self, Text, code};
use crate::registry::Registry;
use crate::{cluster, names, pb};

/// All that the routes of a port depend on.
pub(crate) struct SidecarKey<'a, 'w> {
    pub(crate) port: u16,
    /// The services that have HTTP on this port, in order of precedence.
    pub(crate) services: &'a [&'w Service],
    pub(crate) virtual_services: &'a MeshRoutes<'w>,
    /// Resolves the destinations of routes; nothing else is asked of it.
    pub(crate) registry: &'a Registry<'w>,
    pub(crate) policy: OutboundPolicy,
    /// The domain that the asking proxy completes short names with.
    pub(crate) domain: &'a str,
    /// The labels of the asking proxy; they matter only where a route asks for them.
    pub(crate) labels: &'a Labels,
    pub(crate) namespace: &'a str,
}

/// A host that gets a virtual host of its own.
struct Host<'w> {
    name: &'w Hostname,
    service: Option<&'w Service>,
    routes: Option<&'w VirtualService>,
    domains: Vec<String>,
}

pub(crate) fn sidecar(
    key: &SidecarKey<'_, '_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> pb::route::RouteConfiguration {
    let mut taken = Taken::default();
    let hosts = hosts(key, &mut taken, diagnostics);
    let mut virtual_hosts: Vec<_> = hosts
        .into_iter()
        .map(|host| {
            let routes = routes(key, &host, diagnostics);
            virtual_host(
                names::virtual_host(host.name, key.port),
                host.domains,
                routes,
            )
        })
        .collect();
    virtual_hosts.sort_by(|a, b| a.name.cmp(&b.name));
    if !taken.has("*") {
        virtual_hosts.push(catch_all(key.policy));
    }
    configuration(names::sidecar_routes(key.port), virtual_hosts)
}

/// Full names claim their domains first, then aliases, then the shorter forms.
fn hosts<'w>(
    key: &SidecarKey<'_, 'w>,
    taken: &mut Taken,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Host<'w>> {
    let with = key.services.iter().map(|service| Host {
        name: &service.host,
        service: Some(service),
        routes: key.virtual_services.of(service),
        domains: Vec::new(),
    });
    let without = key
        .virtual_services
        .bare(key.port)
        .map(|(name, routes)| Host {
            name,
            service: None,
            routes: Some(routes),
            domains: Vec::new(),
        });
    let mut hosts: Vec<Host<'w>> = with.chain(without).collect();
    for host in &mut hosts {
        host.domains = taken.take_free(vec![host.name.to_string()]);
    }
    for host in &mut hosts {
        claim_aliases(host, taken, diagnostics);
    }
    for host in &mut hosts {
        let names = host.service.map_or(&[][..], |s| s.aliases.as_slice());
        for name in std::iter::once(host.name).chain(names) {
            host.domains
                .extend(taken.take_free(alternates(name, key.domain)));
        }
    }
    hosts.retain(|host| !host.domains.is_empty());
    hosts
}

fn claim_aliases(host: &mut Host<'_>, taken: &mut Taken, diagnostics: &mut Vec<Diagnostic>) {
    let Some(service) = host.service else { return };
    for alias in &service.aliases {
        match taken.take(alias.as_str()) {
            true => host.domains.push(alias.to_string()),
            false => diagnostics.push(duplicate(service, alias)),
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
    key: &SidecarKey<'_, '_>,
    host: &Host<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<pb::route::Route> {
    let Some(service) = host.routes else {
        return vec![default_route(host.name, key.port)];
    };
    let place = Place {
        gateways: &[&GatewayRef::Mesh],
        port: key.port,
        labels: key.labels,
        namespace: key.namespace,
    };
    let built = http::routes(service, place, key.registry, diagnostics);
    built.into_iter().map(|built| built.route).collect()
}

/// What a service has that no virtual service describes: everything to all of its endpoints.
fn default_route(host: &Hostname, port: u16) -> pb::route::Route {
    let cluster = names::outbound_cluster(port, None, host);
    let mut route = everything(names::DEFAULT_ROUTE, cluster);
    route.decorator = Some(decorator(names::operation(host, port, "/*")));
    if let Some(pb::route::route::Action::Route(action)) = &mut route.action {
        action.retry_policy = Some(retry::default());
    }
    route
}

/// Requests for hosts that the mesh does not know.
fn catch_all(policy: OutboundPolicy) -> pb::route::VirtualHost {
    let (name, route) = match policy {
        OutboundPolicy::AllowAny => {
            let cluster = cluster::unknown_destination(policy).to_owned();
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
