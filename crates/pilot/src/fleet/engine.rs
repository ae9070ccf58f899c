//! The shared sets: compiled once, handed to every proxy that runs them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use envoy::{Compiler, Plan, SetChange, SetKey};
use model::{ChangeSet, Diagnostic, ObjectRef, Proxy, World};
use xds::{Kind, Resource, Resources, Snapshot};

/// The compiler, and what it has compiled in the form in which it is sent.
#[derive(Default)]
pub(super) struct Engine {
    compiler: Compiler,
    sets: HashMap<SetKey, Set>,
}

struct Set {
    kind: Kind,
    resources: Arc<Resources>,
}

// === impl Engine ===

impl Engine {
    /// Compiles what a change touches; tells which sets differ.
    pub(super) fn update(&mut self, world: &Arc<World>, changes: &ChangeSet) -> HashSet<SetKey> {
        let set_changes = self.compiler.update(world, changes);
        set_changes
            .into_iter()
            .map(|change| self.take(change))
            .collect()
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

    /// What a proxy runs: its shared sets, and over them what is its own.
    pub(super) fn snapshot(
        &self,
        generation: u64,
        plan: &Plan,
        own: &Own,
        since: Instant,
    ) -> Arc<Snapshot> {
        let mut builder = Snapshot::builder(generation).made_at(since);
        for set in plan.sets.iter().filter_map(|key| self.sets.get(key)) {
            builder = builder.share(set.kind, set.resources.clone());
        }
        for kind in Kind::ALL {
            builder = builder.share(kind, own[kind.index()].clone());
        }
        builder.build()
    }

    /// The Istio objects that a resource came from.
    pub(super) fn origins(&self, kind: Kind, name: &str) -> Vec<ObjectRef> {
        self.compiler.origins(compiled_kind(kind), name)
    }

    fn take(&mut self, change: SetChange) -> SetKey {
        if change.gone {
            self.sets.remove(&change.set);
            return change.set;
        }
        let kind = kind(change.kind);
        let upserts = change
            .upserts
            .into_iter()
            .map(|resource| encoded(resource).1);
        let set = self.sets.entry(change.set.clone()).or_insert_with(|| Set {
            kind,
            resources: Arc::default(),
        });
        set.resources = Arc::new(set.resources.derive(upserts, change.removals));
        change.set
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
