//! Sockets and tasks around the state: listener, connections, driver.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::connection;
use crate::state::State;

/// The state, and who must hear of its changes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Wakes the driver.
    work: Notify,
    changes: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
    addr: SocketAddr,
    heartbeat: Duration,
}

impl Shared {
    pub(crate) fn new(state: State) -> Shared {
        Shared(Arc::new(Inner {
            addr: state.addr,
            heartbeat: state.options.heartbeat,
            state: Mutex::new(state),
            work: Notify::new(),
            changes: watch::Sender::new(0),
            frozen: watch::Sender::new(false),
        }))
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.lock())
    }

    /// Lets `change` work on the state, then wakes the driver and the watchers
    /// if it published anything.
    pub(crate) fn mutate<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.state.lock();
        let before = state.revision;
        let result = change(&mut state);
        let changed = state.revision != before;
        drop(state);
        if changed {
            self.0.changes.send_modify(|n| *n += 1);
        }
        self.0.work.notify_one();
        result
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.addr)
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        self.0.heartbeat
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    pub(crate) fn frozen(&self) -> watch::Receiver<bool> {
        self.0.frozen.subscribe()
    }

    pub(crate) fn freeze(&self, frozen: bool) {
        self.0.frozen.send_replace(frozen);
    }

    /// Steps the state whenever something may move. Between two steps others
    /// get their turn, so that intermediate states can be seen.
    pub(crate) async fn drive(self) {
        loop {
            self.0.work.notified().await;
            while self.step() {
                tokio::task::yield_now().await;
            }
        }
    }

    fn step(&self) -> bool {
        let moved = self.0.state.lock().step();
        if moved {
            self.0.changes.send_modify(|n| *n += 1);
        }
        moved
    }
}

/// The listener with its connections, while Marathon is there.
pub(crate) struct Server {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    pub(crate) fn start(shared: Shared, listener: TcpListener) -> Server {
        let server = Server {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let accept = accept(shared, listener, server.tasks.clone(), server.stop.clone());
        server
            .tasks
            .spawn(server.stop.clone().run_until_cancelled_owned(accept));
        server
    }

    /// Closes the listener and all connections, some time soon.
    pub(crate) fn abandon(self) {
        self.stop.cancel();
    }

    /// Closes the listener and all connections, and waits for that.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept(
    shared: Shared,
    listener: TcpListener,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // One failed handshake, or no descriptors left: others go on.
                tracing::warn!(%error, "marathon simulator: accept failed");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let shared = shared.clone();
        let serve = async move {
            if let Err(error) = connection::serve(shared, socket, peer).await {
                log_end(peer, &error);
            }
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(serve));
    }
}

fn log_end(peer: SocketAddr, error: &io::Error) {
    tracing::debug!(%peer, %error, "marathon simulator: connection ended");
}
