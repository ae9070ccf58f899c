//! The connected proxies, and what each is served.
//!
//! A stream is identified against the present World and compiled for when it connects, and again
//! whenever a World is published. Both happen under the entry's own lock and compare generations,
//! so that a connection and a publication that cross each other end with the newer World.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use dashmap::DashMap;
use index::Claim;
use model::{Diagnostic, World};
use parking_lot::Mutex;
use tokio::sync::watch;
use xds::{Kind, Node, Refusal, Resource, Snapshot, StreamId, Subscription};

/// Handle to the connected proxies; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Fleet(Arc<Inner>);

#[derive(Default)]
struct Inner {
    world: ArcSwapOption<World>,
    streams: DashMap<StreamId, Arc<Stream>>,
}

/// One connected proxy.
struct Stream {
    node: Node,
    peer: SocketAddr,
    served: Mutex<Served>,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
}

/// What a stream was last given.
#[derive(Default)]
struct Served {
    generation: Option<u64>,
    omissions: Vec<Diagnostic>,
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

    /// Serves a new World to every connected proxy.
    pub(crate) fn publish(&self, world: Arc<World>) {
        // First the World, then the streams: a stream that connects in between sees it by itself.
        self.0.world.store(Some(world.clone()));
        let streams: Vec<Arc<Stream>> = self
            .0
            .streams
            .iter()
            .map(|entry| entry.value().clone())
            .collect();
        for stream in streams {
            stream.refresh(&world);
        }
    }

    /// What the proxy of that node id is served.
    pub(crate) fn snapshot(&self, node_id: &str) -> Option<Arc<Snapshot>> {
        let stream = self
            .0
            .streams
            .iter()
            .find(|entry| entry.value().node.id == node_id)?
            .value()
            .clone();
        let snapshot = stream.snapshots.borrow();
        snapshot.clone()
    }

    pub(crate) fn omissions(&self) -> Vec<Diagnostic> {
        self.0
            .streams
            .iter()
            .flat_map(|entry| entry.value().served.lock().omissions.clone())
            .collect()
    }
}

impl xds::Proxies for Fleet {
    fn connect(
        &self,
        node: Node,
        peer: SocketAddr,
        stream: StreamId,
    ) -> Result<Subscription, Refusal> {
        let Some(world) = self.world() else {
            return Err(Refusal::NotReady("the first complete state of the mesh has not arrived; /ready names what is pending".into()));
        };
        identify(&world, &node, peer).map_err(|e| Refusal::Invalid(e.to_string()))?;
        let (snapshots, receiver) = watch::channel(None);
        let entry = Arc::new(Stream {
            node,
            peer,
            served: Mutex::default(),
            snapshots,
        });
        self.0.streams.insert(stream, entry.clone());
        let guard = Connected {
            fleet: self.clone(),
            stream,
        };
        if let Some(world) = self.world() {
            entry.refresh(&world);
        }
        Ok(Subscription {
            snapshots: receiver,
            guard: Box::new(guard),
        })
    }
}

fn identify(
    world: &World,
    node: &Node,
    peer: SocketAddr,
) -> Result<model::Proxy, index::Unidentified> {
    let claim = Claim {
        node_id: &node.id,
        metadata: &node.metadata,
    };
    index::identify(world, &claim, peer.ip())
}

// === impl Stream ===

impl Stream {
    /// Compiles for this proxy, unless that was already done for this World or a later one.
    fn refresh(&self, world: &World) {
        let mut served = self.served.lock();
        if served
            .generation
            .is_some_and(|generation| generation >= world.generation)
        {
            return;
        }
        // The node id was good when it connected, and does not change.
        let Ok(proxy) = identify(world, &self.node, self.peer) else {
            return;
        };
        let compiled = envoy::compile(world, &proxy);
        served.generation = Some(world.generation);
        served.omissions = compiled.diagnostics;
        self.snapshots
            .send_replace(Some(snapshot(world.generation, compiled.resources)));
    }
}

fn snapshot(generation: u64, resources: Vec<envoy::Resource>) -> Arc<Snapshot> {
    let mut builder = Snapshot::builder(generation);
    for resource in resources {
        let kind = kind(resource.kind);
        builder = builder.insert(kind, Resource::new(kind, resource.name, resource.body));
    }
    builder.build()
}

/// `envoy` says what a resource is, `xds` how it is sent; neither knows the other.
fn kind(kind: envoy::Kind) -> Kind {
    match kind {
        envoy::Kind::Cluster => Kind::Cluster,
        envoy::Kind::Endpoint => Kind::Endpoint,
        envoy::Kind::Listener => Kind::Listener,
        envoy::Kind::Route => Kind::Route,
        envoy::Kind::Secret => Kind::Secret,
    }
}

// === impl Connected ===

impl Drop for Connected {
    fn drop(&mut self) {
        self.fleet.0.streams.remove(&self.stream);
    }
}
