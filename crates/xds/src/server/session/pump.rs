//! The loop of a session whose client has named itself.

use std::sync::Arc;
use std::time::Instant;

use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tonic::Status;

use super::{Live, Session, reject_status};
use crate::kind::Kind;
use crate::server::Rejection;
use crate::server::admission::Entry;
use crate::server::body::Outgoing;
use crate::server::connections::lock;
use crate::server::requests::Received;
use crate::server::seldom::seldom;
use crate::server::service::Discovery;
use crate::stream::{Event, Guilty, Nack};

/// How many requests that are there already are taken before they are answered.
const BURST: usize = 16;

impl Session {
    /// The loop: what comes in first, then what goes out.
    pub(super) async fn pump(&self, live: &mut Live) -> Status {
        let mut over = seldom(self.over());
        loop {
            // A client that never stops talking leaves the thread to others now and then.
            tokio::task::coop::consume_budget().await;
            if let Err(status) = self.advance(live) {
                return status;
            }
            let sends = live.sends();
            let deadline = if sends { None } else { live.deadline() };
            tokio::select! {
                biased;
                Some(status) = over.next() => return status,
                request = live.requests.next() => {
                    if let Err(status) = self.take(live, request) {
                        return status;
                    }
                }
                changed = live.snapshots.changed() => {
                    if changed.is_err() {
                        return unserved();
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
                    Ok(permit) => self.send(live, permit),
                    Err(_) => return hung_up(),
                },
            }
        }
    }

    /// How it ends, if neither a request nor a missing snapshot ends it.
    async fn over(&self) -> Status {
        tokio::select! {
            biased;
            () = self.ending.cancelled() => Status::ok("the connection is closing"),
            () = self.outgoing.closed() => hung_up(),
        }
    }

    /// Does what needs no waiting. Whatever wakes a stream, most of the rest of a change follows
    /// at once, and to wait is dear: everything that could wake it must be asked to do so.
    fn advance(&self, live: &mut Live) -> Result<(), Status> {
        for _ in 0..BURST {
            match live.requests.next().now_or_never() {
                Some(request) => self.take(live, request)?,
                None => break,
            }
        }
        match live.snapshots.has_changed() {
            Ok(true) => self.refresh(live),
            Ok(false) => {}
            Err(_) => return Err(unserved()),
        }
        if live.sends()
            && let Ok(permit) = self.outgoing.try_reserve()
        {
            self.send(live, permit);
        }
        Ok(())
    }

    fn take(&self, live: &mut Live, request: Received) -> Result<(), Status> {
        let Some((_, request)) = request? else {
            return Err(Status::ok("closed by the client"));
        };
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

    /// Sends to a client that has room. The machine is asked only when everything before was taken:
    /// what changes meanwhile is merged, never queued.
    fn send(&self, live: &mut Live, permit: mpsc::Permit<'_, Outgoing>) {
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
        if !burst.is_empty() {
            permit.send(Ok(burst));
        }
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
    fn sends(&self) -> bool {
        self.stirred && self.entry.is_open()
    }

    fn deadline(&self) -> Option<Instant> {
        let room = self.entry.until();
        let machine = match self.entry.is_open() && !self.stirred {
            true => lock(&self.stream).deadline(),
            false => None,
        };
        room.into_iter().chain(machine).min()
    }
}

fn hung_up() -> Status {
    Status::cancelled("the client hung up")
}

fn unserved() -> Status {
    Status::unavailable("this proxy is not served any more")
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

/// The runtime's clock, so that tests can move it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
