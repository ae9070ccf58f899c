//! The routes of a gateway: one configuration for each plaintext port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::route::{GatewayRef, VirtualService};
use model::{Diagnostic, Gateway, Hostname, Labels, Security, Server};

use super::domains::Domain;
use super::http::{self, Caller, Place};
use super::written;
use crate::built::Built;
use crate::registry::Registry;
use crate::{Kind, names, pb, wire};

/// All that the routes of a gateway's port depend on.
pub(crate) struct GatewayPort<'a> {
    pub(crate) name: String,
    /// The port of the servers, which can differ from the one that is bound.
    pub(crate) port: u16,
    /// The servers of this port, in order of precedence of their gateways.
    pub(crate) servers: &'a [(&'a Gateway, &'a Server)],
    /// In order of precedence.
    pub(crate) virtual_services: &'a [Arc<VirtualService>],
    /// Resolves the destinations of routes; nothing else is asked of it.
    pub(crate) registry: &'a Registry,
    pub(crate) labels: &'a Labels,
    pub(crate) namespace: &'a str,
}

/// The routes of a host, from all virtual services that have it.
#[derive(Default)]
struct Routes {
    /// Whether a server sends all requests for the host to where there is TLS.
    redirected: bool,
    ordered: Vec<pb::route::Route>,
    /// The first route that takes every request. It comes last, whoever's it is, for otherwise one
    /// virtual service could hide the others.
    takes_all: Option<pb::route::Route>,
}

pub(crate) fn gateway(key: &GatewayPort<'_>, buffer: &mut Vec<u8>) -> Built {
    let mut diagnostics = Vec::new();
    let hosts = hosts(key, &mut diagnostics);
    written::configuration(buffer, &key.name, |buffer| {
        for (host, routes) in &hosts {
            let name = names::virtual_host(host, key.port);
            let routes_redirected = routes.redirected;
            written::virtual_host(buffer, &name, [&Domain::of(host)], |buffer| {
                let routes = routes.ordered.iter().chain(&routes.takes_all);
                routes.for_each(|route| written::route(buffer, route));
                if routes_redirected {
                    written::require_tls(buffer);
                }
            });
        }
        if hosts.is_empty() {
            wire::message_of(buffer, 2, &black_hole(key.port));
        }
    });
    Built {
        diagnostics,
        ..Built::sound(Kind::Route, key.name.as_str().into(), buffer)
    }
}

/// The routes of each host. That no domain is there twice is in the nature of a map.
fn hosts(key: &GatewayPort<'_>, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<Hostname, Routes> {
    let mut hosts: BTreeMap<Hostname, Routes> = BTreeMap::new();
    for service in key.virtual_services {
        for (host, gateways) in bindings(key, service) {
            let gateways: Vec<&GatewayRef> = gateways.iter().collect();
            let place = Place {
                gateways: &gateways,
                port: key.port,
                caller: Caller::Workload {
                    labels: key.labels,
                    namespace: key.namespace,
                },
            };
            let routes = http::routes(service, place, key.registry, diagnostics);
            hosts.entry(host).or_default().extend(routes);
        }
    }
    // Where nothing is routed yet, requests are redirected all the same.
    for host in redirected(key) {
        hosts.entry(host).or_default();
    }
    for (host, routes) in &mut hosts {
        routes.redirected = redirects(key, host);
    }
    hosts
}

/// The hosts of servers that redirect.
fn redirected(key: &GatewayPort<'_>) -> BTreeSet<Hostname> {
    let servers = key.servers.iter().map(|(_, server)| server);
    let redirecting = servers.filter(|server| server.security == Security::Redirect);
    let hosts = redirecting.flat_map(|server| &server.hosts);
    hosts.map(|open| open.host.clone()).collect()
}

/// Whether the server that names a host most specifically redirects; of equals, any.
fn redirects(key: &GatewayPort<'_>, host: &Hostname) -> bool {
    let open = key.servers.iter().flat_map(|(_, server)| {
        let covering = server.hosts.iter().filter(|open| open.host.covers(host));
        covering.map(move |open| {
            (
                open.host.specificity(),
                server.security == Security::Redirect,
            )
        })
    });
    open.max().is_some_and(|(_, redirects)| redirects)
}

/// The hosts under which a virtual service is reached here, each with the gateways that let it:
/// where names of both sides meet, the narrower counts.
fn bindings(
    key: &GatewayPort<'_>,
    service: &VirtualService,
) -> BTreeMap<Hostname, BTreeSet<GatewayRef>> {
    let mut bindings: BTreeMap<Hostname, BTreeSet<GatewayRef>> = BTreeMap::new();
    for (gateway, server) in key.servers {
        let reference = GatewayRef::Gateway {
            namespace: gateway.object.namespace.clone(),
            name: gateway.object.name.clone(),
        };
        for host in meeting(gateway, server, service) {
            bindings.entry(host).or_default().insert(reference.clone());
        }
    }
    bindings
}

/// The hosts that a server and a virtual service have in common; none if the virtual service is not
/// bound to the gateway, or the server not open for its namespace.
pub(crate) fn meeting(
    gateway: &Gateway,
    server: &Server,
    service: &VirtualService,
) -> BTreeSet<Hostname> {
    let bound = service.gateways.iter().any(|reference| match reference {
        GatewayRef::Mesh => false,
        GatewayRef::Gateway { namespace, name } => {
            *namespace == gateway.object.namespace && *name == gateway.object.name
        }
    });
    let open = server.hosts.iter().filter(|open| {
        let namespace = open.namespace.as_ref();
        bound && namespace.is_none_or(|namespace| *namespace == service.object.namespace)
    });
    let meeting = open.flat_map(|open| {
        let hosts = service.hosts.iter();
        hosts.filter_map(|host| host.intersect(&open.host))
    });
    meeting.collect()
}

/// Answers 404 to everything while no virtual service is bound.
fn black_hole(port: u16) -> pb::route::VirtualHost {
    pb::route::VirtualHost {
        name: names::black_hole_virtual_host(port),
        domains: vec!["*".to_owned()],
        ..Default::default()
    }
}

// === impl Routes ===

impl Routes {
    fn extend(&mut self, routes: Vec<http::Built>) {
        for built in routes {
            match built.takes_all {
                true => {
                    self.takes_all.get_or_insert(built.route);
                }
                false => self.ordered.push(built.route),
            }
        }
    }
}
