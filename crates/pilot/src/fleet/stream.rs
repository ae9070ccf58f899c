//! One connected proxy.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use envoy::{Plan, SetKey};
use index::{Claim, Unidentified, may_differ};
use model::{ChangeSet, Diagnostic, Proxy, World};
use parking_lot::Mutex;
use tokio::sync::watch;
use xds::{Node, Snapshot};

use super::engine::{Engine, Own, own};

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
    plan: Plan,
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
        let served = Served::new(proxy, engine);
        let first = engine.snapshot(world.generation, &served.plan, &served.own, Instant::now());
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
        touched: &HashSet<SetKey>,
        since: Instant,
    ) {
        let mut served = self.served.lock();
        let replanned = served.replan(self, engine, world, changes);
        if !replanned && !served.plan.sets.iter().any(|set| touched.contains(set)) {
            return;
        }
        let snapshot = engine.snapshot(world.generation, &served.plan, &served.own, since);
        self.snapshots.send_replace(Some(snapshot));
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
    fn new(proxy: Proxy, engine: &mut Engine) -> Served {
        let mut plan = engine.join(&proxy);
        let own = own(std::mem::take(&mut plan.own));
        Served { proxy, plan, own }
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
        let moved = changes.mesh || may_differ(&self.proxy, &claim(&stream.node), changes);
        let now = || identify(world, &stream.node, stream.peer).ok();
        let now = moved.then(now).flatten();
        let other = now.filter(|proxy| *proxy != self.proxy);
        if other.is_none() && !engine.affects(changes, &self.proxy) {
            return false;
        }
        let proxy = other.unwrap_or_else(|| self.proxy.clone());
        // Join before leave: what both plans share stays compiled.
        let before = std::mem::replace(self, Served::new(proxy, engine));
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
