//! The difference between what a client should have and what it has.
//!
//! Everything here is a pure function of one kind's state and the snapshot; when to send it is
//! decided in `flush`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ledger::{Has, pays};
use super::track::Track;
use crate::kind::Kind;
use crate::ordered::{Pair, join};
use crate::resource::Resource;
use crate::snapshot::Snapshot;
use crate::withheld::Withheld;

/// What is to be sent for one kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// To add or replace, in order of names.
    pub(crate) send: Vec<Arc<Resource>>,
    /// Asked for and not there: to be said at once, in order.
    pub(crate) absent: Vec<Arc<str>>,
    /// Held and not there any more: to be taken away when nothing refers to it.
    pub(crate) gone: BTreeSet<Arc<str>>,
}

/// What the plan for one kind looks at.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) track: &'a Track,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) withheld: &'a Withheld,
    /// The clusters of the same stream, for EDS.
    pub(crate) clusters: &'a Track,
    /// Names to be sent because their cluster was: EDS only.
    pub(crate) owed: Option<&'a BTreeSet<Arc<str>>>,
}

// === impl View ===

impl View<'_> {
    /// Compares wanted and held, for the names that there is a reason to look at.
    pub(crate) fn plan(self) -> Plan {
        match self.track.look.only() {
            Some(names) => self.glance(names),
            None => self.walk(),
        }
    }

    /// Compares these names and those that were asked for.
    fn glance(self, names: &BTreeSet<Arc<str>>) -> Plan {
        let mut plan = Plan::default();
        let asked = self.track.due.iter().chain(self.owed.into_iter().flatten());
        let names: BTreeSet<&Arc<str>> = names.iter().chain(asked).collect();
        for name in names {
            if self.track.wants(name) {
                self.compare(&mut plan, name);
            }
        }
        plan
    }

    /// Compares name by name.
    pub(crate) fn walk(self) -> Plan {
        let mut plan = Plan::default();
        let track = self.track;
        if !track.subscription.is_wildcard() {
            self.walk_named(&mut plan);
            return plan;
        }
        let wanted = self.snapshot.layers(track.kind).named();
        for (name, pair) in join(wanted, track.ledger.holdings()) {
            match pair {
                Pair::Left(wanted) => self.present(&mut plan, wanted, None),
                Pair::Both(wanted, held) => self.present(&mut plan, wanted, Some(held)),
                Pair::Right(held) => self.vanished(&mut plan, name, held),
            }
        }
        // Names given beside the wildcard that nobody knows.
        for name in &track.due {
            let known = self.snapshot.get(track.kind, name).is_some();
            if !known && track.ledger.has(name).is_none() {
                self.missing(&mut plan, name);
            }
        }
        plan.send.sort_by(|a, b| a.name.cmp(&b.name));
        plan.absent.sort();
        plan
    }

    /// The names that the client named, in order.
    fn walk_named(self, plan: &mut Plan) {
        let ledger = &self.track.ledger;
        let layers = self.snapshot.layers(self.track.kind);
        if !pays(ledger.named(), layers.most()) {
            for name in ledger.names() {
                self.compare(plan, name);
            }
            return;
        }
        for (name, pair) in join(layers.named(), ledger.wanted()) {
            match pair {
                Pair::Left(_) => {}
                Pair::Both(wanted, held) => self.present(plan, wanted, held),
                Pair::Right(Some(held)) => self.vanished(plan, name, held),
                Pair::Right(None) => self.missing(plan, name),
            }
        }
    }

    fn compare(self, plan: &mut Plan, name: &Arc<str>) {
        let wanted = self.snapshot.get(self.track.kind, name);
        match (wanted, self.track.ledger.has(name)) {
            (Some(wanted), held) => self.present(plan, wanted, held),
            (None, Some(held)) => self.vanished(plan, name, held),
            (None, None) => self.missing(plan, name),
        }
    }

    /// The complete set that a state-of-the-world response must hold: new content except for the
    /// names in `waiting`, which stay as the client has them, and names in `keep`, which the
    /// snapshot no longer has. Refused content is replaced by the last good one, or left out.
    pub(crate) fn full_set(
        self,
        waiting: &BTreeSet<Arc<str>>,
        keep: &BTreeSet<Arc<str>>,
    ) -> Vec<Arc<Resource>> {
        let track = self.track;
        let wanted = self.snapshot.layers(track.kind).named();
        join(wanted, track.ledger.holdings())
            .filter(|(name, _)| track.wants(name))
            .filter_map(|(name, pair)| {
                let (wanted, held) = match pair {
                    Pair::Left(wanted) => (Some(wanted), None),
                    Pair::Right(held) => (None, Some(held)),
                    Pair::Both(wanted, held) => (Some(wanted), Some(held)),
                };
                match wanted {
                    Some(wanted) if !waiting.contains(name) && !self.is_refused(wanted) => {
                        Some(wanted)
                    }
                    None if !keep.contains(name) => None,
                    // It has something from an earlier stream, which only naming it preserves.
                    Some(wanted) if matches!(held, Some(Has::Unknown)) => Some(wanted),
                    Some(wanted) if !waiting.contains(name) => self.last_good(wanted, held),
                    _ => held.and_then(Has::body),
                }
            })
            .map(Arc::clone)
            .collect()
    }

    /// The snapshot has it.
    fn present(self, plan: &mut Plan, wanted: &Arc<Resource>, held: Option<Has<'_>>) {
        let asked = || self.is_asked(&wanted.name);
        if self.is_refused(wanted) {
            self.refused(plan, wanted, held, asked());
        } else if !held.is_some_and(|held| held.is(wanted.version)) || asked() {
            plan.send.push(Arc::clone(wanted));
        }
    }

    /// The snapshot's content is not for this client, which goes on with the last good one. One
    /// that has none gets what others like it accepted, if that is known.
    fn refused(self, plan: &mut Plan, wanted: &Arc<Resource>, held: Option<Has<'_>>, asked: bool) {
        match self.last_good(wanted, held) {
            Some(good) if asked || held.is_none() => plan.send.push(Arc::clone(good)),
            // Whoever asks must not wait for ever: a cluster would stay warming.
            None if asked && held.is_none() => match self.empty(&wanted.name) {
                Some(empty) => plan.send.push(empty),
                None => plan.absent.push(Arc::clone(&wanted.name)),
            },
            None if asked => plan.send.extend(self.empty(&wanted.name)),
            _ => {}
        }
    }

    fn last_good<'h>(
        &'h self,
        wanted: &Resource,
        held: Option<Has<'h>>,
    ) -> Option<&'h Arc<Resource>> {
        let stand_in = || self.withheld.stand_in(self.track.kind, wanted);
        let accepted = |stand_in: &&Arc<Resource>| !self.is_refused(stand_in);
        held.and_then(Has::body)
            .or_else(|| stand_in().filter(accepted))
    }

    /// The client has it, the snapshot does not.
    fn vanished(self, plan: &mut Plan, name: &Arc<str>, held: Has<'_>) {
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
    fn vanished_endpoint(self, plan: &mut Plan, name: &Arc<str>, held: Has<'_>) {
        let asked = self.is_asked(name);
        let cluster_stays = self.snapshot.get(Kind::Cluster, name).is_some();
        let cluster_goes = !cluster_stays && self.clusters.ledger.has(name).is_some();
        let empty = self.empty(name);
        let is_empty = empty.as_ref().is_some_and(|empty| held.is(empty.version));
        match held {
            _ if is_empty && !asked => {}
            Has::Sent(last) if cluster_goes && asked => {
                plan.send.push(Arc::clone(last));
                if !is_empty {
                    plan.gone.insert(Arc::clone(name));
                }
            }
            // A reconnect in the middle of a removal. On a warming cluster this ends the warming,
            // on an active one it changes nothing.
            Has::Told(_) if !cluster_stays => plan.absent.push(Arc::clone(name)),
            _ if cluster_stays || asked || !self.clusters.started => self.push_empty(plan, empty),
            _ => {
                plan.gone.insert(Arc::clone(name));
            }
        }
    }

    /// A route configuration that nothing refers to any more. Its listener may still be draining,
    /// so it is never emptied.
    fn vanished_route(self, plan: &mut Plan, name: &Arc<str>, held: Has<'_>) {
        let empty = self.empty(name);
        let is_empty = empty.as_ref().is_some_and(|empty| held.is(empty.version));
        if !is_empty && (held.body().is_some() || !self.is_asked(name)) {
            plan.gone.insert(Arc::clone(name));
        }
        if self.is_asked(name) {
            let last = held.body().map(Arc::clone);
            self.push_empty(plan, last.or(empty));
        }
    }

    /// Neither the snapshot nor the client has it. Never stay silent: the client waits.
    fn missing(self, plan: &mut Plan, name: &Arc<str>) {
        // By wildcard, a cluster without endpoints is none that the client asked about.
        let due = self.track.due.contains(name);
        if !due && (self.track.subscription.is_wildcard() || !self.is_asked(name)) {
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
            .extend(empty.filter(|empty| self.is_asked(&empty.name) || !self.is_refused(empty)));
    }

    fn is_asked(self, name: &Arc<str>) -> bool {
        self.track.due.contains(name) || self.owed.is_some_and(|owed| owed.contains(name))
    }

    fn is_refused(self, resource: &Resource) -> bool {
        self.track.is_refused(resource, self.withheld)
    }

    fn empty(self, name: &Arc<str>) -> Option<Arc<Resource>> {
        Resource::empty(self.track.kind, name)
    }
}
