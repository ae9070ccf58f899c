//! One connected proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use envoy::Plan;
use index::{Anchors, Claim, Unidentified};
use model::{ChangeSet, Diagnostic, Proxy, World};
use parking_lot::Mutex;
use tokio::sync::watch;
use xds::{Node, Snapshot};

use super::engine::{Engine, Own, Place, own};

/// Where a stream finds its latest snapshot.
pub(super) type Snapshots = watch::Receiver<Option<Arc<Snapshot>>>;

/// A stream, who it is, and what it was last given.
pub(super) struct Stream {
    node: Node,
    peer: SocketAddr,
    served: Mutex<Served>,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
}

struct Served {
    proxy: Proxy,
    anchors: Anchors,
    plan: Plan,
    /// Of the plan's sets.
    places: Box<[Place]>,
    /// The plan's own resources, in the form in which they are sent.
    own: Own,
}

// === impl Stream ===

impl Stream {
    /// Identifies a proxy and gives it its first snapshot.
    pub(super) fn open(
        node: Node,
        peer: SocketAddr,
        engine: &mut Engine,
        world: &World,
    ) -> Result<(Stream, Snapshots), Unidentified> {
        let proxy = identify(world, &node, peer)?;
        let served = Served::new(proxy, &node, engine);
        let first = served.snapshot(engine, world, Instant::now());
        let (snapshots, receiver) = watch::channel(Some(first));
        Ok((
            Stream {
                node,
                peer,
                served: Mutex::new(served),
                snapshots,
            },
            receiver,
        ))
    }

    /// Gives the proxy a new snapshot if the change concerns it.
    pub(super) fn refresh(
        &self,
        engine: &mut Engine,
        world: &World,
        changes: &ChangeSet,
        since: Instant,
    ) {
        let mut served = self.served.lock();
        let before = match served.replan(self, engine, world, changes) {
            true => None,
            false => self.snapshot(),
        };
        let next = match before {
            Some(before) => served.next(engine, &before, world, since),
            None => Some(served.snapshot(engine, world, since)),
        };
        if let Some(next) = next {
            self.snapshots.send_replace(Some(next));
        }
    }

    pub(super) fn close(&self, engine: &mut Engine) {
        engine.leave(&self.served.lock().plan);
    }

    pub(super) fn is(&self, node_id: &str) -> bool {
        self.node.id == node_id
    }

    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshots.borrow().clone()
    }

    pub(super) fn omissions(&self, engine: &Engine) -> Vec<Diagnostic> {
        engine.omissions(&self.served.lock().plan)
    }
}

// === impl Served ===

impl Served {
    fn new(proxy: Proxy, node: &Node, engine: &mut Engine) -> Served {
        let mut plan = engine.join(&proxy);
        let own = own(std::mem::take(&mut plan.own));
        Served {
            anchors: Anchors::of(&proxy, &claim(node)),
            places: engine.places(&plan),
            proxy,
            plan,
            own,
        }
    }

    fn snapshot(&self, engine: &Engine, world: &World, since: Instant) -> Arc<Snapshot> {
        engine.snapshot(world.generation, &self.places, &self.own, since)
    }

    fn next(
        &self,
        engine: &Engine,
        before: &Snapshot,
        world: &World,
        since: Instant,
    ) -> Option<Arc<Snapshot>> {
        engine.next(before, world.generation, &self.places, &self.own, since)
    }

    /// Plans again if the change concerns the proxy itself; tells whether it did.
    fn replan(
        &mut self,
        stream: &Stream,
        engine: &mut Engine,
        world: &World,
        changes: &ChangeSet,
    ) -> bool {
        // Who a proxy is depends on instances alone; its node id does not change.
        let moved = changes.mesh || self.anchors.moved_by(changes);
        let now = || identify(world, &stream.node, stream.peer).ok();
        let now = moved.then(now).flatten();
        let other = now.filter(|proxy| *proxy != self.proxy);
        if other.is_none() && !engine.affects(changes, &self.proxy) {
            return false;
        }
        let proxy = other.unwrap_or_else(|| self.proxy.clone());
        // Join before leave: what both plans share stays compiled.
        let before = std::mem::replace(self, Served::new(proxy, &stream.node, engine));
        engine.leave(&before.plan);
        true
    }
}

fn identify(world: &World, node: &Node, peer: SocketAddr) -> Result<Proxy, Unidentified> {
    index::identify(world, &claim(node), peer.ip())
}

fn claim(node: &Node) -> Claim<'_> {
    Claim {
        node_id: &node.id,
        metadata: &node.metadata,
    }
}
