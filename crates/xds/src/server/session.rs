//! One stream's task: copies messages between the socket, the publisher and the machine.
//!
//! It decides nothing. Requests come first, so that a burst of them gets one answer; responses go
//! when the client has room for one.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::body::Outgoing;
use super::connections::{Connections, Place, SharedStream, lock};
use super::{Limits, Proxies, Refusal};
use crate::kind::Kind;
use crate::message::{Mode, Request, Response};
use crate::node::Node;
use crate::snapshot::Snapshot;
use crate::stream::{Event, Reject, Stream};
use crate::wire::WireRequest;

/// Everything a stream starts with.
pub(super) struct Session {
    pub(super) mode: Mode,
    pub(super) only: Option<Kind>,
    pub(super) peer: SocketAddr,
    pub(super) place: Place,
    pub(super) outgoing: mpsc::Sender<Outgoing>,
    pub(super) connections: Connections,
    pub(super) proxies: Arc<dyn Proxies>,
    pub(super) limits: Arc<Limits>,
    pub(super) shutdown: CancellationToken,
}

/// A session whose client has named itself.
struct Live<R> {
    proxy: Arc<Node>,
    requests: Streaming<R>,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    stream: SharedStream,
    /// Sent by the machine, not yet taken by the client.
    queue: VecDeque<Response>,
    /// Something came in since the machine was last polled.
    stirred: bool,
}

// === impl Session ===

impl Session {
    /// Serves the stream to its end, and tells the client how it ended.
    pub(super) async fn run<R: WireRequest>(self, mut requests: Streaming<R>) {
        let status = match self.first(&mut requests).await {
            Ok((node, request)) => self.serve(requests, node, request).await,
            Err(status) => status,
        };
        // The client may be gone, or not reading: then there is nobody to tell.
        let told = self.outgoing.send(Err(status));
        let _ = tokio::time::timeout(self.limits.drain, told).await;
    }

    /// The first request, which must come soon and name the client.
    async fn first<R: WireRequest>(
        &self,
        requests: &mut Streaming<R>,
    ) -> Result<(Node, Request), Status> {
        let first = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Err(Status::ok("shutting down")),
            first = tokio::time::timeout(self.limits.first_request, requests.message()) => first,
        };
        let Ok(first) = first else {
            let limit = self.limits.first_request;
            tracing::info!(peer = %self.peer, ?limit, "stream closed: no request came");
            return Err(Status::deadline_exceeded(format!(
                "no request within {limit:?}"
            )));
        };
        let first = first?.ok_or_else(|| Status::ok("closed before the first request"))?;
        let (node, request) = first.split();
        Ok((node.map(Node::from).unwrap_or_default(), request))
    }

    async fn serve<R: WireRequest>(
        &self,
        requests: Streaming<R>,
        node: Node,
        request: Request,
    ) -> Status {
        let mut stream = Stream::new(self.mode, self.only, self.limits.timing);
        if let Err(reject) = stream.on_request(request, now()) {
            return self.refuse(&node, &reject, reject_status(&reject));
        }
        let subscription = match self.proxies.connect(node.clone(), self.peer, self.place.id) {
            Ok(subscription) => subscription,
            Err(refusal) => return self.refuse(&node, &refusal, refusal_status(&refusal)),
        };
        self.connections.count_request();
        let proxy = Arc::new(node);
        let stream = Arc::new(Mutex::new(stream));
        self.place
            .register(Arc::clone(&proxy), self.peer, Arc::clone(&stream));
        tracing::info!(
            proxy = %proxy.id, stream = %self.place.id, peer = %self.peer, mode = ?self.mode,
            version = %proxy.version, "connected"
        );
        let mut snapshots = subscription.snapshots;
        snapshots.mark_changed();
        let queue = VecDeque::new();
        let mut live = Live {
            proxy,
            requests,
            snapshots,
            stream,
            queue,
            stirred: true,
        };
        let status = self.pump(&mut live).await;
        tracing::info!(
            proxy = %live.proxy.id, stream = %self.place.id, code = ?status.code(),
            reason = status.message(), "disconnected"
        );
        drop(subscription.guard);
        status
    }

    fn refuse(&self, node: &Node, error: &dyn std::fmt::Display, status: Status) -> Status {
        self.connections.count_refused();
        tracing::warn!(proxy = %node.id, peer = %self.peer, %error, "stream refused");
        status
    }

    /// The loop: what comes in first, then what goes out.
    async fn pump<R: WireRequest>(&self, live: &mut Live<R>) -> Status {
        loop {
            let waits = !live.stirred && live.queue.is_empty();
            let deadline = if waits {
                lock(&live.stream).deadline()
            } else {
                None
            };
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Status::ok("shutting down"),
                () = self.outgoing.closed() => return Status::cancelled("the client hung up"),
                request = live.requests.message() => match request {
                    Ok(Some(request)) => {
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
                    live.refresh();
                }
                () = sleep_until(deadline), if deadline.is_some() => live.stirred = true,
                permit = self.outgoing.reserve(), if !waits => match permit {
                    Ok(permit) => {
                        if let Some(response) = self.next(live) {
                            permit.send(Ok(response));
                        }
                    }
                    Err(_) => return Status::cancelled("the client hung up"),
                },
            }
        }
    }

    fn take<R: WireRequest>(&self, live: &mut Live<R>, request: R) -> Result<(), Status> {
        let (_, request) = request.split();
        self.connections.count_request();
        let outcome = lock(&live.stream).on_request(request, now());
        self.report(live);
        live.stirred = true;
        outcome.map_err(|reject| {
            tracing::warn!(proxy = %live.proxy.id, error = %reject, "request refused");
            reject_status(&reject)
        })
    }

    /// The next response for a client that has room for it. The machine is asked only when
    /// everything before was taken: what changes meanwhile is merged, never queued.
    fn next<R>(&self, live: &mut Live<R>) -> Option<Response> {
        if live.queue.is_empty() {
            live.queue.extend(lock(&live.stream).poll(now()));
            live.stirred = false;
            self.report(live);
        }
        let response = live.queue.pop_front()?;
        self.connections.count_push(response.kind);
        tracing::debug!(
            proxy = %live.proxy.id, kind = %response.kind, version = %response.version_info,
            nonce = %response.nonce, resources = response.resources.len(),
            removed = response.removed.len(), "push"
        );
        Some(response)
    }

    fn report<R>(&self, live: &Live<R>) {
        let events = lock(&live.stream).take_events();
        for event in &events {
            self.connections.count(event);
            log(&live.proxy.id, event);
        }
    }
}

// === impl Live ===

impl<R> Live<R> {
    fn refresh(&mut self) {
        let snapshot = self.snapshots.borrow_and_update().clone();
        if let Some(snapshot) = snapshot {
            lock(&self.stream).on_snapshot(snapshot, now());
            self.stirred = true;
        }
    }
}

fn log(proxy: &str, event: &Event) {
    match event {
        Event::Acked { kind, nonce, took } => {
            tracing::debug!(proxy, %kind, nonce, ?took, "ack");
        }
        Event::Nacked {
            kind,
            version,
            nack,
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
