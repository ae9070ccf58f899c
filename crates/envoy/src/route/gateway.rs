//! The routes of a gateway: one configuration for each plaintext port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::route::{GatewayRef, VirtualService};
use model::{Diagnostic, Gateway, Hostname, Labels, Server};

use super::domains::Domain;
use super::http::{self, Caller, Place};
use super::written;
use crate::built::Built;
use crate::registry::Registry;
use crate::{Kind, names, pb, wire};

/// All that the routes of a gateway's port depend on.
pub(crate) struct GatewayPort<'a> {
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
    ordered: Vec<pb::route::Route>,
    /// The first route that takes every request. It comes last, whoever's it is, for otherwise one
    /// virtual service could hide the others.
    takes_all: Option<pb::route::Route>,
}

pub(crate) fn gateway(key: &GatewayPort<'_>, buffer: &mut Vec<u8>) -> Built {
    let mut diagnostics = Vec::new();
    let hosts = hosts(key, &mut diagnostics);
    let name = names::gateway_routes(key.port);
    written::configuration(buffer, &name, |buffer| {
        for (host, routes) in &hosts {
            let name = names::virtual_host(host, key.port);
            written::virtual_host(buffer, &name, [&Domain::of(host)], |buffer| {
                let routes = routes.ordered.iter().chain(&routes.takes_all);
                routes.for_each(|route| written::route(buffer, route));
            });
        }
        if hosts.is_empty() {
            wire::message_of(buffer, 2, &black_hole(key.port));
        }
    });
    Built {
        diagnostics,
        ..Built::sound(Kind::Route, name.into(), buffer)
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
    hosts
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
        if !service.gateways.contains(&reference) {
            continue;
        }
        let open = server.hosts.iter().filter(|open| {
            let namespace = open.namespace.as_ref();
            namespace.is_none_or(|namespace| *namespace == service.object.namespace)
        });
        for open in open {
            let meeting = service.hosts.iter().filter_map(|h| h.intersect(&open.host));
            for host in meeting {
                bindings.entry(host).or_default().insert(reference.clone());
            }
        }
    }
    bindings
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
