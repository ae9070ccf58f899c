//! The gRPC server around the stream machine.
//!
//! ```text
//!   listen ─► service (path, limits) ─► session (one task per stream) ─► Stream (no I/O)
//!                                          │  ▲                             │
//!                     Proxies::connect ◄───┘  └── watch<Option<Snapshot>>   ▼
//!                                                              body ─► Frames ─► h2
//! ```
//!
//! What the proxies should run is asked of [`Proxies`]; who is connected is told by
//! [`Connections`], what they refuse by [`Quarantine`].

mod admission;
mod body;
mod connections;
mod histogram;
mod listen;
mod open_files;
mod quarantine;
mod requests;
mod seldom;
mod service;
mod session;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::connections::{Connection, Connections, StreamId, Totals};
pub use self::histogram::Histogram;
pub use self::open_files::OpenFiles;
pub use self::quarantine::{Quarantine, Suspect};
use self::service::Discovery;
use crate::kind::Kind;
use crate::node::Node;
use crate::snapshot::Snapshot;
use crate::stream::{Guilty, Timing};

/// After a change, before the quarantine looks for what it healed: one look for many changes.
const SWEEP_AFTER: Duration = Duration::from_secs(1);

/// Decides what a proxy should run. Implemented by the daemon.
pub trait Proxies: Send + Sync + 'static {
    /// A proxy opened a stream. Must not block; what takes time happens behind the receiver.
    ///
    /// # Errors
    /// The proxy is not served, and its stream ends with the refusal's status.
    fn connect(
        &self,
        node: Node,
        peer: SocketAddr,
        stream: StreamId,
    ) -> Result<Subscription, Refusal>;

    /// A proxy refused a response. Must not block.
    fn rejected(&self, _rejection: Rejection) {}
}

/// A proxy's refusal, for whoever made the content.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Who refused.
    pub node: Arc<Node>,
    /// Of what kind.
    pub kind: Kind,
    /// The contents found guilty; empty while they are still being told apart.
    pub guilty: Vec<Guilty>,
    /// The proxy's words.
    pub message: String,
    /// Names that are kept from the other proxies of that version from now on.
    pub withheld: Vec<Arc<str>>,
}

/// One proxy's stream of snapshots.
pub struct Subscription {
    /// The latest snapshot; `None` until the first one is there. Closing it ends the stream.
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    /// Dropped when the stream ends.
    pub guard: Box<dyn Any + Send>,
}

/// Why a proxy is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no complete World yet; the proxy keeps what it has and tries again.
    #[error("not ready: {0}")]
    NotReady(String),
    /// The proxy describes itself in a way that we cannot use.
    #[error("invalid node: {0}")]
    Invalid(String),
    /// The proxy is not who it says it is.
    #[error("denied: {0}")]
    Denied(String),
    /// Too many for now; the proxy tries again.
    #[error("overloaded: {0}")]
    Overloaded(String),
}

/// What one client, or all together, may ask of the server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Streams open at the same time.
    pub max_streams: usize,
    /// Streams open at the same time from one address; 0 for no limit. Off by default: behind one
    /// agent of a bridge network there are as many proxies as containers, all with its address.
    pub max_streams_per_peer: usize,
    /// Initial state on its way at the same time, in bytes over all streams; 0 for no limit.
    /// Further streams wait their turn, none is refused.
    pub max_initial_bytes: usize,
    /// How long a connection lives, give or take a fifth; zero for no limit. Proxies then spread
    /// over replicas anew, and are sent nothing that they have.
    pub max_connection_age: Duration,
    /// How many proxies of one version must refuse a content before the others are not offered it.
    pub quarantine_after: usize,
    /// How long a new stream may stay silent.
    pub first_request: Duration,
    /// Size of one request. Envoy names every resource that it has when it reconnects.
    pub max_request_bytes: usize,
    /// How long a shutdown waits for clients to hang up.
    pub drain: Duration,
    /// Guard times of every stream.
    pub timing: Timing,
}

/// The server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener failed as a whole, not just one connection.
    #[error(
        "the discovery server stopped: {0}; restart it, or free the address that it listens on"
    )]
    Listener(#[from] std::io::Error),
}

/// Serves the discovery protocol.
pub struct Server {
    discovery: Discovery,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_streams: 20_000,
            max_streams_per_peer: 0,
            max_initial_bytes: 64 * 1024 * 1024,
            max_connection_age: Duration::from_secs(30 * 60),
            quarantine_after: 2,
            first_request: Duration::from_secs(10),
            max_request_bytes: 16 * 1024 * 1024,
            drain: Duration::from_secs(5),
            timing: Timing::default(),
        }
    }
}

// === impl Subscription ===

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

// === impl Server ===

impl Server {
    /// A server for these proxies. It names itself `pilothouse` to its clients.
    pub fn new(proxies: Arc<dyn Proxies>, limits: Limits) -> Server {
        let discovery = Discovery::new(proxies, limits);
        Server { discovery }
    }

    /// What the first response of every stream names as its control plane.
    pub fn named(mut self, identity: impl Into<Arc<str>>) -> Server {
        self.discovery.identity = identity.into();
        self
    }

    /// Who is connected, live. Stays valid while and after the server runs.
    pub fn connections(&self) -> Connections {
        self.discovery.connections.clone()
    }

    /// What proxies refuse, live. Stays valid while and after the server runs.
    pub fn quarantine(&self) -> Quarantine {
        self.discovery.quarantine.clone()
    }

    /// Serves plain-text HTTP/2 until `shutdown`, then ends every stream with status OK, says
    /// GOAWAY, and waits for the clients to hang up, but no longer than [`Limits::drain`].
    ///
    /// # Errors
    /// The listener failed as a whole, not just one connection.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let Discovery {
            connections,
            quarantine,
            sessions,
            limits,
            ..
        } = self.discovery.clone();
        let (ending, sockets) = (CancellationToken::new(), TaskTracker::new());
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            ended = listen::listen(listener, self.discovery, ending.clone(), sockets.clone()) => ended,
            never = tidy(&quarantine, &connections) => match never {},
        };
        ending.cancel();
        sockets.close();
        sessions.close();
        // A connection gives its client the drain time; a little more for its own end.
        let drained = async {
            sockets.wait().await;
            sessions.wait().await;
        };
        let drain = limits.drain + limits.drain / 4;
        if tokio::time::timeout(drain, drained).await.is_err() {
            let (connections, streams) = (sockets.len(), sessions.len());
            tracing::warn!(connections, streams, "clients did not hang up in time");
        }
        Ok(ended?)
    }
}

/// Keeps the quarantine free of what has been healed.
async fn tidy(quarantine: &Quarantine, connections: &Connections) -> std::convert::Infallible {
    loop {
        quarantine.stirred().await;
        tokio::time::sleep(SWEEP_AFTER).await;
        quarantine.sweep(connections);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("streams", &self.discovery.sessions.len())
            .finish_non_exhaustive()
    }
}
