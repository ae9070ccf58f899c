//! Who is connected: the registry behind status pages and metrics.
//!
//! Streams write only their own state; nothing here lies on the way of a push.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use dashmap::DashMap;
use tokio::sync::Notify;

use super::Limits;
use super::histogram::{Histogram, Recorder};
use super::quarantine::Quarantine;
use crate::kind::Kind;
use crate::node::Node;
use crate::resource::Version;
use crate::stream::{Event, Guilty, Stream, StreamStatus};

/// Identifies one stream in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// The streams of one server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    inner: Arc<Inner>,
}

/// One live stream.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Of this stream.
    pub stream: StreamId,
    /// Who it is.
    pub node: Arc<Node>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// When it connected.
    pub since: SystemTime,
    /// How far it is.
    pub status: StreamStatus,
}

/// Sums over all streams, past and present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Streams open now, including those that have not named their node yet.
    pub open: usize,
    /// Streams accepted.
    pub connects: u64,
    /// Streams refused, by limits or by [`super::Proxies`].
    pub refused: u64,
    /// Requests received.
    pub requests: u64,
    /// Responses sent, by kind.
    pub pushes: [u64; Kind::COUNT],
    /// Responses acknowledged, by kind.
    pub acks: [u64; Kind::COUNT],
    /// Responses rejected, by kind.
    pub rejects: [u64; Kind::COUNT],
    /// Requests with an outdated nonce, by kind.
    pub stale: [u64; Kind::COUNT],
    /// Guard times passed, by kind.
    pub guards: [u64; Kind::COUNT],
    /// From a response to its acknowledgement, by kind.
    pub answer_time: [Histogram; Kind::COUNT],
    /// From when a change was known to its acknowledgement, by kind: one per response and client.
    pub convergence: [Histogram; Kind::COUNT],
}

/// A stream's machine, shared with the registry for looking.
pub(super) type SharedStream = Arc<Mutex<Stream>>;

#[derive(Debug, Default)]
struct Inner {
    live: DashMap<StreamId, Live>,
    last_id: AtomicU64,
    open: AtomicUsize,
    /// Open streams by address, while that is limited.
    peers: DashMap<IpAddr, usize>,
    connects: AtomicU64,
    refused: AtomicU64,
    requests: AtomicU64,
    kinds: [KindTotals; Kind::COUNT],
}

#[derive(Debug, Default)]
struct KindTotals {
    pushes: AtomicU64,
    acks: AtomicU64,
    rejects: AtomicU64,
    stale: AtomicU64,
    guards: AtomicU64,
    answer_time: Recorder,
    convergence: Recorder,
}

#[derive(Clone, Debug)]
struct Live {
    node: Arc<Node>,
    peer: SocketAddr,
    since: SystemTime,
    stream: SharedStream,
    stir: Arc<Notify>,
}

/// A place among the open streams; given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    connections: Connections,
    pub(super) id: StreamId,
    /// Counted there as well.
    peer: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("{0} streams are open already")]
    Server(usize),
    #[error("{0} streams from this address are open already")]
    Peer(usize),
}

// === impl Connections ===

impl Connections {
    /// Every live stream, ordered by node and stream.
    pub fn list(&self) -> Vec<Connection> {
        // Copied out first: no shard stays locked while a stream is asked for its status.
        let live: Vec<(StreamId, Live)> = self
            .inner
            .live
            .iter()
            .map(|entry| (*entry.key(), entry.value().clone()))
            .collect();
        let mut list: Vec<Connection> = live
            .into_iter()
            .map(|(stream, live)| Connection {
                stream,
                status: lock(&live.stream).status(),
                node: live.node,
                peer: live.peer,
                since: live.since,
            })
            .collect();
        list.sort_by(|a, b| (&a.node.id, a.stream).cmp(&(&b.node.id, b.stream)));
        list
    }

    /// How many streams have named their node.
    pub fn len(&self) -> usize {
        self.inner.live.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.inner.live.is_empty()
    }

    /// Sums for metrics.
    pub fn totals(&self) -> Totals {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let by_kind = |field: fn(&KindTotals) -> &AtomicU64| {
            Kind::ALL.map(|kind| get(field(&self.inner.kinds[kind.index()])))
        };
        Totals {
            open: self.inner.open.load(Ordering::Relaxed),
            connects: get(&self.inner.connects),
            refused: get(&self.inner.refused),
            requests: get(&self.inner.requests),
            pushes: by_kind(|kind| &kind.pushes),
            acks: by_kind(|kind| &kind.acks),
            rejects: by_kind(|kind| &kind.rejects),
            stale: by_kind(|kind| &kind.stale),
            guards: by_kind(|kind| &kind.guards),
            answer_time: Kind::ALL.map(|k| self.inner.kinds[k.index()].answer_time.read()),
            convergence: Kind::ALL.map(|k| self.inner.kinds[k.index()].convergence.read()),
        }
    }

    /// Takes a place for a new stream, unless too many are open.
    pub(super) fn enter(&self, peer: IpAddr, limits: &Limits) -> Result<Place, Full> {
        let max = limits.max_streams;
        let open = &self.inner.open;
        let entered = open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < max).then_some(open + 1)
        });
        if entered.is_err() {
            self.count_refused();
            return Err(Full::Server(max));
        }
        let id = StreamId(self.inner.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        let mut place = Place {
            connections: self.clone(),
            id,
            peer: None,
        };
        let max = limits.max_streams_per_peer;
        if max > 0 {
            let mut open = self.inner.peers.entry(peer).or_default();
            if *open >= max {
                // The place locks the same entry when it is given back.
                drop(open);
                self.count_refused();
                return Err(Full::Peer(max));
            }
            *open += 1;
            place.peer = Some(peer);
        }
        Ok(place)
    }

    /// Whether another proxy of the same version runs that content.
    pub(super) fn accepted_elsewhere(&self, node: &Node, kind: Kind, content: &Guilty) -> bool {
        let others = self.streams(|other| other.version == node.version && other.id != node.id);
        let accepts =
            |stream: &SharedStream| lock(stream).has_accepted(kind, &content.name, content.version);
        others.iter().any(|(_, stream, _)| accepts(stream))
    }

    /// Whether any proxy should run that content.
    pub(super) fn wanted(&self, kind: Kind, name: &str, version: Version) -> bool {
        let all = self.streams(|_| true);
        all.iter()
            .any(|(_, stream, _)| lock(stream).should_have(kind, name, version))
    }

    /// How many proxies of that version are connected.
    pub(super) fn like(&self, version: &str) -> usize {
        let like = self.streams(|node| node.version == version);
        let ids: BTreeSet<&str> = like.iter().map(|(node, ..)| &*node.id).collect();
        ids.len()
    }

    /// Tells every stream of that version what it must not send.
    pub(super) fn withhold(&self, version: &str, quarantine: &Quarantine) {
        for (_, stream, stir) in self.streams(|node| node.version == version) {
            let mut stream = lock(&stream);
            // Read under the lock, so that the latest list wins.
            stream.on_withheld(quarantine.withheld(version));
            drop(stream);
            stir.notify_one();
        }
    }

    /// Copied out: no shard stays locked while streams are looked at.
    fn streams(
        &self,
        select: impl Fn(&Node) -> bool,
    ) -> Vec<(Arc<Node>, SharedStream, Arc<Notify>)> {
        let live = self.inner.live.iter();
        live.filter(|live| select(&live.node))
            .map(|live| {
                let (node, stream) = (Arc::clone(&live.node), Arc::clone(&live.stream));
                (node, stream, Arc::clone(&live.stir))
            })
            .collect()
    }

    pub(super) fn count_refused(&self) {
        add(&self.inner.refused);
    }

    pub(super) fn count_request(&self) {
        add(&self.inner.requests);
    }

    pub(super) fn count_push(&self, kind: Kind) {
        add(&self.inner.kinds[kind.index()].pushes);
    }

    pub(super) fn count(&self, event: &Event) {
        let kinds = |kind: Kind| &self.inner.kinds[kind.index()];
        match event {
            Event::Acked {
                kind,
                took,
                converged,
                ..
            } => {
                let kind = kinds(*kind);
                add(&kind.acks);
                kind.answer_time.record(*took);
                converged.iter().for_each(|t| kind.convergence.record(*t));
            }
            Event::Nacked { kind, .. } => add(&kinds(*kind).rejects),
            Event::Stale { kind, .. } => add(&kinds(*kind).stale),
            Event::Guard { kind } => add(&kinds(*kind).guards),
            Event::UnknownType { .. } => {}
        }
    }
}

// === impl Place ===

impl Place {
    /// The stream has named its node and is served from now on.
    pub(super) fn register(
        &self,
        node: Arc<Node>,
        peer: SocketAddr,
        stream: SharedStream,
        stir: Arc<Notify>,
    ) {
        add(&self.connections.inner.connects);
        let live = Live {
            node,
            peer,
            since: SystemTime::now(),
            stream,
            stir,
        };
        self.connections.inner.live.insert(self.id, live);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.inner.live.remove(&self.id);
        if let Some(peer) = self.peer
            && let dashmap::Entry::Occupied(mut open) = self.connections.inner.peers.entry(peer)
        {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
        self.connections.inner.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A panic elsewhere must not take status pages with it; the machine has no invariant that a
/// half-done step could break for readers.
pub(super) fn lock(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
