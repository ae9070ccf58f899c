//! All that is in a set.

use model::{Capture, Endpoint, Reporting, Spot};

use super::set::{Scope, SetKey};
use crate::built::Built;
use crate::collector;
use crate::compile::{Asking, black_hole, router, services, sidecar};
use crate::registry::{Registry, Target};
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
        Scope::EndpointsFrom(spot) => endpoints_from(*spot, registry, buffer),
        Scope::EndpointsNear(spot, from) => targets(registry)
            .filter(|target| services::is_located(registry, *target))
            .map(|target| services::assignment(registry, target, *spot, Some(from), buffer))
            .collect(),
        Scope::Listeners(capture, reporting) => ports(registry)
            .filter_map(|port| {
                sidecar::listener(registry, port, from(*capture, None, reporting.as_deref()))
            })
            .collect(),
        Scope::ListenersFrom(spot, reporting) => {
            listeners_from(*spot, reporting.as_deref(), registry)
        }
        Scope::ListenersOf(capture, spot, class, reporting) => {
            let asking = Asking {
                caller: Caller::Class(class),
                ..from(*capture, *spot, reporting.as_deref())
            };
            ports(registry)
                .filter(|port| registry.routes().connections_ask(*port, class, registry))
                .filter_map(|port| sidecar::listener(registry, port, asking))
                .collect()
        }
        Scope::Routes(domain) => ports(registry)
            .filter_map(|port| sidecar::routes(registry, port, domain, Caller::NOBODY, buffer))
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

/// Whether routes of a port ask anything of callers that holds for this class.
pub(super) fn asks(
    registry: &Registry,
    port: u16,
    class: &std::collections::BTreeSet<Source>,
) -> bool {
    let mut used = registry.routes().on_port(port, registry);
    used.any(|service| Source::all(service).any(|source| class.contains(&source)))
}

/// The places from where an endpoint has another address.
pub(super) fn spots(endpoints: &[Endpoint]) -> impl Iterator<Item = Spot> {
    endpoints.iter().flat_map(|e| e.reach.differing())
}

pub(super) fn from(
    capture: Capture,
    spot: Option<Spot>,
    reporting: Option<&Reporting>,
) -> Asking<'_> {
    Asking {
        capture,
        spot,
        reporting,
        caller: Caller::NOBODY,
    }
}

fn targets(registry: &Registry) -> impl Iterator<Item = Target<'_>> {
    let services = registry.services();
    services.flat_map(|service| registry.targets(service))
}

fn ports(registry: &Registry) -> impl Iterator<Item = u16> {
    registry.ports().keys().copied()
}

fn endpoints_from(spot: Spot, registry: &Registry, buffer: &mut Vec<u8>) -> Vec<Built> {
    let services = registry.services_otherwise_from(spot).iter();
    services
        .flat_map(|service| registry.targets(service))
        .map(|target| services::assignment(registry, target, Some(spot), None, buffer))
        .collect()
}

fn listeners_from(spot: Spot, reporting: Option<&Reporting>, registry: &Registry) -> Vec<Built> {
    let ports = registry.ports().iter();
    let differing = ports.filter(|(port, services)| services.differs_from(spot, **port, registry));
    let asking = from(Capture::Redirect, Some(spot), reporting);
    differing
        .filter_map(|(port, _)| sidecar::listener(registry, *port, asking))
        .collect()
}
