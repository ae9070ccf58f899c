//! The gRPC server around the stream machine.
//!
//! ```text
//!   Server ─► service (path, limits) ─► session (one task per stream) ─► Stream (no I/O)
//!                                          │  ▲                             │
//!                     Proxies::connect ◄───┘  └── watch<Option<Snapshot>>   ▼
//!                                                              body ─► Frames ─► h2
//! ```
//!
//! What the proxies should run is asked of [`Proxies`]; who is connected is told by
//! [`Connections`].

mod body;
mod connections;
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
use tonic::transport::server::TcpIncoming;

pub use self::connections::{Connection, Connections, StreamId, Totals};
use self::service::Discovery;
use crate::node::Node;
use crate::snapshot::Snapshot;
use crate::stream::Timing;

/// HTTP/2 pings go out this often, and a peer that does not answer is dead.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// The transport failed as a whole, not just one connection.
    #[error(
        "the discovery server stopped: {0}; restart it, or free the address that it listens on"
    )]
    Transport(#[from] tonic::transport::Error),
}

/// Serves the discovery protocol.
pub struct Server {
    discovery: Discovery,
    drain: Duration,
    shutdown: CancellationToken,
    sessions: TaskTracker,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_streams: 20_000,
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
        let shutdown = CancellationToken::new();
        let sessions = TaskTracker::new();
        let drain = limits.drain;
        let discovery = Discovery::new(proxies, limits, shutdown.clone(), sessions.clone());
        Server {
            discovery,
            drain,
            shutdown,
            sessions,
        }
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

    /// Serves plain-text HTTP/2 until `shutdown`, then ends every stream with status OK, says
    /// GOAWAY, and waits for the clients to hang up, but no longer than [`Limits::drain`].
    ///
    /// # Errors
    /// The transport failed as a whole.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let Server {
            discovery,
            drain,
            shutdown: token,
            sessions,
        } = self;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let signal = async {
            shutdown.await;
            token.cancel();
        };
        let serving = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .serve_with_incoming_shutdown(discovery, incoming, signal);
        let overdue = async {
            token.cancelled().await;
            tokio::time::sleep(drain).await;
        };
        tokio::select! {
            result = serving => result?,
            () = overdue => tracing::warn!(?drain, "clients did not hang up in time"),
        }
        token.cancel();
        sessions.close();
        if tokio::time::timeout(drain, sessions.wait()).await.is_err() {
            tracing::warn!(streams = sessions.len(), "streams did not end in time");
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("streams", &self.sessions.len())
            .finish_non_exhaustive()
    }
}
