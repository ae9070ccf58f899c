//! The routes of connections: which conditions can hold at a place, and where connections go then.

use std::collections::BTreeSet;

use model::Service;
use model::route::{ConnectionMatch, ConnectionRoute, GatewayRef, VirtualService};
use model::traffic_policy::Terms;

use super::http::{Caller, Source};
use crate::dynamic::Resolving;
use crate::filter::Forward;
use crate::names;
use crate::registry::Registry;

/// Sidecars are the one place of this list.
pub(crate) static MESH: [GatewayRef; 1] = [GatewayRef::Mesh];

/// Where connections arrive, as far as conditions can be decided before any comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) gateways: &'a [GatewayRef],
    /// The port of the listener.
    pub(crate) port: u16,
    pub(crate) caller: Caller<'a>,
}

// === impl Place ===

impl Place<'_> {
    /// Whether a condition can hold here at all.
    pub(crate) fn admits(&self, condition: &ConnectionMatch) -> bool {
        if condition.port.is_some_and(|port| port != self.port) {
            return false;
        }
        let mut named = condition.gateways.iter();
        let named = named.any(|gateway| self.gateways.contains(gateway));
        if !condition.gateways.is_empty() && !named {
            return false;
        }
        // Callers from outside have no labels: where a gateway is named, they are not asked for.
        let outside = named && !self.gateways.contains(&GatewayRef::Mesh);
        outside || self.caller.is(&Source::of_connection(condition))
    }
}

/// The cluster of a service that no route describes.
pub(crate) fn own(service: &Service, registry: &Registry, port: u16) -> Forward {
    let policy = registry.policy(&service.host, port, None);
    let to = Forward::to(names::outbound_cluster(port, None, &service.host));
    to.on(Terms::of(&policy))
        .resolving(Resolving::of(registry, &service.host, port))
}

/// The clusters of a route. A connection is accepted before one of them is drawn, so the policy of
/// the first that has a weight holds for all.
pub(crate) fn forward(
    service: &VirtualService,
    route: &ConnectionRoute,
    registry: &Registry,
    port: u16,
) -> Forward {
    let clusters = route.to.iter().map(|to| {
        let (host, number) = registry.resolve(&to.destination, port);
        let subset = to.destination.subset.as_deref();
        (names::outbound_cluster(number, subset, host), to.weight)
    });
    let title = format!("{}.{}", service.object.name, service.object.namespace);
    let Some(forward) = Forward::weighted(title, clusters.collect()) else {
        // Where no destination has a weight, connections are closed.
        return Forward::to(names::BLACK_HOLE.to_owned());
    };
    let mut weighing = route.to.iter().filter(|to| to.weight > 0);
    let policy = weighing.next().map(|to| {
        let (host, number) = registry.resolve(&to.destination, port);
        registry.policy(host, number, to.destination.subset.as_deref())
    });
    let mut weighing = route.to.iter().filter(|to| to.weight > 0);
    let resolving = weighing.find_map(|to| {
        let (host, number) = registry.resolve(&to.destination, port);
        Resolving::of(registry, host, number)
    });
    let forward = forward.on(Terms::of(&policy.unwrap_or_default()));
    forward.resolving(resolving)
}

/// What the tls and tcp routes of a virtual service ask of callers in the mesh.
pub(crate) fn sources(service: &VirtualService) -> BTreeSet<Source> {
    let routes = service.tls.iter().chain(&service.tcp);
    let sources = routes
        .flat_map(|route| &route.matches)
        .map(Source::of_connection);
    sources.filter(|source| !source.is_anyone()).collect()
}
