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
mod fold;
mod gate;
mod ledger;
mod look;
mod plan;
mod reject;
mod status;
mod subscription;
#[cfg(test)]
mod tests;
mod track;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::flush::Flush;
use self::look::Look;
pub use self::status::{Counters, Event, Guilty, KindStatus, Mark, Nack, StreamStatus};
use self::track::Track;
use crate::kind::Kind;
use crate::message::{Mode, Request, Response};
use crate::resource::{Resource, Version};
use crate::resources::union;
use crate::snapshot::Snapshot;
use crate::withheld::Withheld;

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
    withheld: Arc<Withheld>,
    /// Clusters sent on this stream whose endpoints the client wants, or may want once it asks for
    /// endpoints, and that have not been sent since.
    owed: BTreeSet<Arc<str>>,
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
            withheld: Arc::default(),
            owed: BTreeSet::new(),
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
        if is_first && kind == Kind::Cluster {
            // What becomes of endpoints without a cluster depends on whether clusters are served.
            self.tracks[Kind::Endpoint.index()].look = Look::all();
        }
        // A nonce never survives its stream: on the first request of a kind it means nothing.
        if !is_first && !request.nonce.is_empty() {
            self.settle(kind, &request, now);
        }
        match self.mode {
            Mode::Sotw => self.fold_sotw(kind, is_first, &request),
            Mode::Delta => self.fold_delta(kind, is_first, &request),
        }
        if self.tracks[kind.index()].ledger.named() > MAX_NAMES {
            return Err(Reject::TooManyNames { kind });
        }
        Ok(())
    }

    /// Takes what the client should run from now on. The latest wins; what was on its way to an
    /// earlier one is dropped. If the snapshot knows what changed since the one before, only that
    /// is looked at.
    pub fn on_snapshot(&mut self, snapshot: Arc<Snapshot>, _now: Instant) {
        let changes = |kind| snapshot.changes_since(self.snapshot.as_ref()?, kind);
        let clusters = changes(Kind::Cluster);
        for kind in Kind::ALL {
            let changed = match kind {
                Kind::Cluster => clusters.clone(),
                // Whether endpoints are emptied or left alone depends on their cluster.
                Kind::Endpoint => clusters
                    .as_ref()
                    .and_then(|clusters| Some(union([clusters, &changes(kind)?]))),
                _ => changes(kind),
            };
            let is_first = self.snapshot.is_none();
            self.tracks[kind.index()].turn(changed.as_deref(), &snapshot, is_first);
        }
        self.snapshot = Some(snapshot);
    }

    /// Takes what must not be sent, because clients of the same version refused it.
    pub fn on_withheld(&mut self, withheld: Arc<Withheld>) {
        for track in self.tracks.iter_mut().filter(|track| track.started) {
            let changed = withheld.differences(&self.withheld, track.kind);
            track.look.at_each(Some(&changed));
        }
        self.withheld = withheld;
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
        let withheld = |track: &Track| match &self.snapshot {
            Some(snapshot) => track.refusals(snapshot, &self.withheld),
            None => BTreeSet::new(),
        };
        StreamStatus {
            mode: self.mode,
            generation: self.snapshot.as_ref().map(|snapshot| snapshot.generation),
            kinds: started
                .map(|track| (track.kind, track.status(withheld(track))))
                .collect(),
        }
    }

    /// Whether the client has answered everything it was sent, and was sent something.
    pub fn is_settled(&self) -> bool {
        let mut started = self.tracks.iter().filter(|track| track.started);
        self.seq > 0 && started.all(Track::is_idle)
    }

    /// Whether the client has acknowledged that content, or said that it has it.
    pub fn has_accepted(&self, kind: Kind, name: &str, version: Version) -> bool {
        let track = &self.tracks[kind.index()];
        let has = track.ledger.has(name);
        has.is_some_and(|has| has.is(version)) && !track.flights.carry(name)
    }

    /// The contents that are withheld from clients like this one, which has accepted them.
    pub fn accepted_withheld(&self) -> Vec<(Kind, Arc<str>, Version)> {
        let contents = self.withheld.contents();
        contents
            .filter(|(kind, name, version)| self.has_accepted(*kind, name, *version))
            .map(|(kind, name, version)| (kind, Arc::clone(name), version))
            .collect()
    }

    /// Whether the client should run that content.
    pub fn should_have(&self, kind: Kind, name: &str, version: Version) -> bool {
        let wanted = self.snapshot.as_ref().and_then(|s| s.get(kind, name));
        wanted.is_some_and(|wanted| wanted.version == version)
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
        if settled.is_empty() && track.last_seq() != Some(seq) {
            track.counters.stale += 1;
            self.events.push(Event::Stale {
                kind,
                nonce: request.nonce.clone(),
            });
        }
        if let Some(message) = &request.error {
            let version = settled
                .last()
                .map(|flight| flight.version.to_string())
                .unwrap_or_default();
            let nonce = request.nonce.clone();
            let (nack, guilty) = track.reject(settled, nonce, message, now);
            self.events.push(Event::Nacked {
                kind,
                version,
                nack,
                guilty,
            });
            return;
        }
        track.accept(&settled, now);
        let since = |at| now.saturating_duration_since(at);
        self.events
            .extend(settled.iter().map(|flight| Event::Acked {
                kind,
                nonce: flight.seq.to_string(),
                took: since(flight.at),
                converged: flight.news_of.map(since),
            }));
    }

    /// Clusters are being sent, or endpoints that were owed to them.
    fn owe(&mut self, kind: Kind, sent: &[Arc<Resource>]) {
        let endpoints = &self.tracks[Kind::Endpoint.index()];
        if kind != Kind::Cluster || self.only.is_some() {
            return;
        }
        let names = sent.iter().map(|cluster| &cluster.name);
        let wanted = names.filter(|name| !endpoints.started || endpoints.wants(name));
        let wanted = wanted.map(Arc::clone).collect();
        ledger::add_all(&mut self.owed, wanted);
    }
}
