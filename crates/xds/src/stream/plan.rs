//! The difference between what a client should have and what it has.
//!
//! Everything here is a pure function of one kind's state and the snapshot; when to send it is
//! decided in `flush`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::track::{Held, Track};
use crate::kind::Kind;
use crate::ordered::{Pair, join};
use crate::resource::Resource;
use crate::snapshot::Snapshot;

/// What is to be sent for one kind.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// To add or replace, in order of names.
    pub(crate) send: Vec<Arc<Resource>>,
    /// Asked for and not there: to be said at once.
    pub(crate) absent: Vec<Arc<str>>,
    /// Held and not there any more: to be taken away when nothing refers to it.
    pub(crate) gone: BTreeSet<Arc<str>>,
}

/// What the plan for one kind looks at.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) track: &'a Track,
    pub(crate) snapshot: &'a Snapshot,
    /// The clusters of the same stream, for EDS.
    pub(crate) clusters: &'a Track,
    /// Names to be sent because their cluster was: EDS only.
    pub(crate) owed: &'a BTreeSet<Arc<str>>,
}

// === impl View ===

impl View<'_> {
    /// Compares wanted and held, name by name.
    pub(crate) fn plan(self) -> Plan {
        let mut plan = Plan::default();
        let (track, snapshot) = (self.track, self.snapshot);
        if track.subscription.is_wildcard() {
            for (name, pair) in join(snapshot.named(track.kind), track.held.iter()) {
                match pair {
                    Pair::Left(wanted) => self.present(&mut plan, name, wanted, None),
                    Pair::Both(wanted, held) => self.present(&mut plan, name, wanted, Some(held)),
                    Pair::Right(held) => self.vanished(&mut plan, name, held),
                }
            }
            // Names given beside the wildcard that nobody knows.
            for name in &track.due {
                if snapshot.get(track.kind, name).is_none() && !track.held.contains_key(name) {
                    self.missing(&mut plan, name);
                }
            }
            plan.send.sort_by(|a, b| a.name.cmp(&b.name));
            return plan;
        }
        for name in track.subscription.names() {
            match (snapshot.get(track.kind, name), track.held.get(name)) {
                (Some(wanted), held) => self.present(&mut plan, name, wanted, held),
                (None, Some(held)) => self.vanished(&mut plan, name, held),
                (None, None) => self.missing(&mut plan, name),
            }
        }
        plan
    }

    /// The complete set that a state-of-the-world response must hold: new content except for the
    /// names in `waiting`, which stay as the client has them, and names in `keep`, which the
    /// snapshot no longer has. Rejected content is replaced by the last good one, or left out.
    pub(crate) fn full_set(
        self,
        waiting: &BTreeSet<Arc<str>>,
        keep: &BTreeSet<Arc<str>>,
    ) -> Vec<Arc<Resource>> {
        let (track, snapshot) = (self.track, self.snapshot);
        let named = snapshot.named(track.kind);
        join(named, track.held.iter())
            .filter(|(name, _)| track.subscription.contains(name))
            .filter_map(|(name, pair)| {
                let (wanted, held) = match pair {
                    Pair::Left(wanted) => (Some(wanted), None),
                    Pair::Right(held) => (None, Some(held)),
                    Pair::Both(wanted, held) => (Some(wanted), Some(held)),
                };
                match wanted {
                    Some(wanted) if !waiting.contains(name) && !self.is_rejected(wanted) => {
                        Some(wanted)
                    }
                    None if !keep.contains(name) => None,
                    // It has something from an earlier stream, which only naming it preserves.
                    Some(wanted) if matches!(held, Some(Held::Unknown)) => Some(wanted),
                    _ => held.and_then(Held::body),
                }
            })
            .map(Arc::clone)
            .collect()
    }

    /// The snapshot has it.
    fn present(
        self,
        plan: &mut Plan,
        name: &Arc<str>,
        wanted: &Arc<Resource>,
        held: Option<&Held>,
    ) {
        let due = self.track.due.contains(name);
        let owed = self.owed.contains(name);
        if self.is_rejected(wanted) {
            // The cluster would stay warming without endpoints: the last good ones, or none.
            let good = held.and_then(Held::body).map(Arc::clone);
            if owed {
                plan.send.extend(good.or_else(|| self.empty(name)));
            }
        } else if due || owed || !held.is_some_and(|held| held.is(wanted.version)) {
            plan.send.push(Arc::clone(wanted));
        }
    }

    /// The client has it, the snapshot does not.
    fn vanished(self, plan: &mut Plan, name: &Arc<str>, held: &Held) {
        match self.track.kind {
            Kind::Endpoint => self.vanished_endpoint(plan, name, held),
            Kind::Route => self.vanished_route(plan, name, held),
            Kind::Secret if self.track.due.contains(name) => plan.absent.push(Arc::clone(name)),
            Kind::Secret | Kind::Cluster | Kind::Listener => {
                plan.gone.insert(Arc::clone(name));
            }
        }
    }

    /// Endpoints of a cluster that stays are drained by an empty assignment: Envoy ignores
    /// `removed_resources` on an active cluster. Endpoints of a cluster that goes are left alone
    /// until it is gone, or requests that still run into it would fail.
    fn vanished_endpoint(self, plan: &mut Plan, name: &Arc<str>, held: &Held) {
        let asked = self.is_asked(name);
        let cluster_stays = self.snapshot.get(Kind::Cluster, name).is_some();
        let cluster_goes = !cluster_stays && self.clusters.held.contains_key(name);
        let empty = self.empty(name);
        let is_empty = empty.as_ref().is_some_and(|empty| held.is(empty.version));
        match held {
            _ if is_empty && !asked => {}
            Held::Sent(last) if cluster_goes && asked => plan.send.push(Arc::clone(last)),
            // A reconnect in the middle of a removal. On a warming cluster this ends the warming,
            // on an active one it changes nothing.
            Held::Told(_) if !cluster_stays => plan.absent.push(Arc::clone(name)),
            _ if cluster_stays || asked || !self.clusters.started => self.push_empty(plan, empty),
            _ => {
                plan.gone.insert(Arc::clone(name));
            }
        }
    }

    /// A route configuration that nothing refers to any more. Its listener may still be draining,
    /// so it is never emptied.
    fn vanished_route(self, plan: &mut Plan, name: &Arc<str>, held: &Held) {
        let empty = self.empty(name);
        if self.is_asked(name) {
            let last = held.body().map(Arc::clone);
            self.push_empty(plan, last.or(empty));
        } else if !empty.is_some_and(|empty| held.is(empty.version)) {
            plan.gone.insert(Arc::clone(name));
        }
    }

    /// Neither the snapshot nor the client has it. Never stay silent: the client waits.
    fn missing(self, plan: &mut Plan, name: &Arc<str>) {
        if !self.is_asked(name) {
            return;
        }
        match self.empty(name) {
            Some(empty) => plan.send.push(empty),
            None => plan.absent.push(Arc::clone(name)),
        }
    }

    fn push_empty(self, plan: &mut Plan, empty: Option<Arc<Resource>>) {
        // Whoever asks, or warms a cluster, gets an answer, even one that it once refused.
        plan.send
            .extend(empty.filter(|empty| self.is_asked(&empty.name) || !self.is_rejected(empty)));
    }

    fn is_asked(self, name: &Arc<str>) -> bool {
        self.track.due.contains(name) || self.owed.contains(name)
    }

    fn is_rejected(self, resource: &Resource) -> bool {
        self.track.rejected.get(&resource.name) == Some(&resource.version)
    }

    fn empty(self, name: &Arc<str>) -> Option<Arc<Resource>> {
        Resource::empty(self.track.kind, name)
    }
}
