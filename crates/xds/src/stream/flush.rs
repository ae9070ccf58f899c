//! What is written, in which order, and what waits.
//!
//! One flush walks the kinds in make-before-break order and ends with the removals. Whatever cannot
//! go yet leaves the time at which to look again in `wake`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::gate::{self, ClusterGate};
use super::look::Look;
use super::plan::{Plan, View};
use super::status::Event;
use super::track::Stamp;
use super::{Mode, Stream};
use crate::kind::Kind;
use crate::message::Response;
use crate::resource::{Resource, Version};
use crate::snapshot::Snapshot;

/// Removals follow their referrers: listeners name routes and clusters, clusters name endpoints.
const REMOVAL_ORDER: [Kind; Kind::COUNT] = [
    Kind::Listener,
    Kind::Cluster,
    Kind::Route,
    Kind::Endpoint,
    Kind::Secret,
];

/// One look at the stream at one time.
pub(super) struct Flush<'a> {
    stream: &'a mut Stream,
    snapshot: Arc<Snapshot>,
    now: Instant,
    out: Vec<Response>,
}

impl<'a> Flush<'a> {
    pub(super) fn new(stream: &'a mut Stream, snapshot: Arc<Snapshot>, now: Instant) -> Self {
        Flush {
            stream,
            snapshot,
            now,
            out: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Vec<Response> {
        self.stream.wake = None;
        for kind in Kind::ALL {
            let withheld = &self.stream.withheld;
            self.stream.tracks[kind.index()].forgive(&self.snapshot, withheld);
        }
        for kind in Kind::ALL {
            self.additions(kind);
        }
        for kind in REMOVAL_ORDER {
            self.removals(kind);
        }
        for track in &mut self.stream.tracks {
            track.recover(self.now);
        }
        self.out
    }

    /// Sends what is new, changed or asked for.
    fn additions(&mut self, kind: Kind) {
        let paired = kind == Kind::Endpoint && self.owes_endpoints();
        let track = &self.stream.tracks[kind.index()];
        if !track.has_work() && !paired {
            return;
        }
        // Endpoints go right behind their cluster, whatever else is under way: Envoy withholds its
        // answers while the cluster warms, and the cluster warms until its endpoints come.
        if !paired && self.is_blocked(kind) {
            return;
        }
        self.stream.tracks[kind.index()].confirm(&self.snapshot);
        let mut plan = self.view(kind).plan();
        #[cfg(test)]
        self.assert_nothing_overlooked(kind, &plan);
        self.note_gone(kind, &plan);
        let later = self.isolate(kind, &mut plan);
        match kind {
            Kind::Listener | Kind::Route => self.send_gated(kind, plan, later),
            Kind::Cluster | Kind::Endpoint | Kind::Secret => self.send(kind, plan, later),
        }
        let track = &mut self.stream.tracks[kind.index()];
        track
            .ledger
            .compact(self.snapshot.layers(kind), track.subscription.is_wildcard());
    }

    /// A walk over everything finds what the names to look at brought, and no more.
    #[cfg(test)]
    fn assert_nothing_overlooked(&self, kind: Kind, plan: &Plan) {
        let mut walked = self.view(kind).walk();
        let gone = &self.stream.tracks[kind.index()].gone;
        walked.gone.retain(|name| !gone.contains_key(name));
        let mut plan = Plan {
            send: plan.send.clone(),
            absent: plan.absent.clone(),
            gone: plan.gone.clone(),
        };
        plan.gone.retain(|name| !gone.contains_key(name));
        assert_eq!(plan, walked, "{kind}: a name was overlooked");
    }

    /// A full set was rejected and nobody named: leaves only the next group of suspects in the
    /// plan, and returns the names that have to wait for the answer.
    fn isolate(&mut self, kind: Kind, plan: &mut Plan) -> BTreeSet<Arc<str>> {
        let track = &mut self.stream.tracks[kind.index()];
        if !track.full_set || track.suspects.is_empty() {
            return BTreeSet::new();
        }
        let limit = |resource: &Arc<Resource>| track.suspects.get(&resource.name).copied();
        let Some(size) = plan.send.iter().filter_map(limit).min() else {
            track.suspects.clear();
            return BTreeSet::new();
        };
        let group: BTreeSet<Arc<str>> = plan
            .send
            .iter()
            .filter(|resource| limit(resource) == Some(size))
            .take(size)
            .map(|resource| Arc::clone(&resource.name))
            .collect();
        let (now, later): (Vec<_>, Vec<_>) = plan
            .send
            .drain(..)
            .partition(|resource| group.contains(&resource.name));
        plan.send = now;
        later
            .into_iter()
            .map(|resource| Arc::clone(&resource.name))
            .collect()
    }

    /// Sends what may point to clusters, except for what these clusters are not ready for.
    fn send_gated(&mut self, kind: Kind, mut plan: Plan, mut later: BTreeSet<Arc<str>>) {
        let waiting = self.waiting(kind, &plan);
        if waiting.is_empty() || self.has_waited(kind) {
            self.stream.tracks[kind.index()].waiting_since = None;
            return self.send(kind, plan, later);
        }
        plan.send
            .retain(|resource| !waiting.contains(&resource.name));
        later.extend(waiting);
        let track = &mut self.stream.tracks[kind.index()];
        let nothing = plan.send.is_empty() && plan.absent.is_empty();
        if nothing {
            track.look = Look::names(later);
        } else if !track.would_tear(&later) {
            self.send(kind, plan, later);
        }
    }

    /// Whether content of this kind has waited for clusters as long as it may.
    fn has_waited(&mut self, kind: Kind) -> bool {
        let track = &mut self.stream.tracks[kind.index()];
        let since = *track.waiting_since.get_or_insert(self.now);
        let until = since + self.stream.timing.cluster_guard;
        if until <= self.now {
            self.guard_passed(kind);
            return true;
        }
        self.stream.wake_at(until);
        false
    }

    fn waiting(&self, kind: Kind, plan: &Plan) -> BTreeSet<Arc<str>> {
        if plan.send.is_empty() {
            return BTreeSet::new();
        }
        let track = &self.stream.tracks[kind.index()];
        let clusters = &self.stream.tracks[Kind::Cluster.index()];
        let gate = ClusterGate::new(clusters, &self.snapshot, &self.stream.withheld);
        plan.send
            .iter()
            .filter(|resource| !gate.is_open(track, resource))
            .map(|resource| Arc::clone(&resource.name))
            .collect()
    }

    /// Sends a plan, as one response or as many. The names in `later` stay to be looked at.
    fn send(&mut self, kind: Kind, plan: Plan, later: BTreeSet<Arc<str>>) {
        let track = &mut self.stream.tracks[kind.index()];
        track.look = Look::names(later.clone());
        let nothing = plan.send.is_empty() && plan.absent.is_empty() && !track.answer_owed;
        if nothing {
            track.due.clear();
        } else {
            self.stream.owe(kind, &plan.send);
            self.write(kind, plan, &later);
        }
        let track = &mut self.stream.tracks[kind.index()];
        track.due.retain(|name| later.contains(name));
        if later.is_empty() {
            track.news = None;
        }
        if kind == Kind::Endpoint {
            // All that was owed was in the plan.
            self.stream.owed.clear();
        }
    }

    fn write(&mut self, kind: Kind, plan: Plan, later: &BTreeSet<Arc<str>>) {
        let track = &mut self.stream.tracks[kind.index()];
        if track.full_set {
            let keep = track.gone.keys().map(Arc::clone).collect();
            let all = self.view(kind).full_set(later, &keep);
            self.emit(kind, Some(&plan.send), all, Vec::new());
        } else if self.stream.mode == Mode::Delta {
            self.send_parts(kind, plan.send, plan.absent);
        } else {
            // State of the world can only leave them out.
            plan.absent.iter().for_each(|name| track.forget(name));
            self.send_parts(kind, plan.send, Vec::new());
        }
    }

    /// Route configurations go one per response: Envoy stops at the first bad one in a response,
    /// in no defined order, so a bad route must not share a response with good ones. Secrets as
    /// well; and a refused one that is sent again, alone, would be acknowledged without being read,
    /// because Envoy remembers its content before it looks for the files.
    fn send_parts(&mut self, kind: Kind, send: Vec<Arc<Resource>>, absent: Vec<Arc<str>>) {
        let track = &self.stream.tracks[kind.index()];
        let (alone, together): (Vec<_>, Vec<_>) = send.into_iter().partition(|resource| {
            matches!(kind, Kind::Route | Kind::Secret)
                || track.suspects.contains_key(&resource.name)
        });
        if alone.is_empty() || !together.is_empty() || !absent.is_empty() {
            self.emit(kind, None, together, absent);
        }
        for resource in alone {
            self.emit(kind, None, vec![resource], Vec::new());
        }
    }

    /// Takes away what the snapshot no longer has, once nothing uses it or the guard time passed.
    fn removals(&mut self, kind: Kind) {
        let track = &self.stream.tracks[kind.index()];
        if track.gone.is_empty() || !track.look.is_clean() {
            return;
        }
        let (tracks, withheld) = (&self.stream.tracks, &self.stream.withheld);
        let settled = gate::referrers_settled(tracks, kind, &self.snapshot, withheld)
            && !(self.stream.only.is_none() && gate::referrers_expected(&self.stream.tracks, kind));
        let guard = self.stream.timing.removal_guard;
        let now = self.now;
        let (ripe, unripe): (Vec<_>, Vec<_>) = track
            .gone
            .iter()
            .partition(|(_, since)| settled || **since + guard <= now);
        let next = unripe.iter().map(|(_, since)| **since + guard).min();
        let ripe: Vec<Arc<str>> = ripe.into_iter().map(|(name, _)| Arc::clone(name)).collect();
        let keep: BTreeSet<Arc<str>> = unripe.into_iter().map(|(n, _)| Arc::clone(n)).collect();
        if let Some(next) = next {
            self.stream.wake_at(next);
        }
        if ripe.is_empty() || self.is_blocked(kind) {
            return;
        }
        if !settled {
            self.guard_passed(kind);
        }
        self.remove(kind, ripe, &keep);
    }

    fn remove(&mut self, kind: Kind, ripe: Vec<Arc<str>>, keep: &BTreeSet<Arc<str>>) {
        if kind == Kind::Cluster {
            ripe.iter().for_each(|name| {
                self.stream.owed.remove(name);
            });
        }
        let track = &mut self.stream.tracks[kind.index()];
        if track.full_set {
            ripe.iter().for_each(|name| track.forget(name));
            let all = self.view(kind).full_set(&BTreeSet::new(), keep);
            self.emit(kind, Some(&[]), all, Vec::new());
        } else if self.stream.mode == Mode::Delta {
            self.emit(kind, None, Vec::new(), ripe);
        } else {
            // State of the world has no removal for these kinds; the client drops the name itself.
            ripe.iter().for_each(|name| track.forget(name));
        }
    }

    /// Writes one response and what it changes in our picture of the client: all of its resources,
    /// or those that `changed`.
    fn emit(
        &mut self,
        kind: Kind,
        changed: Option<&[Arc<Resource>]>,
        resources: Vec<Arc<Resource>>,
        removed: Vec<Arc<str>>,
    ) {
        self.stream.seq += 1;
        let seq = self.stream.seq;
        let changed = changed.unwrap_or(&resources);
        let track = &mut self.stream.tracks[kind.index()];
        let version = match track.full_set {
            true => Version::of_set(&resources),
            false => self.snapshot.version(kind),
        };
        let stamp = Stamp {
            seq,
            version,
            at: self.now,
        };
        // A full set carries names that wait or stay; only the changed ones are news.
        let news_of = track
            .news
            .filter(|_| !changed.is_empty() || !removed.is_empty());
        track.record(stamp, news_of, changed, &removed);
        self.out.push(Response {
            kind,
            version_info: version.to_string(),
            nonce: seq.to_string(),
            resources,
            removed,
        });
    }

    /// Brings the names to be taken away up to what the plan looked at.
    fn note_gone(&mut self, kind: Kind, plan: &Plan) {
        let now = self.now;
        let owed = &self.stream.owed;
        let track = &mut self.stream.tracks[kind.index()];
        match track.look.only() {
            Some(names) => {
                let asked = track
                    .due
                    .iter()
                    .chain(owed.iter().filter(|_| kind == Kind::Endpoint));
                for name in names
                    .iter()
                    .chain(asked)
                    .filter(|name| !plan.gone.contains(*name))
                {
                    track.gone.remove(name);
                }
            }
            None => track.gone.retain(|name, _| plan.gone.contains(name)),
        }
        for name in &plan.gone {
            track.gone.entry(Arc::clone(name)).or_insert(now);
        }
    }

    /// Whether a cluster was sent and its endpoints, which the client asked for, were not.
    fn owes_endpoints(&self) -> bool {
        self.stream.tracks[Kind::Endpoint.index()].started && !self.stream.owed.is_empty()
    }

    fn is_blocked(&mut self, kind: Kind) -> bool {
        let guard = self.stream.timing.cluster_guard;
        let track = &self.stream.tracks[kind.index()];
        match track.blocked_until(self.now, guard) {
            Some(until) => {
                self.stream.wake_at(until);
                true
            }
            None => {
                if !track.flights.is_empty() {
                    self.guard_passed(kind);
                }
                false
            }
        }
    }

    fn guard_passed(&mut self, kind: Kind) {
        self.stream.tracks[kind.index()].counters.guarded += 1;
        self.stream.events.push(Event::Guard { kind });
    }

    fn view(&self, kind: Kind) -> View<'_> {
        View {
            track: &self.stream.tracks[kind.index()],
            snapshot: &self.snapshot,
            withheld: &self.stream.withheld,
            clusters: &self.stream.tracks[Kind::Cluster.index()],
            owed: (kind == Kind::Endpoint).then_some(&self.stream.owed),
        }
    }
}
