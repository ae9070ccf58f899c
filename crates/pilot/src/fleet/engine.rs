//! The shared sets: compiled once, handed to every proxy that runs them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use envoy::{Compiler, Plan, SetChange, SetKey};
use model::{ChangeSet, Diagnostic, ObjectRef, Proxy, World};
use slab::Slab;
use xds::{Kind, Resource, Resources, Snapshot, SnapshotBuilder};

/// The compiler, and what it has compiled in the form in which it is sent.
#[derive(Default)]
pub(super) struct Engine {
    compiler: Compiler,
    sets: Slab<Set>,
    /// Where each set is, so that a change that concerns thousands of proxies looks up no key.
    places: HashMap<SetKey, Place>,
    /// How many there were.
    updates: u64,
}

/// Of a set, as long as a plan that has it is joined.
pub(super) type Place = usize;

struct Set {
    kind: Kind,
    resources: Arc<Resources>,
    /// The update that changed it last.
    changed: u64,
}

// === impl Engine ===

impl Engine {
    /// Compiles what a change touches.
    pub(super) fn update(&mut self, world: &Arc<World>, changes: &ChangeSet) {
        self.updates += 1;
        for change in self.compiler.update(world, changes) {
            self.take(change);
        }
    }

    /// Whether the latest update may have made the plan of a proxy another.
    pub(super) fn affects(&self, changes: &ChangeSet, proxy: &Proxy) -> bool {
        self.compiler.affects(changes, proxy)
    }

    /// What was left out for a proxy, and why.
    pub(super) fn omissions(&self, plan: &Plan) -> Vec<Diagnostic> {
        self.compiler.diagnostics(plan)
    }

    /// Plans for a proxy that connected, or whose plan no longer holds.
    pub(super) fn join(&mut self, proxy: &Proxy) -> Plan {
        let (plan, set_changes) = self.compiler.join(proxy);
        for change in set_changes {
            self.take(change);
        }
        plan
    }

    pub(super) fn leave(&mut self, plan: &Plan) {
        for change in self.compiler.leave(plan) {
            self.take(change);
        }
    }

    /// Where the sets of a plan are, in its order.
    pub(super) fn places(&self, plan: &Plan) -> Box<[Place]> {
        let sets = plan.sets.iter();
        sets.filter_map(|set| self.places.get(set))
            .copied()
            .collect()
    }

    /// What a proxy runs: its shared sets, and over them what is its own.
    pub(super) fn snapshot(
        &self,
        generation: u64,
        places: &[Place],
        own: &Own,
        since: Instant,
    ) -> Arc<Snapshot> {
        let builder = Snapshot::builder(generation).made_at(since);
        let share = |builder, kind| self.share(builder, kind, places, own);
        Kind::ALL.into_iter().fold(builder, share).build()
    }

    /// What a proxy runs after the latest update, which left its plan as it was; `None` if that
    /// changed none of its sets. Only kinds with a set that changed are put together again.
    pub(super) fn next(
        &self,
        before: &Snapshot,
        generation: u64,
        places: &[Place],
        own: &Own,
        since: Instant,
    ) -> Option<Arc<Snapshot>> {
        let mut changed = [false; Kind::COUNT];
        for set in places.iter().map(|place| &self.sets[*place]) {
            changed[set.kind.index()] |= set.changed == self.updates;
        }
        if !changed.contains(&true) {
            return None;
        }
        let builder = Snapshot::builder(generation).made_at(since);
        let next = Kind::ALL.into_iter().fold(builder, |builder, kind| {
            if changed[kind.index()] {
                self.share(builder, kind, places, own)
            } else {
                builder.keep(kind, before)
            }
        });
        Some(next.build())
    }

    fn share(
        &self,
        builder: SnapshotBuilder,
        kind: Kind,
        places: &[Place],
        own: &Own,
    ) -> SnapshotBuilder {
        let sets = places.iter().map(|place| &self.sets[*place]);
        sets.filter(|set| set.kind == kind)
            .map(|set| &set.resources)
            .chain([&own[kind.index()]])
            .fold(builder, |builder, set| builder.share(kind, set.clone()))
    }

    /// The Istio objects that a resource came from.
    pub(super) fn origins(&self, kind: Kind, name: &str) -> Vec<ObjectRef> {
        self.compiler.origins(compiled_kind(kind), name)
    }

    fn take(&mut self, change: SetChange) {
        if change.gone {
            if let Some(place) = self.places.remove(&change.set) {
                self.sets.remove(place);
            }
            return;
        }
        let upserts = change.upserts.into_iter();
        let upserts = upserts.map(|resource| encoded(resource).1);
        let place = *self.places.entry(change.set).or_insert_with(|| {
            self.sets.insert(Set {
                kind: kind(change.kind),
                resources: Arc::default(),
                changed: 0,
            })
        });
        let set = &mut self.sets[place];
        set.resources = Arc::new(set.resources.derive(upserts, change.removals));
        set.changed = self.updates;
    }
}

/// What a proxy shares with no other, by kind: the last layer of its snapshots.
pub(super) type Own = [Arc<Resources>; Kind::COUNT];

pub(super) fn own(resources: Vec<envoy::Resource>) -> Own {
    let mut by_kind = Kind::ALL.map(|_| Vec::new());
    for (kind, resource) in resources.into_iter().map(encoded) {
        by_kind[kind.index()].push(resource);
    }
    by_kind.map(|resources| Arc::new(resources.into_iter().collect()))
}

/// A resource in the form in which it is sent.
fn encoded(resource: envoy::Resource) -> (Kind, Arc<Resource>) {
    let kind = kind(resource.kind);
    (kind, Resource::new(kind, resource.name, resource.body))
}

/// `envoy` says what a resource is, `xds` how it is sent; neither knows the other.
const KINDS: [(envoy::Kind, Kind); Kind::COUNT] = [
    (envoy::Kind::Cluster, Kind::Cluster),
    (envoy::Kind::Endpoint, Kind::Endpoint),
    (envoy::Kind::Listener, Kind::Listener),
    (envoy::Kind::Route, Kind::Route),
    (envoy::Kind::Secret, Kind::Secret),
];

fn kind(kind: envoy::Kind) -> Kind {
    KINDS[kind as usize].1
}

fn compiled_kind(kind: Kind) -> envoy::Kind {
    KINDS[kind.index()].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_crates_speak_of_the_same_kinds_in_the_same_order() {
        for (compiled, sent) in KINDS {
            assert_eq!((kind(compiled), compiled_kind(sent)), (sent, compiled));
            assert_eq!(compiled.type_url(), sent.type_url());
        }
    }
}
