//! The configuration that is in force, in order of precedence.
//!
//! It goes from one state to the next by the objects that changed, and tells which of its values
//! became others: an edit costs what refers to it, not what else there is.

mod extensions;
mod merged;
mod ordered;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::istio::{Kind, ObjectKey};
use model::route::VirtualService;
use model::{
    Authentication, Authorization, ChangeSet, DestinationRule, Diagnostic, EnvoyFilter, Gateway,
    Hostname, Location, ObjectRef, RequestAuthentication, Sidecar, Telemetry, World,
};

use crate::config::{Item, reference};
use crate::delegation::Delegations;
use crate::entries::{Entries, Entry, Workload};
use crate::roles::{Roles, Settled};

use merged::Merging;
pub(crate) use ordered::{Ordered, Place, Placed, Standing, Turned};

/// All objects in force.
#[derive(Debug, Default)]
pub(crate) struct Ruling {
    pub(crate) gateways: Ordered<Gateway>,
    /// With the routes of their delegates.
    pub(crate) virtual_services: Ordered<VirtualService>,
    /// Merged.
    pub(crate) destination_rules: Ordered<DestinationRule>,
    pub(crate) authentication: Ordered<Authentication>,
    authorizations: Ordered<Authorization>,
    pub(crate) request_authentications: Ordered<RequestAuthentication>,
    pub(crate) sidecars: Ordered<Sidecar>,
    /// Services and endpoints, which become part of the World beside those of workloads.
    pub(crate) entries: Entries,
    delegations: Delegations,
    merging: Merging,
    telemetries: Ordered<Telemetry>,
    envoy_filters: Ordered<EnvoyFilter>,
    service_entries: Ordered<Entry>,
    workload_entries: Ordered<Workload>,
    pub(crate) roles: Roles,
    shadowed: Vec<Diagnostic>,
}

/// An object that changed, and what of it is in force now.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) key: ObjectKey,
    pub(crate) now: Option<InForce>,
}

#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) place: Place,
    pub(crate) item: Item,
    pub(crate) location: Option<Location>,
}

/// What became different.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) gateways: Vec<Turned<Gateway>>,
    pub(crate) virtual_services: Vec<Turned<VirtualService>>,
    pub(crate) destination_rules: Vec<Turned<DestinationRule>>,
    pub(crate) authentication: bool,
    pub(crate) tokens: bool,
    pub(crate) sidecars: bool,
    pub(crate) roles: bool,
    /// Hosts whose services can be others.
    pub(crate) hosts: BTreeSet<Hostname>,
    /// Whether what merging found is another.
    pub(crate) findings: bool,
}

/// A value that an object became.
trait OfObject: PartialEq {
    fn object(&self) -> &ObjectRef;
}

// === impl Ruling ===

impl Ruling {
    /// Takes in objects that changed, and puts what follows into the World; what is equal stays as
    /// it is.
    pub(crate) fn turn(
        &mut self,
        turns: Vec<Turn>,
        world: &mut World,
        changes: &mut ChangeSet,
    ) -> Touched {
        for turn in turns {
            self.set(turn);
        }
        let mut findings = self.delegations.settle(&mut self.virtual_services);
        findings |= self.merging.settle(&mut self.destination_rules);
        findings |= self.settle_extensions(world, changes);
        let mut touched = Touched {
            findings,
            hosts: self.settle_entries(),
            ..Touched::default()
        };
        touched.gateways = put(&mut world.gateways, &mut self.gateways, changes);
        let services = &mut self.virtual_services;
        touched.virtual_services = put(&mut world.virtual_services, services, changes);
        let rules = &mut self.destination_rules;
        touched.destination_rules = put(&mut world.destination_rules, rules, changes);
        let policies = &mut self.authentication;
        touched.authentication = !put(&mut world.authentication, policies, changes).is_empty();
        let settled = self.settle_authorizations(world, changes);
        touched.findings |= settled.findings;
        touched.roles = settled.configs;
        let tokens = &mut self.request_authentications;
        touched.tokens = !put(&mut world.request_authentications, tokens, changes).is_empty();
        touched.sidecars = !put(&mut world.sidecars, &mut self.sidecars, changes).is_empty();
        touched
    }

    /// What was found when objects were merged.
    pub(crate) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let own = self.delegations.findings().chain(self.merging.findings());
        own.chain(&self.shadowed).chain(self.roles.findings())
    }

    fn set(&mut self, turn: Turn) {
        let object = reference(&turn.key);
        let now = turn.now.as_ref();
        match turn.key.kind {
            Kind::Gateway => self.gateways.set(&object, pick(now, Item::gateway)),
            Kind::VirtualService => self.set_virtual_service(&object, now),
            Kind::DestinationRule => self.merging.set(&object, pick(now, Item::destination_rule)),
            Kind::MeshPolicy | Kind::Policy | Kind::PeerAuthentication => {
                let policy = pick(now, Item::authentication);
                self.authentication.set(&object, policy);
            }
            Kind::AuthorizationPolicy => {
                let policy = pick(now, Item::authorization);
                self.authorizations.set(&object, policy);
            }
            Kind::RbacConfig | Kind::ClusterRbacConfig => {
                let config = pick(now, Item::enabling);
                self.roles.configs.set(&object, config);
            }
            Kind::ServiceRole => self.roles.roles.set(&object, pick(now, Item::role)),
            Kind::ServiceRoleBinding => {
                let binding = pick(now, Item::binding);
                self.roles.bindings.set(&object, binding);
            }
            Kind::RequestAuthentication => {
                let tokens = pick(now, Item::request_authentication);
                self.request_authentications.set(&object, tokens);
            }
            Kind::Telemetry => self.telemetries.set(&object, pick(now, Item::telemetry)),
            Kind::EnvoyFilter => {
                let filter = pick(now, Item::envoy_filter);
                self.envoy_filters.set(&object, filter);
            }
            Kind::Sidecar => self.sidecars.set(&object, pick(now, Item::sidecar)),
            Kind::ServiceEntry => {
                let entry = pick(now, Item::service_entry);
                self.service_entries.set(&object, entry);
            }
            Kind::WorkloadEntry => {
                let entry = pick(now, Item::workload_entry);
                self.workload_entries.set(&object, entry);
            }
            // Kinds that become nothing.
            Kind::WorkloadGroup | Kind::ProxyConfig | Kind::WasmPlugin | Kind::TrafficExtension => {
            }
        }
    }

    /// A virtual service can become one that delegates, or a delegate, and back.
    fn set_virtual_service(&mut self, object: &ObjectRef, now: Option<&InForce>) {
        let root = pick(now, Item::root);
        let delegate = pick(now, Item::delegate);
        // Until it is settled, a root stands without its routes.
        let holder = root.as_ref().map(|(place, root)| {
            let service = Arc::new(root.value.service.clone());
            (place.clone(), Placed::new(&service, root.location.clone()))
        });
        let service = pick(now, Item::virtual_service).or(holder);
        self.virtual_services.set(object, service);
        self.delegations.set(object, root, delegate);
    }

    /// Istio's first kinds stand behind the others.
    fn settle_authorizations(&mut self, world: &mut World, changes: &mut ChangeSet) -> Settled {
        let settled = self.roles.settle();
        if !settled.authorizations && self.roles.authorizations.is_empty() {
            put(&mut world.authorizations, &mut self.authorizations, changes);
        } else if settled.authorizations || !self.authorizations.turned().is_empty() {
            self.authorizations.turned();
            let later = self.authorizations.iter().map(|placed| &placed.value);
            let all = later.chain(&self.roles.authorizations).cloned();
            replace(&mut world.authorizations, all.collect(), changes);
        }
        settled
    }

    fn settle_entries(&mut self) -> BTreeSet<Hostname> {
        let services = self.service_entries.turned();
        let workloads = self.workload_entries.turned();
        if services.is_empty() && workloads.is_empty() {
            return BTreeSet::new();
        }
        let mut entries = Entries::default();
        for entry in self.service_entries.iter() {
            entries.add(&entry.value, entry.location.clone());
        }
        for workload in self.workload_entries.iter() {
            entries.add_workload(&workload.value);
        }
        let hosts = entries.differences(&self.entries);
        self.entries = entries;
        hosts
    }
}

fn pick<T>(now: Option<&InForce>, of: impl Fn(&Item) -> Option<&Arc<T>>) -> Option<Standing<T>> {
    let now = now?;
    let value = of(&now.item)?;
    Some((now.place.clone(), Placed::new(value, now.location.clone())))
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

impl OfObject for RequestAuthentication {
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

impl OfObject for Authorization {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

impl OfObject for Authentication {
    fn object(&self) -> &ObjectRef {
        &self.object
    }
}

/// Puts the list of a kind into the World, if anything of it differs.
fn put<T: OfObject>(
    list: &mut Arc<[Arc<T>]>,
    objects: &mut Ordered<T>,
    changes: &mut ChangeSet,
) -> Vec<Turned<T>> {
    let turned = objects.turned();
    let moved = turned.iter().any(Turned::is_moved);
    let differing = turned.iter().filter(|turned| turned.differs());
    let differing: Vec<&ObjectRef> = differing.map(|turned| &turned.object).collect();
    if !moved && differing.is_empty() {
        return turned;
    }
    let next: Arc<[Arc<T>]> = objects.iter().map(|placed| placed.value.clone()).collect();
    let swapped = match moved {
        true => out_of_order(list, &next),
        false => Vec::new(),
    };
    if !swapped.is_empty() || !differing.is_empty() {
        changes.config.extend(differing.into_iter().cloned());
        changes.config.extend(swapped);
        *list = next;
    }
    turned
}

/// Puts a list that was made anew; what is equal stays as it is.
fn replace<T: OfObject>(list: &mut Arc<[Arc<T>]>, next: Vec<Arc<T>>, changes: &mut ChangeSet) {
    if **list == *next {
        return;
    }
    let by_object = |list: &[Arc<T>]| -> BTreeMap<ObjectRef, Arc<T>> {
        let all = list.iter();
        all.map(|value| (value.object().clone(), value.clone()))
            .collect()
    };
    let (old, new) = (by_object(list), by_object(&next));
    let objects = old.keys().chain(new.keys());
    let differing = objects.filter(|object| old.get(*object) != new.get(*object));
    changes.config.extend(differing.cloned());
    changes.config.extend(out_of_order(list, &next));
    *list = next.into();
}

/// The objects of both lists that stand in another order.
fn out_of_order<T: OfObject>(old: &[Arc<T>], new: &[Arc<T>]) -> Vec<ObjectRef> {
    let objects = |list: &[Arc<T>]| -> BTreeSet<ObjectRef> {
        list.iter().map(|value| value.object().clone()).collect()
    };
    let order = |list: &[Arc<T>], other: &BTreeSet<ObjectRef>| -> Vec<ObjectRef> {
        let all = list.iter().map(|value| value.object().clone());
        all.filter(|object| other.contains(object)).collect()
    };
    let (before, after) = (order(old, &objects(new)), order(new, &objects(old)));
    let moved = before.into_iter().zip(after);
    let moved = moved.filter(|(before, after)| before != after);
    moved.flat_map(|(before, after)| [before, after]).collect()
}
