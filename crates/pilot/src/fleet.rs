//! The connected proxies, and what each is served.
//!
//! ```text
//!   World + ChangeSet ─► Engine (compiler, shared sets) ─► Snapshot per proxy ─► xds
//!                          ▲
//!   connect, disconnect ───┘
//! ```
//!
//! One lock orders publications and connections. It is held while resources are compiled and
//! snapshots are put together, never while anything is sent: streams wait on their own channels.

mod engine;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use dashmap::DashMap;
use model::{ChangeSet, Diagnostic, ObjectRef, World};
use parking_lot::Mutex;
use xds::{Kind, Node, Refusal, Rejection, Snapshot, StreamId, Subscription};

use self::engine::Engine;
use self::stream::Stream;
use crate::rejection;

/// Handle to the connected proxies; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Fleet(Arc<Inner>);

#[derive(Default)]
struct Inner {
    world: ArcSwapOption<World>,
    /// The generation that every connected proxy has been brought to, or is not concerned by.
    served: AtomicU64,
    engine: Mutex<Engine>,
    streams: DashMap<StreamId, Arc<Stream>>,
}

/// Takes a stream out of the fleet when it is dropped.
struct Connected {
    fleet: Fleet,
    stream: StreamId,
}

// === impl Fleet ===

impl Fleet {
    pub(crate) fn world(&self) -> Option<Arc<World>> {
        self.0.world.load_full()
    }

    /// Brings every connected proxy to a new World; those that the change does not concern are
    /// not even looked at twice.
    pub(crate) fn publish(&self, world: Arc<World>, changes: &ChangeSet, since: Instant) {
        if changes.is_empty() {
            self.0.world.store(Some(world));
            return;
        }
        let mut engine = self.0.engine.lock();
        engine.update(&world, changes);
        self.0.world.store(Some(world.clone()));
        let streams: Vec<Arc<Stream>> = self
            .0
            .streams
            .iter()
            .map(|entry| entry.value().clone())
            .collect();
        for stream in streams {
            stream.refresh(&mut engine, &world, changes, since);
        }
        self.0.served.store(world.generation, Ordering::Release);
    }

    /// The generation that a stream is at, given the one of the snapshot that it has taken up: if
    /// that is the last one made for it, what came later does not concern it.
    pub(crate) fn generation(&self, stream: StreamId, taken: Option<u64>) -> Option<u64> {
        // Read first: a later publication may only make the answer too old, never too new.
        let served = self.0.served.load(Ordering::Acquire);
        let made = self.0.streams.get(&stream)?.snapshot()?.generation;
        let taken = taken?;
        Some(if taken == made {
            taken.max(served)
        } else {
            taken
        })
    }

    /// What the proxy of that node id is served.
    pub(crate) fn snapshot(&self, node_id: &str) -> Option<Arc<Snapshot>> {
        let stream = self
            .0
            .streams
            .iter()
            .find(|entry| entry.value().is(node_id))?
            .value()
            .clone();
        stream.snapshot()
    }

    /// The Istio objects that a resource came from.
    pub(crate) fn origins(&self, kind: Kind, name: &str) -> Vec<ObjectRef> {
        self.0.engine.lock().origins(kind, name)
    }

    pub(crate) fn omissions(&self) -> Vec<Diagnostic> {
        let engine = self.0.engine.lock();
        let streams = self.0.streams.iter();
        streams
            .flat_map(|entry| entry.value().omissions(&engine))
            .collect()
    }
}

impl xds::Proxies for Fleet {
    fn connect(&self, node: Node, peer: SocketAddr, id: StreamId) -> Result<Subscription, Refusal> {
        let mut engine = self.0.engine.lock();
        let Some(world) = self.world() else {
            let why = "the first complete state of the mesh has not arrived; /ready names what is pending";
            return Err(Refusal::NotReady(why.into()));
        };
        let (stream, snapshots) = Stream::open(node, peer, &mut engine, &world)
            .map_err(|unidentified| Refusal::Invalid(unidentified.to_string()))?;
        self.0.streams.insert(id, Arc::new(stream));
        let guard = Connected {
            fleet: self.clone(),
            stream: id,
        };
        Ok(Subscription {
            snapshots,
            guard: Box::new(guard),
        })
    }

    fn rejected(&self, rejection: Rejection) {
        // Naming its objects waits for publications; the thread that serves streams must not.
        let fleet = self.clone();
        let log = move || rejection::log(&rejection, |kind, name| fleet.origins(kind, name));
        tokio::task::spawn_blocking(log);
    }
}

// === impl Connected ===

impl Drop for Connected {
    fn drop(&mut self) {
        if let Some((_, stream)) = self.fleet.0.streams.remove(&self.stream) {
            stream.close(&mut self.fleet.0.engine.lock());
        }
    }
}
