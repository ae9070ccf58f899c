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

use api::istio::Kind;
use model::route::{
    Action, Cors, Fault, HeaderOperations, HttpMatch, HttpRoute, Mirror, Retries, Rewrite,
    VirtualService,
};
use model::{Diagnostic, ObjectRef};

use crate::report::Report;
use crate::ruling::{Ordered, Placed, Standing};
use crate::{codes, findings};

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

/// Roots and delegates in force. A change settles the roots that it concerns.
#[derive(Debug, Default)]
pub(crate) struct Delegations {
    roots: BTreeMap<Key, Standing<Root>>,
    delegates: BTreeMap<Key, Placed<VirtualService>>,
    roots_by_delegate: BTreeMap<Key, BTreeSet<Key>>,
    findings: BTreeMap<Key, Vec<Diagnostic>>,
    /// Virtual services that changed.
    dirty: BTreeSet<Key>,
    /// What roots that changed delegate to, and did.
    named: BTreeSet<Key>,
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

// === impl Root ===

impl Root {
    fn delegates(&self) -> impl Iterator<Item = &Key> {
        self.steps.iter().filter_map(|step| match step {
            Step::Route(_) => None,
            Step::Delegate(delegation) => Some(&delegation.to),
        })
    }
}

// === impl Delegations ===

impl Delegations {
    /// Says what a virtual service is now: a root, a delegate, or neither.
    pub(crate) fn set(
        &mut self,
        object: &ObjectRef,
        root: Option<Standing<Root>>,
        delegate: Option<Standing<VirtualService>>,
    ) {
        let key = (object.namespace.clone(), object.name.clone());
        if let Some((_, before)) = self.roots.remove(&key) {
            for to in before.value.delegates() {
                if let Some(roots) = self.roots_by_delegate.get_mut(to) {
                    roots.remove(&key);
                }
                self.named.insert(to.clone());
            }
        }
        if let Some((place, root)) = root {
            for to in root.value.delegates() {
                let roots = self.roots_by_delegate.entry(to.clone()).or_default();
                roots.insert(key.clone());
                self.named.insert(to.clone());
            }
            self.roots.insert(key.clone(), (place, root));
        }
        match delegate {
            Some((_, delegate)) => self.delegates.insert(key.clone(), delegate),
            None => self.delegates.remove(&key),
        };
        self.dirty.insert(key);
    }

    /// Gives every root that a change concerns its routes; tells whether findings became others.
    pub(crate) fn settle(&mut self, services: &mut Ordered<VirtualService>) -> bool {
        let dirty = std::mem::take(&mut self.dirty);
        let mut named = std::mem::take(&mut self.named);
        let leading = dirty
            .iter()
            .filter_map(|key| self.roots_by_delegate.get(key));
        let roots: BTreeSet<Key> = leading.flatten().chain(&dirty).cloned().collect();
        named.extend(dirty);
        let mut changed = false;
        for key in roots.iter().filter(|key| self.roots.contains_key(*key)) {
            let found = self.settle_root(key, services);
            changed |= findings::keep(&mut self.findings, key.clone(), found);
        }
        for key in named
            .into_iter()
            .filter(|key| !self.roots.contains_key(key))
        {
            let found = self.delegates.get(&key);
            let idle = found.filter(|delegate| !self.is_used(&key, delegate));
            let found = idle.map_or_else(Vec::new, unused);
            changed |= findings::keep(&mut self.findings, key, found);
        }
        changed
    }

    pub(crate) fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.values().flatten()
    }

    fn settle_root(&self, key: &Key, services: &mut Ordered<VirtualService>) -> Vec<Diagnostic> {
        let Some((place, root)) = self.roots.get(key) else {
            return Vec::new();
        };
        let object = &root.value.service.object;
        let mut report = Report::new(object.clone(), root.location.clone(), "");
        let http = self.routes(&root.value, services, &mut report);
        crate::shadow::check(&http, &mut report);
        let service = Arc::new(VirtualService {
            http,
            ..root.value.service.clone()
        });
        let placed = Placed::new(&service, root.location.clone());
        services.set(object, Some((place.clone(), placed)));
        report.into_diagnostics()
    }

    /// Whether any root takes in routes of a delegate, which it must see.
    fn is_used(&self, key: &Key, delegate: &Placed<VirtualService>) -> bool {
        let roots = self.roots_by_delegate.get(key).into_iter().flatten();
        let mut namespaces = roots.map(|(namespace, _)| namespace);
        namespaces.any(|namespace| delegate.value.export_to.reaches(namespace))
    }

    fn routes(
        &self,
        root: &Root,
        services: &Ordered<VirtualService>,
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

fn missing(to: &Key, services: &Ordered<VirtualService>, field: String, report: &mut Report) {
    let (namespace, name) = to;
    let object = ObjectRef {
        kind: Kind::VirtualService.name(),
        namespace: namespace.clone(),
        name: name.clone(),
    };
    let why = match services.get(&object).is_some() {
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
