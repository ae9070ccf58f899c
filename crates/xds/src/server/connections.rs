//! Who is connected: the registry behind status pages and metrics.
//!
//! Streams write only their own state; nothing here lies on the way of a push.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use dashmap::DashMap;

use crate::kind::Kind;
use crate::node::Node;
use crate::stream::{Event, Stream, StreamStatus};

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
}

/// A stream's machine, shared with the registry for looking.
pub(super) type SharedStream = Arc<Mutex<Stream>>;

#[derive(Debug, Default)]
struct Inner {
    live: DashMap<StreamId, Live>,
    last_id: AtomicU64,
    open: AtomicUsize,
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
}

#[derive(Clone, Debug)]
struct Live {
    node: Arc<Node>,
    peer: SocketAddr,
    since: SystemTime,
    stream: SharedStream,
}

/// A place among the open streams; given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    connections: Connections,
    pub(super) id: StreamId,
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
        }
    }

    /// Takes a place for a new stream, unless `max` are open.
    pub(super) fn enter(&self, max: usize) -> Option<Place> {
        let open = &self.inner.open;
        let entered = open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < max).then_some(open + 1)
        });
        if entered.is_err() {
            self.count_refused();
            return None;
        }
        let id = StreamId(self.inner.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        Some(Place {
            connections: self.clone(),
            id,
        })
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
            Event::Acked { kind, .. } => add(&kinds(*kind).acks),
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
    pub(super) fn register(&self, node: Arc<Node>, peer: SocketAddr, stream: SharedStream) {
        add(&self.connections.inner.connects);
        let live = Live {
            node,
            peer,
            since: SystemTime::now(),
            stream,
        };
        self.connections.inner.live.insert(self.id, live);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.inner.live.remove(&self.id);
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
