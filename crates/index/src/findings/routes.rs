//! What virtual services refer to, and what they compete for.
//!
//! Each has its findings for itself. A change looks again at those that name what changed: a
//! gateway, a destination, a rule with subsets, or a host that another one routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::route::{GatewayRef, VirtualService};
use model::{Diagnostic, Gateway, Hostname, ObjectRef};

use super::Known;
use super::names::{objects, remove};
use super::single::{Look, Single};
use crate::codes;
use crate::report::Report;
use crate::ruling::{Place, Placed, Touched, Turned};

/// Namespace and name of a gateway.
type GatewayKey = (Arc<str>, Arc<str>);

/// The findings of every virtual service, and who refers to what.
#[derive(Debug, Default)]
pub(super) struct RouteFindings {
    by_service: Single,
    by_gateway: BTreeMap<GatewayKey, BTreeSet<ObjectRef>>,
    by_destination: BTreeMap<Hostname, BTreeSet<ObjectRef>>,
    /// Those that route a host on the mesh, in order of precedence.
    claims: BTreeMap<Hostname, BTreeMap<Place, ObjectRef>>,
}

// === impl RouteFindings ===

impl RouteFindings {
    /// Looks again at what a change concerns; `true` if any finding became another.
    pub(super) fn refresh(&mut self, known: &Known<'_>, touched: &Touched) -> bool {
        let mut again: BTreeSet<ObjectRef> = objects(&touched.virtual_services).cloned().collect();
        for turned in &touched.virtual_services {
            again.extend(self.link(turned));
        }
        for turned in &touched.gateways {
            let object = &turned.object;
            let key = (object.namespace.clone(), object.name.clone());
            again.extend(self.by_gateway.get(&key).into_iter().flatten().cloned());
        }
        let rules = touched.destination_rules.iter().flat_map(Turned::values);
        let ruled: BTreeSet<&Hostname> = rules.map(|rule| &rule.host).collect();
        let ruled = ruled.into_iter().flat_map(|host| self.ruled(host, known));
        for name in ruled.chain(&known.renamed.names) {
            again.extend(self.by_destination.get(name).into_iter().flatten().cloned());
        }
        let looked = self
            .by_service
            .look(again, &known.renamed, |o| self.look(o, known));
        self.by_service.keep(looked)
    }

    /// Names in destinations of hosts that a rule can be for: aliases of theirs, too.
    fn ruled<'a>(&'a self, rule: &'a Hostname, known: &Known<'a>) -> Vec<&'a Hostname> {
        if !rule.is_wildcard() {
            let service = known.service(rule).into_iter();
            let aliases = service.flat_map(|service| &service.aliases);
            return std::iter::once(rule).chain(aliases).collect();
        }
        let covered = |name: &&Hostname| {
            rule.covers(name) || known.service(name).is_some_and(|s| rule.covers(&s.host))
        };
        self.by_destination.keys().filter(covered).collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.by_service.all()
    }

    /// Notes what a virtual service refers to; tells which others compete with it.
    fn link(&mut self, turned: &Turned<VirtualService>) -> BTreeSet<ObjectRef> {
        let object = &turned.object;
        let mut rivals = BTreeSet::new();
        if let Some((place, old)) = &turned.old {
            for key in gateways(&old.value) {
                remove(&mut self.by_gateway, &key, object);
            }
            for host in destinations(&old.value) {
                remove(&mut self.by_destination, host, object);
            }
            for host in claimed(&old.value) {
                if let Some(claims) = self.claims.get_mut(host) {
                    claims.remove(place);
                    rivals.extend(claims.values().cloned());
                    if claims.is_empty() {
                        self.claims.remove(host);
                    }
                }
            }
        }
        if let Some((place, new)) = &turned.new {
            for key in gateways(&new.value) {
                self.by_gateway
                    .entry(key)
                    .or_default()
                    .insert(object.clone());
            }
            for host in destinations(&new.value) {
                let leading = self.by_destination.entry(host.clone()).or_default();
                leading.insert(object.clone());
            }
            for host in claimed(&new.value) {
                let claims = self.claims.entry(host.clone()).or_default();
                claims.insert(place.clone(), object.clone());
                rivals.extend(claims.values().cloned());
            }
        }
        rivals
    }

    fn look(&self, object: &ObjectRef, known: &Known<'_>) -> Look {
        let Some((_, placed)) = known.ruling.virtual_services.get(object) else {
            return Look::default();
        };
        Look {
            lost: destinations(&placed.value).any(|host| known.service(host).is_none()),
            found: self.of(placed, known),
        }
    }

    fn of(&self, placed: &Placed<VirtualService>, known: &Known<'_>) -> Vec<Diagnostic> {
        let service = &placed.value;
        let mut report = Report::new(service.object.clone(), placed.location.clone(), "");
        self.check_owners(service, &mut report);
        known.check_gateways(&service.gateways, "spec.gateways", &mut report);
        known.check_hosts(service, &mut report);
        for route in &service.http {
            // What comes from a delegate stands in another document.
            let of_delegate = |delegate| format!("{delegate} spec.http[{}]", route.position);
            let own = || format!("spec.http[{}]", route.position);
            let at = route.delegate.as_ref().map_or_else(own, of_delegate);
            for (i, block) in route.matches.iter().enumerate() {
                let field = format!("{at}.match[{i}].gateways");
                known.check_gateways(&block.gateways, &field, &mut report);
            }
            for destination in route.destinations() {
                known.check_port(service, destination, &at, &mut report);
                known.check_destination(destination, &at, &mut report);
            }
        }
        known.check_connections(service, &mut report);
        known.check_nameless(service, &mut report);
        report.into_diagnostics()
    }

    fn check_owners(&self, service: &VirtualService, report: &mut Report) {
        if !service.gateways.contains(&GatewayRef::Mesh) {
            return;
        }
        for (i, host) in service.hosts.iter().enumerate() {
            let claims = self.claims.get(host).into_iter().flat_map(BTreeMap::values);
            let owner = claims.into_iter().next();
            if let Some(owner) = owner.filter(|owner| **owner != service.object) {
                report.warn(
                    codes::HOST_TAKEN,
                    format!("spec.hosts[{i}]"),
                    format!("{owner} is older and already routes {host} on the mesh"),
                    "these routes do not apply to the host on the mesh",
                    "put all routes of a host into one virtual service",
                );
            }
        }
    }
}

/// All gateways that are named anywhere.
fn gateways(service: &VirtualService) -> BTreeSet<GatewayKey> {
    let http = service.http.iter().flat_map(|route| &route.matches);
    let connections = service.tls.iter().chain(&service.tcp);
    let connections = connections.flat_map(|route| &route.matches);
    let matches = http.flat_map(|block| &block.gateways);
    let matches = matches.chain(connections.flat_map(|condition| &condition.gateways));
    let all = service.gateways.iter().chain(matches);
    all.filter_map(key).collect()
}

fn key(gateway: &GatewayRef) -> Option<GatewayKey> {
    match gateway {
        GatewayRef::Mesh => None,
        GatewayRef::Gateway { namespace, name } => Some((namespace.clone(), name.clone())),
    }
}

/// All hosts to which anything is routed.
fn destinations(service: &VirtualService) -> impl Iterator<Item = &Hostname> {
    let connections = service.tls.iter().chain(&service.tcp);
    let connections = connections.flat_map(|route| &route.to);
    let connections = connections.map(|to| &to.destination.host);
    let requests = service.http.iter().flat_map(|route| route.destinations());
    requests.map(|to| &to.host).chain(connections)
}

/// The hosts that it routes on the mesh.
fn claimed(service: &VirtualService) -> impl Iterator<Item = &Hostname> {
    let mesh = service.gateways.contains(&GatewayRef::Mesh);
    service.hosts.iter().filter(move |_| mesh)
}

/// The gateway of a reference.
pub(super) fn gateway<'a>(reference: &GatewayRef, known: &'a Known<'_>) -> Option<&'a Gateway> {
    let (namespace, name) = key(reference)?;
    let object = ObjectRef {
        kind: api::istio::Kind::Gateway.name(),
        namespace,
        name,
    };
    let (_, placed) = known.ruling.gateways.get(&object)?;
    Some(&placed.value)
}
