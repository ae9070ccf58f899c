//! The configuration that is in force, in order of precedence.

mod extensions;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::route::VirtualService;
use model::{
    Authentication, Authorization, ChangeSet, DestinationRule, Diagnostic, EnvoyFilter, Gateway,
    Location, ObjectRef, Sidecar, Telemetry, World,
};

use crate::codes;
use crate::config::Item;
use crate::delegation::Delegations;
use crate::entries::Entries;
use crate::report::Report;

/// All objects in force.
#[derive(Debug, Default)]
pub(crate) struct Ruling {
    pub(crate) gateways: Vec<Placed<Gateway>>,
    pub(crate) virtual_services: Vec<Placed<VirtualService>>,
    pub(crate) destination_rules: Vec<Placed<DestinationRule>>,
    pub(crate) authentication: Vec<Placed<Authentication>>,
    pub(crate) authorizations: Vec<Placed<Authorization>>,
    delegations: Delegations,
    pub(crate) telemetries: Vec<Placed<Telemetry>>,
    pub(crate) envoy_filters: Vec<Placed<EnvoyFilter>>,
    pub(crate) sidecars: Vec<Placed<Sidecar>>,
    /// Services and endpoints, which become part of the World beside those of workloads.
    pub(crate) entries: Entries,
    /// What merging found.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A value, and where its document stands.
#[derive(Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: Arc<T>,
    pub(crate) location: Option<Location>,
}

/// A value that an object became.
trait OfObject: PartialEq {
    fn object(&self) -> &ObjectRef;
}

// === impl Ruling ===

impl Ruling {
    /// Adds the next object in order of precedence.
    pub(crate) fn add(&mut self, item: &Item, location: Option<Location>) {
        match item {
            Item::Gateway(v) => self.gateways.push(Placed::new(v, location)),
            Item::VirtualService(v) => self.virtual_services.push(Placed::new(v, location)),
            Item::Root(root) => {
                let place = self.virtual_services.len();
                let root = Placed::new(root, location);
                let holder = self.delegations.add_root(place, root);
                self.virtual_services.push(holder);
            }
            Item::Delegate(v) => self.delegations.add_delegate(Placed::new(v, location)),
            Item::DestinationRule(v) => self.destination_rules.push(Placed::new(v, location)),
            Item::Authentication(v) => self.authentication.push(Placed::new(v, location)),
            Item::Authorization(v) => self.authorizations.push(Placed::new(v, location)),
            Item::Telemetry(v) => self.telemetries.push(Placed::new(v, location)),
            Item::EnvoyFilter(v) => self.envoy_filters.push(Placed::new(v, location)),
            Item::Sidecar(v) => self.sidecars.push(Placed::new(v, location)),
            Item::ServiceEntry(v) => self.entries.add(v, location),
            Item::WorkloadEntry(v) => self.entries.add_workload(v),
        }
    }

    /// Virtual services that delegate get the routes of their delegates.
    pub(crate) fn delegate(&mut self) {
        let found = self.delegations.settle(&mut self.virtual_services);
        self.diagnostics.extend(found);
    }

    /// Rules for one host become one, as in Istio: the oldest gives the name, subsets are united.
    /// Those of different namespaces or for different callers stay apart.
    pub(crate) fn merge_destination_rules(&mut self) {
        let mut merged: Vec<Placed<DestinationRule>> = Vec::new();
        let mut places: BTreeMap<_, usize> = BTreeMap::new();
        for rule in std::mem::take(&mut self.destination_rules) {
            let value = &rule.value;
            let scope = (
                value.host.clone(),
                value.object.namespace.clone(),
                value.export_to.clone(),
                value.workload_selector.clone(),
            );
            match places.get(&scope) {
                Some(place) => {
                    let diagnostics = merge(&mut merged[*place].value, &rule);
                    self.diagnostics.extend(diagnostics);
                }
                None => {
                    places.insert(scope, merged.len());
                    merged.push(rule);
                }
            }
        }
        self.destination_rules = merged;
    }

    /// Puts everything into the World; what is equal stays as it is.
    pub(crate) fn put(&self, world: &mut World, changes: &mut ChangeSet) {
        put(&mut world.gateways, &self.gateways, changes);
        put(&mut world.virtual_services, &self.virtual_services, changes);
        put(&mut world.sidecars, &self.sidecars, changes);
        put(
            &mut world.destination_rules,
            &self.destination_rules,
            changes,
        );
        put(&mut world.authentication, &self.authentication, changes);
        put(&mut world.authorizations, &self.authorizations, changes);
        put(&mut world.telemetries, &self.telemetries, changes);
        put(&mut world.envoy_filters, &self.envoy_filters, changes);
    }
}

// === impl Placed ===

impl<T> Placed<T> {
    fn new(value: &Arc<T>, location: Option<Location>) -> Placed<T> {
        Placed {
            value: value.clone(),
            location,
        }
    }
}

impl OfObject for Gateway {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl OfObject for VirtualService {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl OfObject for Authorization {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl OfObject for Telemetry {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl OfObject for EnvoyFilter {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl OfObject for Sidecar {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl OfObject for DestinationRule {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl OfObject for Authentication {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

fn merge(oldest: &mut Arc<DestinationRule>, rule: &Placed<DestinationRule>) -> Vec<Diagnostic> {
    let later = &rule.value;
    let mut report = Report::new(later.object.clone(), rule.location.clone(), "");
    for (i, subset) in later.subsets.iter().enumerate() {
        if oldest.subsets.iter().any(|s| s.name == subset.name) {
            report.warn(
                codes::SUBSET_TWICE,
                format!("spec.subsets[{i}].name"),
                format!(
                    "{} already defines the subset {:?} of {}",
                    oldest.object, subset.name, later.host
                ),
                "the older definition holds",
                "give the subset another name, or remove one of the two definitions",
            );
        } else {
            Arc::make_mut(oldest).subsets.push(subset.clone());
        }
    }
    merge_policies(oldest, later, &mut report);
    report.into_diagnostics()
}

/// The first policy that says something holds as a whole, as in Istio.
fn merge_policies(oldest: &mut Arc<DestinationRule>, later: &DestinationRule, report: &mut Report) {
    if later.policies.is_empty() {
        return;
    }
    if oldest.policies.is_empty() {
        Arc::make_mut(oldest).policies = later.policies.clone();
    } else {
        report.warn(
            codes::POLICY_TWICE,
            "spec.trafficPolicy",
            format!(
                "{} already has a traffic policy for {}",
                oldest.object, later.host
            ),
            "the older policy holds; subsets of this rule are in force",
            "put the policies of a host into one rule",
        );
    }
}

fn put<T: OfObject>(old: &mut Arc<[Arc<T>]>, new: &[Placed<T>], changes: &mut ChangeSet) {
    let known: BTreeMap<&ObjectRef, &Arc<T>> = old.iter().map(|v| (v.object(), v)).collect();
    let next: Vec<Arc<T>> = new
        .iter()
        .map(|placed| match known.get(placed.value.object()) {
            Some(known) if **known == placed.value => (*known).clone(),
            _ => placed.value.clone(),
        })
        .collect();
    if **old == *next {
        return;
    }
    changes.config.extend(differences(old, &next));
    *old = next.into();
}

/// The objects that appeared, went, changed, or stand in another order.
fn differences<T: OfObject>(old: &[Arc<T>], new: &[Arc<T>]) -> Vec<ObjectRef> {
    let by_object = |list: &[Arc<T>]| -> BTreeMap<ObjectRef, Arc<T>> {
        list.iter()
            .map(|v| (v.object().clone(), v.clone()))
            .collect()
    };
    let (old_values, new_values) = (by_object(old), by_object(new));
    let all = old_values.keys().chain(new_values.keys());
    let changed = all
        .filter(|o| old_values.get(*o) != new_values.get(*o))
        .cloned();
    let order = |list: &[Arc<T>], other: &BTreeMap<ObjectRef, Arc<T>>| -> Vec<ObjectRef> {
        let objects = list.iter().map(|v| v.object().clone());
        objects.filter(|o| other.contains_key(o)).collect()
    };
    let moved = order(old, &new_values)
        .into_iter()
        .zip(order(new, &old_values))
        .filter(|(before, after)| before != after)
        .flat_map(|(before, after)| [before, after]);
    changed.chain(moved).collect()
}
