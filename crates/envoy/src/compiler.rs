//! What all connected proxies should run, kept up to date.
//!
//! Nearly everything that proxies run is the same for many of them: the clusters of services for
//! all, the endpoints for all on one machine, the routes for all that complete names alike. Such
//! resources are kept in sets, each compiled once, however many proxies run it. From one World to
//! the next, only what a [`ChangeSet`] touches is compiled again, and only what came out different
//! is told.
//!
//! ```text
//! ChangeSet ─► touched ─► redo ─► sets ─► SetChange   for all that run the set
//! Proxy ──────► plan ───► whole ─┘ └────► Plan        which sets, and what it shares with no other
//! ```
//!
//! Where a few proxies see something else than the others, as those on the machine of an endpoint
//! do, a second set holds only what differs, and hides what the first has under the same names.

mod extensions;
mod origins;
mod plan;
mod redo;
mod set;
mod sets;
mod touched;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::route::GatewayRef;
use model::{Authentication, ChangeSet, Diagnostic, Gateway, ObjectRef, Proxy, Role, World};

use crate::Kind;
use crate::compile::{own, sidecar};
use crate::endpoint::Located;
use crate::registry::Registry;

pub(crate) use plan::Plan;
pub(crate) use set::{SetChange, SetKey};

use extensions::Extensions;
use plan::Asked;
use redo::Redo;
use sets::Sets;
use touched::Touched;

/// Compiles for all proxies that see the same mesh. See [`Compiler`](crate::Compiler), which does so
/// for all.
#[derive(Debug)]
pub(crate) struct OfView {
    registry: Registry,
    sets: Sets,
    latest: Latest,
    buffer: Vec<u8>,
}

/// What of the latest update can matter to plans.
#[derive(Debug, Default)]
struct Latest {
    /// Ports whose outbound listeners were touched.
    ports: BTreeSet<u16>,
    /// Gateways that changed, as they were and as they are.
    gateways: Vec<Arc<Gateway>>,
    /// Policies that changed, as they were and as they are.
    authentication: Vec<Arc<Authentication>>,
    /// Gateways whose connections are routed otherwise.
    bound: BTreeSet<GatewayRef>,
    /// What routes asked of callers before, if they ask something else now.
    asked: Option<Asked>,
    /// What there was before of telemetry and patches.
    extensions: Extensions,
    /// What rules asked of where callers are, before.
    located: Arc<Located>,
}

// === impl OfView ===

impl OfView {
    /// For an empty World.
    pub(crate) fn new() -> OfView {
        OfView {
            registry: Registry::new(Arc::default()),
            sets: Sets::default(),
            latest: Latest::default(),
            buffer: Vec::new(),
        }
    }

    /// Brings every set that is in use up to a World. `changes` must hold all in which it differs
    /// from the World of the update before; it may hold more. Told is what became different.
    pub(crate) fn update(&mut self, world: &Arc<World>, changes: &ChangeSet) -> Vec<SetChange> {
        let next = match changes.mesh {
            true => Registry::new(world.clone()),
            false => self.registry.advance(world, changes),
        };
        let old = std::mem::replace(&mut self.registry, next);
        let touched = Touched::new(&old, &self.registry, changes);
        let mut redo = Redo {
            old: &old,
            new: &self.registry,
            sets: &mut self.sets,
            buffer: &mut self.buffer,
        };
        match changes.mesh {
            true => redo.everything(),
            false => redo.touched(&touched),
        }
        self.latest = Latest {
            bound: touched.bound(&old, &self.registry),
            ports: touched.listeners,
            gateways: touched.gateways,
            asked: Asked::differing(&old, &self.registry),
            authentication: touched.authentication,
            extensions: Extensions::of(&old),
            located: old.located().clone(),
        };
        self.sets.take_news()
    }

    /// A proxy connects, or must be planned again. Sets that were not in use before are compiled
    /// and told in full. To plan again, join first and then leave with the plan before, so that
    /// sets in both stay in use.
    pub(crate) fn join(&mut self, proxy: &Proxy) -> (Plan, Vec<SetChange>) {
        let plan = self.plan(proxy);
        for key in &plan.sets {
            if self.sets.hold(key) {
                let built = whole::whole(key, &self.registry, &mut self.buffer);
                self.sets.fill(key, built);
            }
        }
        (plan, self.sets.take_news())
    }

    /// A proxy disconnects, or was planned again. Sets that nobody uses any more are dropped and
    /// told as gone, at once.
    pub(crate) fn leave(&mut self, plan: &Plan) -> Vec<SetChange> {
        let released = plan.sets.iter().filter_map(|key| self.sets.release(key));
        released.collect()
    }

    /// Whether the latest update, which was with these changes, may have made the plan of a proxy
    /// another; if not, it stays valid. The proxy is as it is now: that a change of instances made
    /// it belong to another is for the caller to find out.
    pub(crate) fn affects(&self, changes: &ChangeSet, proxy: &Proxy) -> bool {
        changes.mesh
            || self.affects_instance(changes, proxy)
            || self.affects_role(proxy)
            || self.latest.extensions.affect(&self.registry, proxy)
    }

    /// What was left out for a proxy, and why: of its own part and of the sets that it runs.
    /// Sorted, each once.
    pub(crate) fn diagnostics(&self, plan: &Plan) -> Vec<Diagnostic> {
        let mut by_name: BTreeMap<(Kind, &Arc<str>), &[Diagnostic]> = BTreeMap::new();
        for key in &plan.sets {
            by_name.extend(self.sets.diagnostics(key));
        }
        let shared = by_name.into_values().flatten();
        let mut all: Vec<Diagnostic> = shared.chain(&plan.diagnostics).cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// The Istio objects that a resource came from, as far as its name tells: the destination rule
    /// of a cluster and of its endpoints, the virtual services of routes, the gateways of a
    /// listener. Looked up in the World of the latest update.
    pub(crate) fn origins(&self, kind: Kind, name: &str) -> Vec<ObjectRef> {
        origins::origins(&self.registry, kind, name)
    }

    fn plan(&self, proxy: &Proxy) -> Plan {
        let own = own(&self.registry, proxy).finish();
        Plan {
            sets: plan::sets(proxy, &self.registry),
            own: own.resources,
            diagnostics: own.diagnostics,
        }
    }

    fn affects_instance(&self, changes: &ChangeSet, proxy: &Proxy) -> bool {
        match proxy.instance.as_deref() {
            // Where it runs may be known from the instances around it.
            Some(instance) if instance.agent.is_some() => changes.instances.contains(&instance.id),
            _ => !changes.instances.is_empty(),
        }
    }

    fn affects_role(&self, proxy: &Proxy) -> bool {
        let (before, now) = (&self.latest.located, self.registry.located());
        if before != now && before.standpoint(proxy) != now.standpoint(proxy) {
            return true;
        }
        match proxy.role {
            Role::Router => {
                // Policies demand tokens of requests at gateways, too.
                if !self.latest.authentication.is_empty() {
                    return true;
                }
                let world = &self.registry.world;
                let bound = world.gateways.iter();
                let bound = bound.filter(|gateway| {
                    let (namespace, name) = (&gateway.object.namespace, &gateway.object.name);
                    self.latest.bound.contains(&GatewayRef::Gateway {
                        namespace: namespace.clone(),
                        name: name.clone(),
                    })
                });
                let mut gateways = self.latest.gateways.iter().chain(bound);
                gateways.any(|gateway| gateway.selector.selects(&proxy.labels))
            }
            Role::Sidecar => {
                if let Some(instance) = &proxy.instance {
                    let mut policies = self.latest.authentication.iter();
                    if policies.any(|policy| policy.may_concern(instance)) {
                        return true;
                    }
                }
                let ports = &self.latest.ports;
                let contested = || sidecar::contested(&self.registry, proxy);
                let asked = self.latest.asked.as_ref();
                !ports.is_empty() && contested().iter().any(|port| ports.contains(port))
                    || asked.is_some_and(|before| before.differs(&self.registry, proxy))
            }
        }
    }
}
