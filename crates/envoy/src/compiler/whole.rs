//! All that is in a set.

use std::net::IpAddr;

use model::{Capture, Endpoint, Reporting};

use super::set::{Scope, SetKey};
use crate::built::Built;
use crate::collector;
use crate::compile::{Asking, black_hole, router, services, sidecar};
use crate::registry::{Registry, Target, served};
use crate::route::{Caller, Source};
use crate::tls::Secret;

/// Builds a whole set. Of a set that holds only differences, at least these.
pub(super) fn whole(key: &SetKey, registry: &Registry, buffer: &mut Vec<u8>) -> Vec<Built> {
    match &key.0 {
        Scope::Clusters => {
            let clusters = targets(registry).map(|t| services::cluster(registry, t, buffer));
            std::iter::once(black_hole(registry))
                .chain(collector::clusters(registry))
                .chain(clusters)
                .collect()
        }
        Scope::SidecarClusters => sidecar::clusters(registry).into(),
        Scope::Secrets => registry.secrets().map(Secret::build).collect(),
        Scope::Endpoints => targets(registry)
            .map(|target| services::assignment(registry, target, None, None, buffer))
            .collect(),
        Scope::EndpointsFrom(agent) => endpoints_from(*agent, registry, buffer),
        Scope::EndpointsNear(agent, from) => targets(registry)
            .filter(|target| services::is_located(registry, *target))
            .map(|target| services::assignment(registry, target, *agent, Some(from), buffer))
            .collect(),
        Scope::Listeners(capture, reporting) => ports(registry)
            .filter_map(|port| {
                sidecar::listener(registry, port, from(*capture, None, reporting.as_deref()))
            })
            .collect(),
        Scope::ListenersFrom(agent, reporting) => {
            listeners_from(*agent, reporting.as_deref(), registry)
        }
        Scope::ListenersOf(capture, agent, class, reporting) => {
            let asking = Asking {
                caller: Caller::Class(class),
                ..from(*capture, *agent, reporting.as_deref())
            };
            ports(registry)
                .filter(|port| registry.routes().connections_ask(*port, class, registry))
                .filter_map(|port| sidecar::listener(registry, port, asking))
                .collect()
        }
        Scope::Routes(domain) => ports(registry)
            .filter_map(|port| sidecar::routes(registry, port, domain, NOBODY, buffer))
            .collect(),
        Scope::RoutesOf(domain, class) => ports(registry)
            .filter(|port| asks(registry, *port, class))
            .filter_map(|port| {
                sidecar::routes(registry, port, domain, Caller::Class(class), buffer)
            })
            .collect(),
        Scope::GatewayRoutes(labels, namespace) => {
            router::routes(registry, labels, namespace, |_| true, buffer)
        }
        Scope::Patched(inner, _) => whole(&SetKey((**inner).clone()), registry, buffer),
    }
}

/// A caller of whom nothing holds that conditions ask.
pub(super) const NOBODY: Caller<'static> = Caller::Class(&NOTHING);
static NOTHING: std::collections::BTreeSet<Source> = std::collections::BTreeSet::new();

/// Whether routes of a port ask anything of callers that holds for this class.
pub(super) fn asks(
    registry: &Registry,
    port: u16,
    class: &std::collections::BTreeSet<Source>,
) -> bool {
    let mut used = registry.routes().on_port(port, registry);
    used.any(|service| Source::all(service).any(|source| class.contains(&source)))
}

/// The machines on which an endpoint has an address of its own.
pub(super) fn agents(endpoints: &[Endpoint]) -> impl Iterator<Item = IpAddr> {
    let own = endpoints.iter().filter_map(|e| e.reach.same_agent);
    own.map(|(agent, _)| agent)
}

pub(super) fn from(
    capture: Capture,
    agent: Option<IpAddr>,
    reporting: Option<&Reporting>,
) -> Asking<'_> {
    Asking {
        capture,
        agent,
        reporting,
        caller: NOBODY,
    }
}

fn targets(registry: &Registry) -> impl Iterator<Item = Target<'_>> {
    let services = registry.services();
    services.flat_map(|service| registry.targets(service))
}

fn ports(registry: &Registry) -> impl Iterator<Item = u16> {
    registry.ports().keys().copied()
}

fn endpoints_from(agent: IpAddr, registry: &Registry, buffer: &mut Vec<u8>) -> Vec<Built> {
    let mut all = Vec::new();
    for service in registry.services() {
        let here = |port: u16| agents(registry.endpoints(&service.host, port)).any(|a| a == agent);
        if !served(service).any(|port| here(port.number)) {
            continue;
        }
        for target in registry.targets(service) {
            all.push(services::assignment(
                registry,
                target,
                Some(agent),
                None,
                buffer,
            ));
        }
    }
    all
}

fn listeners_from(agent: IpAddr, reporting: Option<&Reporting>, registry: &Registry) -> Vec<Built> {
    let ports = registry.ports().iter();
    let differing = ports.filter(|(port, services)| services.differs_on(agent, **port, registry));
    let asking = from(Capture::Redirect, Some(agent), reporting);
    differing
        .filter_map(|(port, _)| sidecar::listener(registry, *port, asking))
        .collect()
}
