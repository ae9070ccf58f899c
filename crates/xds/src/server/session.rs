//! One stream's task: copies messages between the socket, the publisher and the machine.
//!
//! It decides nothing. Requests come first, so that a burst of them gets one answer; responses go
//! when the client has room for them, all that are ready in one flush. Between a snapshot and the
//! socket nothing waits: no timer, and no lock that is shared with other streams.

mod pump;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use self::pump::now;
use super::Refusal;
use super::admission::Entry;
use super::body::Outgoing;
use super::connections::{Place, SharedStream, lock};
use super::requests::Requests;
use super::service::Discovery;
use crate::kind::Kind;
use crate::message::{Mode, Request};
use crate::node::Node;
use crate::snapshot::Snapshot;
use crate::stream::{Reject, Stream};

/// Everything a stream starts with.
pub(super) struct Session {
    pub(super) mode: Mode,
    pub(super) only: Option<Kind>,
    pub(super) peer: SocketAddr,
    pub(super) place: Place,
    pub(super) outgoing: mpsc::Sender<Outgoing>,
    /// Of the connection.
    pub(super) ending: CancellationToken,
    pub(super) discovery: Discovery,
}

/// A session whose client has named itself.
struct Live {
    proxy: Arc<Node>,
    requests: Requests,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    stream: SharedStream,
    /// Rung when the machine was given something by another stream.
    stir: Arc<Notify>,
    entry: Entry,
    /// Something came in since the machine was last polled.
    stirred: bool,
}

// === impl Session ===

impl Session {
    /// Serves the stream to its end, and tells the client how it ended.
    pub(super) async fn run(self, mut requests: Requests) {
        let status = match self.first(&mut requests).await {
            Ok((node, request)) => self.serve(requests, node, request).await,
            Err(status) => status,
        };
        // The client may be gone, or not reading: then there is nobody to tell.
        let told = self.outgoing.send(Err(status));
        let _ = tokio::time::timeout(self.discovery.limits.drain, told).await;
    }

    /// The first request, which must come soon and name the client.
    async fn first(&self, requests: &mut Requests) -> Result<(Node, Request), Status> {
        let limit = self.discovery.limits.first_request;
        let first = tokio::select! {
            biased;
            () = self.ending.cancelled() => return Err(Status::ok("the connection is closing")),
            first = tokio::time::timeout(limit, requests.next()) => first,
        };
        let Ok(first) = first else {
            tracing::info!(peer = %self.peer, ?limit, "stream closed: no request came");
            return Err(Status::deadline_exceeded(format!(
                "no request within {limit:?}"
            )));
        };
        let (node, request) =
            first?.ok_or_else(|| Status::ok("closed before the first request"))?;
        Ok((node.map(Node::from).unwrap_or_default(), request))
    }

    async fn serve(&self, requests: Requests, node: Node, request: Request) -> Status {
        let discovery = &self.discovery;
        let mut stream = Stream::new(self.mode, self.only, discovery.limits.timing);
        if let Err(reject) = stream.on_request(request, now()) {
            return self.refuse(&node, &reject, reject_status(&reject));
        }
        let subscription = match discovery
            .proxies
            .connect(node.clone(), self.peer, self.place.id)
        {
            Ok(subscription) => subscription,
            Err(refusal) => return self.refuse(&node, &refusal, refusal_status(&refusal)),
        };
        discovery.connections.count_request();
        let mut live = self.begin(node, stream, requests, subscription.snapshots);
        let status = self.pump(&mut live).await;
        tracing::info!(
            proxy = %live.proxy.id, stream = %self.place.id, code = ?status.code(),
            reason = status.message(), "disconnected"
        );
        discovery.quarantine.stir();
        drop(subscription.guard);
        status
    }

    fn begin(
        &self,
        node: Node,
        stream: Stream,
        requests: Requests,
        mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    ) -> Live {
        let proxy = Arc::new(node);
        let stream = Arc::new(Mutex::new(stream));
        let stir = Arc::new(Notify::new());
        self.place.register(
            Arc::clone(&proxy),
            self.peer,
            Arc::clone(&stream),
            Arc::clone(&stir),
        );
        {
            let mut stream = lock(&stream);
            // Read under the lock: whoever changes the list after this finds the stream registered.
            stream.on_withheld(self.discovery.quarantine.withheld(&proxy.version));
        }
        tracing::info!(
            proxy = %proxy.id, stream = %self.place.id, peer = %self.peer, mode = ?self.mode,
            version = %proxy.version, "connected"
        );
        snapshots.mark_changed();
        Live {
            proxy,
            requests,
            snapshots,
            stream,
            stir,
            entry: Entry::Outside,
            stirred: true,
        }
    }

    fn refuse(&self, node: &Node, error: &dyn std::fmt::Display, status: Status) -> Status {
        self.discovery.connections.count_refused();
        tracing::warn!(proxy = %node.id, peer = %self.peer, %error, "stream refused");
        status
    }
}

fn reject_status(reject: &Reject) -> Status {
    match reject {
        Reject::TooManyNames { .. } => Status::resource_exhausted(reject.to_string()),
        _ => Status::invalid_argument(reject.to_string()),
    }
}

fn refusal_status(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::NotReady(_) => Status::unavailable(text),
        Refusal::Invalid(_) => Status::invalid_argument(text),
        Refusal::Denied(_) => Status::permission_denied(text),
        Refusal::Overloaded(_) => Status::resource_exhausted(text),
    }
}
