//! Delegation: routes of one virtual service that another one takes in.
//!
//! A root has hosts and routes some requests by a delegate, which has none. Both are objects of their
//! own; what comes out for proxies is one virtual service, made when a World is published, so that a
//! delegate that changes changes its roots. There is one level: a delegate cannot delegate.

mod conflict;
mod merge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::route::{
    Action, Cors, Fault, HeaderOperations, HttpMatch, HttpRoute, Mirror, Retries, Rewrite,
    VirtualService,
};
use model::{Diagnostic, ObjectRef};

use crate::codes;
use crate::report::Report;
use crate::ruling::Placed;

/// A virtual service that delegates; its `http` is empty until it is settled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Root {
    pub(crate) service: VirtualService,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Route(Box<HttpRoute>),
    Delegate(Box<Delegation>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delegation {
    /// Namespace and name.
    pub(crate) to: Key,
    pub(crate) outline: Outline,
}

/// Namespace and name of a virtual service.
pub(crate) type Key = (Arc<str>, Arc<str>);

/// A rule without its action.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    pub(crate) position: usize,
    pub(crate) name: Option<String>,
    pub(crate) matches: Vec<HttpMatch>,
    pub(crate) rewrite: Option<Rewrite>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<Retries>,
    pub(crate) fault: Fault,
    pub(crate) mirrors: Vec<Mirror>,
    pub(crate) cors: Option<Cors>,
    pub(crate) headers: HeaderOperations,
    pub(crate) response_headers: HeaderOperations,
}

/// Roots and delegates of a ruling, as they are collected.
#[derive(Debug, Default)]
pub(crate) struct Delegations {
    /// With the place of the root among all virtual services.
    roots: Vec<(usize, Placed<Root>)>,
    delegates: BTreeMap<Key, Placed<VirtualService>>,
}

// === impl Outline ===

impl Outline {
    pub(crate) fn into_route(self, action: Action) -> HttpRoute {
        HttpRoute {
            delegate: None,
            position: self.position,
            name: self.name,
            matches: self.matches,
            action,
            rewrite: self.rewrite,
            timeout: self.timeout,
            retries: self.retries,
            fault: self.fault,
            mirrors: self.mirrors,
            cors: self.cors,
            headers: self.headers,
            response_headers: self.response_headers,
        }
    }
}

// === impl Delegations ===

impl Delegations {
    /// Takes in a root; what it returns holds its place among the virtual services.
    pub(crate) fn add_root(&mut self, place: usize, root: Placed<Root>) -> Placed<VirtualService> {
        let holder = Placed {
            value: Arc::new(root.value.service.clone()),
            location: root.location.clone(),
        };
        self.roots.push((place, root));
        holder
    }

    pub(crate) fn add_delegate(&mut self, delegate: Placed<VirtualService>) {
        let object = &delegate.value.object;
        let key = (object.namespace.clone(), object.name.clone());
        self.delegates.insert(key, delegate);
    }

    /// Gives every root its routes.
    pub(crate) fn settle(&self, services: &mut [Placed<VirtualService>]) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        let mut used = BTreeSet::new();
        for (place, root) in &self.roots {
            let (object, location) = (&root.value.service.object, &root.location);
            let mut report = Report::new(object.clone(), location.clone(), "");
            let http = self.routes(&root.value, services, &mut used, &mut report);
            crate::shadow::check(&http, &mut report);
            let service = VirtualService {
                http,
                ..root.value.service.clone()
            };
            services[*place].value = Arc::new(service);
            diagnostics.extend(report.into_diagnostics());
        }
        let idle = self
            .delegates
            .iter()
            .filter(|(key, _)| !used.contains(*key));
        diagnostics.extend(idle.flat_map(|(_, delegate)| unused(delegate)));
        diagnostics
    }

    fn routes<'a>(
        &self,
        root: &'a Root,
        services: &[Placed<VirtualService>],
        used: &mut BTreeSet<&'a Key>,
        report: &mut Report,
    ) -> Vec<HttpRoute> {
        let mut routes = Vec::new();
        for step in &root.steps {
            let delegation = match step {
                Step::Route(route) => {
                    routes.push((**route).clone());
                    continue;
                }
                Step::Delegate(delegation) => delegation,
            };
            let field = format!("spec.http[{}].delegate", delegation.outline.position);
            let namespace = &root.service.object.namespace;
            let known = self.delegates.get(&delegation.to);
            let seen = known.filter(|delegate| delegate.value.export_to.reaches(namespace));
            let Some(delegate) = seen else {
                missing(&delegation.to, services, field, report);
                continue;
            };
            used.insert(&delegation.to);
            let object = &delegate.value.object;
            for route in &delegate.value.http {
                match merge::routes(&delegation.outline, route, object) {
                    Some(merged) => routes.push(merged),
                    None => contradicts(object, route, &field, report),
                }
            }
        }
        routes
    }
}

fn missing(to: &Key, services: &[Placed<VirtualService>], field: String, report: &mut Report) {
    let (namespace, name) = to;
    let mut objects = services.iter().map(|placed| &placed.value.object);
    let has_hosts = objects.any(|object| object.namespace == *namespace && object.name == *name);
    let why = match has_hosts {
        true => {
            format!("VirtualService {namespace}/{name} has hosts of its own, so it is no delegate")
        }
        false => format!("there is no VirtualService {namespace}/{name} that this namespace sees"),
    };
    report.leave_out(
        codes::NO_DELEGATE,
        field,
        why,
        "the route is left out; its requests go to the next route that matches, or get 404",
        "create a virtual service of that name without hosts and gateways, or correct the name",
    );
}

fn contradicts(delegate: &ObjectRef, route: &HttpRoute, field: &str, report: &mut Report) {
    report.warn(
        codes::IDLE_DELEGATE,
        field,
        format!(
            "a condition of {delegate} in spec.http[{}] is not within those of this route",
            route.position
        ),
        "that route of the delegate is left out here",
        "let every condition of the delegate narrow one of this route",
    );
}

fn unused(delegate: &Placed<VirtualService>) -> Vec<Diagnostic> {
    let object = delegate.value.object.clone();
    let mut report = Report::new(object, delegate.location.clone(), "");
    report.warn(
        codes::IDLE_DELEGATE,
        "spec.hosts",
        "the virtual service has no hosts, and none delegates to it",
        "its routes are not used",
        "name the hosts whose requests it routes, or delegate to it from another virtual service",
    );
    report.into_diagnostics()
}
