//! Which classes of callers there are in a World.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{
    ChangeSet, DestinationRule, ExportTo, Hostname, NamespaceMode, Proxy, Role, Service, Sidecar,
    World,
};

use super::View;
use crate::registry::kind;

/// What can make callers see different things.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Visibility {
    /// Services that not all see.
    private: BTreeMap<Hostname, ExportTo>,
    /// How many services each namespace has.
    namespaces: BTreeMap<Arc<str>, usize>,
    /// Namespaces whose callers may see something else than those of others.
    apart: BTreeSet<Arc<str>>,
    /// Rules for some workloads, in order of precedence.
    selecting: Vec<Arc<DestinationRule>>,
    /// In order of precedence.
    sidecars: Arc<[Arc<Sidecar>]>,
    root: Arc<str>,
}

// === impl Visibility ===

impl Visibility {
    pub(crate) fn of(world: &World) -> Visibility {
        let mut visibility = Visibility::default();
        for service in world.services.values() {
            visibility.add(service);
        }
        visibility.decide(world);
        visibility
    }

    /// Whether changes can make it another: those of endpoints and instances cannot.
    pub(crate) fn concerns(changes: &ChangeSet) -> bool {
        let ours = [kind::DESTINATION_RULE, kind::VIRTUAL_SERVICE, kind::SIDECAR];
        let mut config = changes.config.iter();
        changes.mesh
            || !changes.services.is_empty()
            || config.any(|object| ours.contains(&object.kind))
    }

    /// The same for a later World that differs by `changes`.
    pub(crate) fn advance(&mut self, old: &World, new: &World, changes: &ChangeSet) {
        for host in &changes.services {
            if let Some(service) = old.services.get(host) {
                self.remove(service);
            }
            if let Some(service) = new.services.get(host) {
                self.add(service);
            }
        }
        self.decide(new);
    }

    /// The class that a proxy belongs to.
    pub(crate) fn view(&self, proxy: &Proxy) -> View {
        let sidecar = self.sidecar(proxy);
        let theirs = self.selecting.iter().filter(|rule| {
            let selector = rule.workload_selector.as_ref();
            rule.object.namespace == proxy.namespace
                && selector.is_some_and(|selector| selector.selects(&proxy.labels))
        });
        let rules: BTreeSet<_> = theirs.map(|rule| rule.object.clone()).collect();
        let apart = sidecar.is_some() || self.apart.contains(&proxy.namespace);
        View {
            namespace: apart.then(|| proxy.namespace.clone()),
            sidecar: sidecar.map(|sidecar| sidecar.object.clone()),
            rules,
        }
    }

    /// Services that a namespace, or one that is not apart, does not see.
    pub(super) fn hidden<'a>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Hostname> {
        let hidden = self
            .private
            .iter()
            .filter(move |(_, export)| !sees(namespace, export));
        hidden.map(|(host, _)| host)
    }

    /// By its labels, else for its namespace, else for all.
    fn sidecar(&self, proxy: &Proxy) -> Option<&Arc<Sidecar>> {
        if self.sidecars.is_empty() || proxy.role != Role::Sidecar {
            return None;
        }
        let within =
            |namespace: &Arc<str>, sidecar: &&Arc<Sidecar>| sidecar.object.namespace == *namespace;
        let here = || self.sidecars.iter().filter(|s| within(&proxy.namespace, s));
        let mut selecting = here().filter(|s| {
            let selector = s.selector.as_ref();
            selector.is_some_and(|selector| selector.selects(&proxy.labels))
        });
        let default = || here().find(|sidecar| sidecar.selector.is_none());
        let root = || {
            let mut all = self.sidecars.iter().filter(|s| within(&self.root, s));
            all.find(|sidecar| sidecar.selector.is_none())
        };
        selecting.next().or_else(default).or_else(root)
    }

    fn add(&mut self, service: &Service) {
        match self.namespaces.get_mut(&service.namespace) {
            Some(count) => *count += 1,
            None => {
                self.namespaces.insert(service.namespace.clone(), 1);
            }
        }
        if service.export_to != ExportTo::All {
            self.private
                .insert(service.host.clone(), service.export_to.clone());
        }
    }

    fn remove(&mut self, service: &Service) {
        if let Some(count) = self.namespaces.get_mut(&service.namespace) {
            *count -= 1;
            if *count == 0 {
                self.namespaces.remove(&service.namespace);
            }
        }
        self.private.remove(&service.host);
    }

    fn decide(&mut self, world: &World) {
        self.root = world.mesh.root_namespace.clone();
        self.sidecars = world.sidecars.clone();
        let rules = world.destination_rules.iter();
        let selecting = rules.filter(|rule| rule.workload_selector.is_some());
        self.selecting = selecting.cloned().collect();
        let mut apart: BTreeSet<Arc<str>> = BTreeSet::new();
        apart.extend(self.private.values().flat_map(ExportTo::named).cloned());
        for service in world.virtual_services.iter() {
            apart.extend(service.export_to.named().cloned());
        }
        for rule in world.destination_rules.iter() {
            apart.extend(rule.export_to.named().cloned());
            if !apart.contains(&rule.object.namespace) && self.reaches_out(rule, world) {
                apart.insert(rule.object.namespace.clone());
            }
        }
        self.apart = apart;
    }

    /// Whether a rule can be for services of other namespaces: then callers of its own follow it
    /// before that of the service's namespace, and others do not.
    fn reaches_out(&self, rule: &DestinationRule, world: &World) -> bool {
        let own = &rule.object.namespace;
        if rule.workload_selector.is_some() {
            return true;
        }
        match rule.host.is_wildcard() {
            true => self.namespaces.keys().any(|namespace| namespace != own),
            false => {
                let service = world.services.get(&rule.host);
                service.is_some_and(|service| service.namespace != *own)
            }
        }
    }
}

/// Whether an object is seen from a namespace, or from any.
pub(super) fn sees(namespace: Option<&str>, export: &ExportTo) -> bool {
    match namespace {
        Some(namespace) => export.reaches(namespace),
        None => *export == ExportTo::All,
    }
}

/// Without namespaces a rule stands for itself, wherever it was put, as in the first Istio.
pub(crate) fn is_flat(world: &World) -> bool {
    let namespaces = &world.mesh.namespaces;
    namespaces.mode == NamespaceMode::Flat && namespaces.by_group.is_empty()
}
