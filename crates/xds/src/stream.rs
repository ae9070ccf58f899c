//! One client's stream as a machine without I/O and without a clock.
//!
//! Requests, snapshots and the time go in; responses come out. Nothing waits here: `poll` says what
//! may be written now, `deadline` when to ask again. Every rule of the protocol and of
//! make-before-break is therefore a plain test.
//!
//! ```text
//!   on_request ─► subscription, flight (ACK, NACK) ─┐
//!   on_snapshot ────────────────────────────────────┼─► track ─► plan ─► gate ─► flush ─► poll
//!   now ────────────────────────────────────────────┘    (per kind)
//! ```

mod blame;
mod flight;
mod flush;
mod gate;
mod plan;
mod status;
mod subscription;
#[cfg(test)]
mod tests;
mod track;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::flush::Flush;
pub use self::status::{Counters, Event, KindStatus, Mark, Nack, StreamStatus};
use self::track::{Held, Track};
use crate::kind::Kind;
use crate::message::{Mode, Request, Response};
use crate::snapshot::Snapshot;

/// How many unknown types of one client are remembered, so that each is reported once.
const MAX_UNKNOWN_TYPES: usize = 16;
/// How many names one client may subscribe to, per kind. Memory of a stream grows with them.
const MAX_NAMES: usize = 200_000;

/// How long to wait for a client that does not answer.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// For an ACK, before sending on, and before routes go out without their clusters' ACK.
    pub cluster_guard: Duration,
    /// For referrers to let go, before removing what they refer to.
    pub removal_guard: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            cluster_guard: Duration::from_secs(3),
            removal_guard: Duration::from_secs(5),
        }
    }
}

/// Why a request ends its stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The first request names no node.
    #[error(
        "the first request of a stream must carry node.id; set `node: {{id: ...}}` in the client's bootstrap"
    )]
    NoNode,
    /// A later request names another node.
    #[error(
        "node.id changed within a stream from {was:?} to {is:?}; open a new stream for another node"
    )]
    NodeChanged {
        /// Of the first request.
        was: String,
        /// Of this one.
        is: String,
    },
    /// An aggregated stream cannot guess the type.
    #[error("type_url is empty; an aggregated stream needs it in every request")]
    NoType,
    /// A stream of one type was asked for another.
    #[error(
        "type_url {type_url:?} does not belong on a stream for {expected}; use the aggregated service for several types"
    )]
    ForeignType {
        /// What was asked for.
        type_url: String,
        /// What the stream serves.
        expected: &'static str,
    },
    /// More names than a client may subscribe to.
    #[error(
        "more than {MAX_NAMES} names subscribed for {kind}; subscribe to the wildcard or to fewer names"
    )]
    TooManyNames {
        /// Of which kind.
        kind: Kind,
    },
}

/// One stream of one client.
#[derive(Debug)]
pub struct Stream {
    mode: Mode,
    only: Option<Kind>,
    timing: Timing,
    node_id: Option<String>,
    snapshot: Option<Arc<Snapshot>>,
    tracks: [Track; Kind::COUNT],
    /// Clusters sent on this stream whose endpoints have not been sent since.
    owed: BTreeSet<Arc<str>>,
    nothing_owed: BTreeSet<Arc<str>>,
    /// The kind of the first request. Endpoints first means that the client reconnected while a
    /// cluster was warming.
    first: Option<Kind>,
    /// Number of the last response; nonces are these numbers, unique on the stream.
    seq: u64,
    wake: Option<Instant>,
    events: Vec<Event>,
    unknown_types: BTreeSet<String>,
}

// === impl Stream ===

impl Stream {
    /// A new stream: for all kinds, or `only` for one (the per-type services).
    pub fn new(mode: Mode, only: Option<Kind>, timing: Timing) -> Stream {
        Stream {
            mode,
            only,
            timing,
            node_id: None,
            snapshot: None,
            tracks: Kind::ALL.map(|kind| Track::new(kind, mode)),
            owed: BTreeSet::new(),
            nothing_owed: BTreeSet::new(),
            first: None,
            seq: 0,
            wake: None,
            events: Vec::new(),
            unknown_types: BTreeSet::new(),
        }
    }

    /// Takes a request: the answer to earlier responses in it, then what it subscribes to.
    ///
    /// # Errors
    /// The request breaks the protocol in a way that ends the stream.
    pub fn on_request(&mut self, request: Request, now: Instant) -> Result<(), Reject> {
        self.check_node(&request)?;
        let Some(kind) = self.kind_of(&request)? else {
            return Ok(());
        };
        self.first.get_or_insert(kind);
        let is_first = !std::mem::replace(&mut self.tracks[kind.index()].started, true);
        // A nonce never survives its stream: on the first request of a kind it means nothing.
        if !is_first && !request.nonce.is_empty() {
            self.settle(kind, &request, now);
        }
        match self.mode {
            Mode::Sotw => self.fold_sotw(kind, is_first, &request),
            Mode::Delta => self.fold_delta(kind, is_first, &request),
        }
        if self.tracks[kind.index()].subscription.names().len() > MAX_NAMES {
            return Err(Reject::TooManyNames { kind });
        }
        Ok(())
    }

    /// Takes what the client should run from now on. The latest wins; what was on its way to an
    /// earlier one is dropped.
    pub fn on_snapshot(&mut self, snapshot: Arc<Snapshot>, _now: Instant) {
        for kind in Kind::ALL {
            let changed = |kind| match &self.snapshot {
                Some(before) => before.version(kind) != snapshot.version(kind),
                None => true,
            };
            // Whether endpoints are emptied or left alone depends on their cluster.
            let changed = changed(kind) || (kind == Kind::Endpoint && changed(Kind::Cluster));
            self.tracks[kind.index()].dirty |= changed;
        }
        self.snapshot = Some(snapshot);
    }

    /// What may be written now, in order. Empty before the first snapshot.
    pub fn poll(&mut self, now: Instant) -> Vec<Response> {
        match &self.snapshot {
            Some(snapshot) => {
                let snapshot = Arc::clone(snapshot);
                Flush::new(self, snapshot, now).run()
            }
            None => Vec::new(),
        }
    }

    /// When `poll` must be called again even if nothing comes in. Valid after a `poll`.
    pub fn deadline(&self) -> Option<Instant> {
        self.wake
    }

    /// How far the client is.
    pub fn status(&self) -> StreamStatus {
        let started = self.tracks.iter().filter(|track| track.started);
        StreamStatus {
            mode: self.mode,
            generation: self.snapshot.as_ref().map(|snapshot| snapshot.generation),
            kinds: started.map(|track| (track.kind, track.status())).collect(),
        }
    }

    /// What happened since the last call, for logs and metrics.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn wake_at(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    fn check_node(&mut self, request: &Request) -> Result<(), Reject> {
        let is = request.node_id.as_deref().unwrap_or_default();
        match &self.node_id {
            None if is.is_empty() => Err(Reject::NoNode),
            None => {
                self.node_id = Some(is.to_string());
                Ok(())
            }
            // Only the first request must carry a node.
            Some(was) if is.is_empty() || was == is => Ok(()),
            Some(was) => Err(Reject::NodeChanged {
                was: was.clone(),
                is: is.to_string(),
            }),
        }
    }

    /// The kind a request is about; `None` for a type that we do not serve, which is no error:
    /// clients ask for what they know, and carry on without.
    fn kind_of(&mut self, request: &Request) -> Result<Option<Kind>, Reject> {
        let url = &request.type_url;
        let kind = Kind::from_type_url(url);
        match self.only {
            Some(only) if url.is_empty() || kind == Some(only) => Ok(Some(only)),
            Some(only) => {
                let expected = only.type_url();
                Err(Reject::ForeignType {
                    type_url: url.clone(),
                    expected,
                })
            }
            None if url.is_empty() => Err(Reject::NoType),
            None => {
                if kind.is_none() {
                    self.note_unknown(url);
                }
                Ok(kind)
            }
        }
    }

    fn note_unknown(&mut self, url: &str) {
        if self.unknown_types.len() < MAX_UNKNOWN_TYPES
            && self.unknown_types.insert(url.to_string())
        {
            self.events.push(Event::UnknownType {
                type_url: url.to_string(),
            });
        }
    }

    /// Applies ACK or NACK. Only `error_detail` makes a NACK: versions and nonces cannot tell,
    /// because a rejection may come with the current version.
    fn settle(&mut self, kind: Kind, request: &Request, now: Instant) {
        let track = &mut self.tracks[kind.index()];
        let seq = request.nonce.parse().unwrap_or_default();
        let settled = track.flights.settle(seq);
        if settled.is_empty() && track.last_nonce() != Some(&request.nonce) {
            track.counters.stale += 1;
            self.events.push(Event::Stale {
                kind,
                nonce: request.nonce.clone(),
            });
        }
        if let Some(message) = &request.error {
            let version = settled
                .last()
                .map(|flight| flight.version_info.clone())
                .unwrap_or_default();
            let nack = track.reject(settled, request.nonce.clone(), message.clone(), now);
            self.events.push(Event::Nacked {
                kind,
                version,
                nack,
            });
            return;
        }
        track.accept(&settled, now);
        self.events
            .extend(settled.iter().map(|flight| Event::Acked {
                kind,
                nonce: flight.seq.to_string(),
                took: now.saturating_duration_since(flight.at),
            }));
    }

    fn fold_sotw(&mut self, kind: Kind, is_first: bool, request: &Request) {
        let track = &mut self.tracks[kind.index()];
        let change = track.subscription.replace(kind, &request.names);
        if is_first {
            track.fresh = request.version.is_empty();
            track.dirty = true;
        }
        if change.is_empty() {
            return;
        }
        for name in &change.dropped {
            track.forget(name);
        }
        // Something was asked for, so something is said, even if it is that there is nothing. The
        // client cannot tell us which names it has from an earlier stream, only that it has some.
        track.answer_owed |= change.wildcard_added || !change.added.is_empty();
        for name in change.added {
            if !track.fresh && is_first {
                track.held.insert(Arc::clone(&name), Held::Unknown);
            }
            track.ask(name);
        }
        track.shrink(change.wildcard_dropped);
        // Who wants nothing any more is owed nothing: an empty full set would mean "delete all".
        track.answer_owed &= !track.subscription.is_empty();
        track.dirty = true;
    }

    fn fold_delta(&mut self, kind: Kind, is_first: bool, request: &Request) {
        // Endpoints first: the client lost its stream while a cluster was warming, and will not
        // ask for clusters before it has endpoints, even though it may name their versions.
        let trusted = !(kind == Kind::Endpoint && self.first == Some(Kind::Endpoint));
        let track = &mut self.tracks[kind.index()];
        let change =
            track
                .subscription
                .adjust(kind, is_first, &request.names, &request.unsubscribe);
        if is_first {
            track.resume(&request.initial_versions);
            // Envoy's back-off only resets when it receives something, and an empty set must be
            // said to be empty, or the client waits for it.
            let wildcard = track.subscription.is_wildcard();
            track.answer_owed = !track.subscription.is_empty()
                && (kind == Kind::Cluster || self.only.is_some() || (wildcard && track.fresh));
            track.dirty = true;
        }
        if change.is_empty() {
            return;
        }
        track.answer_owed |= change.wildcard_added && !is_first;
        for name in change.dropped {
            track.forget(&name);
            // Still covered by the wildcard: the client must learn whether it exists.
            if track.subscription.contains(&name) {
                track.ask(name);
            }
        }
        for name in change.added {
            let resumed = is_first && trusted && track.held.contains_key(&name);
            if !resumed {
                track.ask(name);
            }
        }
        track.shrink(change.wildcard_dropped);
        // Who wants nothing any more is owed nothing: an empty full set would mean "delete all".
        track.answer_owed &= !track.subscription.is_empty();
        track.dirty = true;
    }
}
