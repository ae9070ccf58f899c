//! One stream's task: copies messages between the socket, the publisher and the machine.
//!
//! It decides nothing. Requests come first, so that a burst of them gets one answer; responses go
//! when the client has room for them, all that are ready in one flush. Between a snapshot and the
//! socket nothing waits: no timer, and no lock that is shared with other streams.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::admission::Entry;
use super::body::Outgoing;
use super::connections::{Place, SharedStream, lock};
use super::requests::Requests;
use super::service::Discovery;
use super::{Refusal, Rejection};
use crate::kind::Kind;
use crate::message::{Mode, Request, Response};
use crate::node::Node;
use crate::snapshot::Snapshot;
use crate::stream::{Event, Guilty, Nack, Reject, Stream};

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

    /// The loop: what comes in first, then what goes out.
    async fn pump(&self, live: &mut Live) -> Status {
        loop {
            let sends = live.stirred && live.entry.is_open();
            let deadline = if sends { None } else { live.deadline() };
            tokio::select! {
                biased;
                () = self.ending.cancelled() => return Status::ok("the connection is closing"),
                () = self.outgoing.closed() => return Status::cancelled("the client hung up"),
                request = live.requests.next() => match request {
                    Ok(Some((_, request))) => {
                        if let Err(status) = self.take(live, request) {
                            return status;
                        }
                    }
                    Ok(None) => return Status::ok("closed by the client"),
                    Err(status) => return status,
                },
                changed = live.snapshots.changed() => {
                    if changed.is_err() {
                        return Status::unavailable("this proxy is not served any more");
                    }
                    self.refresh(live);
                }
                () = live.stir.notified() => live.stirred = true,
                () = live.entry.turn(now), if live.entry.is_queued() => live.stirred = true,
                () = sleep_until(deadline), if deadline.is_some() => {
                    self.leave(live);
                    live.stirred = true;
                }
                permit = self.outgoing.reserve(), if sends => match permit {
                    Ok(permit) => {
                        let burst = self.next(live);
                        if !burst.is_empty() {
                            permit.send(Ok(burst));
                        }
                    }
                    Err(_) => return Status::cancelled("the client hung up"),
                },
            }
        }
    }

    fn take(&self, live: &mut Live, request: Request) -> Result<(), Status> {
        self.discovery.connections.count_request();
        let outcome = lock(&live.stream).on_request(request, now());
        self.report(live);
        self.leave(live);
        live.stirred = true;
        outcome.map_err(|reject| {
            tracing::warn!(proxy = %live.proxy.id, error = %reject, "request refused");
            reject_status(&reject)
        })
    }

    fn refresh(&self, live: &mut Live) {
        let snapshot = live.snapshots.borrow_and_update().clone();
        let Some(snapshot) = snapshot else { return };
        if matches!(live.entry, Entry::Outside) {
            live.entry = self.discovery.admission.queue(snapshot.bytes());
        }
        lock(&live.stream).on_snapshot(snapshot, now());
        self.discovery.quarantine.stir();
        live.stirred = true;
    }

    fn leave(&self, live: &mut Live) {
        if live.entry.until().is_some() {
            let settled = lock(&live.stream).is_settled();
            live.entry.leave(settled, now());
        }
    }

    /// What goes to a client that has room. The machine is asked only when everything before was
    /// taken: what changes meanwhile is merged, never queued.
    fn next(&self, live: &mut Live) -> Vec<Response> {
        let burst = lock(&live.stream).poll(now());
        live.stirred = false;
        self.report(live);
        for response in &burst {
            self.discovery.connections.count_push(response.kind);
            tracing::debug!(
                proxy = %live.proxy.id, kind = %response.kind, version = %response.version_info,
                nonce = %response.nonce, resources = response.resources.len(),
                removed = response.removed.len(), "push"
            );
        }
        burst
    }

    fn report(&self, live: &Live) {
        let events = lock(&live.stream).take_events();
        for event in &events {
            self.discovery.connections.count(event);
            log(&live.proxy.id, event);
            match event {
                Event::Nacked {
                    kind, nack, guilty, ..
                } => self.rejected(live, *kind, nack, guilty),
                Event::Acked { .. } => self.acquit(live),
                _ => {}
            }
        }
    }

    /// One proxy's rejection is news for the others like it, and for whoever made the content.
    fn rejected(&self, live: &Live, kind: Kind, nack: &Nack, guilty: &[Guilty]) {
        let Discovery {
            quarantine,
            connections,
            proxies,
            ..
        } = &self.discovery;
        let withheld = quarantine.judge(connections, &live.proxy, kind, guilty, &nack.message);
        for name in &withheld {
            tracing::warn!(
                proxy = %live.proxy.id, version = %live.proxy.version, %kind, %name,
                error = nack.message, "withheld from all proxies of this version until it changes"
            );
        }
        proxies.rejected(Rejection {
            node: Arc::clone(&live.proxy),
            kind,
            guilty: guilty.to_vec(),
            message: nack.message.clone(),
            withheld,
        });
    }

    /// The client may have accepted, late, what is withheld from others.
    fn acquit(&self, live: &Live) {
        let accepted = lock(&live.stream).accepted_withheld();
        for (kind, name, version) in accepted {
            let Discovery {
                quarantine,
                connections,
                ..
            } = &self.discovery;
            tracing::info!(proxy = %live.proxy.id, %kind, %name, "accepted here, so no longer withheld");
            quarantine.acquit(connections, &live.proxy.version, kind, &name, version);
        }
    }
}

// === impl Live ===

impl Live {
    fn deadline(&self) -> Option<Instant> {
        let room = self.entry.until();
        let machine = match self.entry.is_open() && !self.stirred {
            true => lock(&self.stream).deadline(),
            false => None,
        };
        room.into_iter().chain(machine).min()
    }
}

fn log(proxy: &str, event: &Event) {
    match event {
        Event::Acked {
            kind,
            nonce,
            took,
            converged,
        } => {
            tracing::debug!(proxy, %kind, nonce, ?took, ?converged, "ack");
        }
        Event::Nacked {
            kind,
            version,
            nack,
            ..
        } => tracing::warn!(
            proxy, %kind, version, nonce = nack.nonce, error = nack.message, names = ?nack.names,
            "rejected: the proxy keeps what it had, and this content is withheld until it changes"
        ),
        Event::Stale { kind, nonce } => tracing::debug!(proxy, %kind, nonce, "outdated nonce"),
        Event::Guard { kind } => {
            tracing::debug!(proxy, %kind, "no answer in time, sent on without it");
        }
        Event::UnknownType { type_url } => {
            tracing::info!(
                proxy,
                kind = type_url,
                "asked for a type that is not served"
            );
        }
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

/// The runtime's clock, so that tests can move it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
