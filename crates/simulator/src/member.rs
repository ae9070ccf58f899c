//! Members of the Marathon cluster: each a listener with its connections.
//!
//! All members show the same state, because a standby passes requests on to the
//! leader; `front` plays the difference.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::connection;
use crate::server::Shared;

/// A member, listening or not.
pub(crate) struct Member {
    pub(crate) addr: SocketAddr,
    end: CancellationToken,
    up: AtomicBool,
    server: Mutex<Option<Server>>,
}

/// The listener with its connections, while the member is there.
struct Server {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Member {
    pub(crate) fn new(addr: SocketAddr, end: CancellationToken) -> Member {
        Member {
            addr,
            end,
            up: AtomicBool::new(false),
            server: Mutex::new(None),
        }
    }
}

impl Shared {
    /// Lets a member listen on a socket that is bound already.
    pub(crate) async fn listen(&self, member: usize, listener: TcpListener) {
        let this = self.member(member);
        let mut server = this.server.lock().await;
        *server = Some(Server::start(self, member, listener, &this.end));
        this.up.store(true, Ordering::Release);
    }

    /// Lets a member listen, on the address that it has always had.
    pub(crate) async fn up(&self, member: usize) -> io::Result<()> {
        let this = self.member(member);
        let mut server = this.server.lock().await;
        if server.is_none() {
            let listener = TcpListener::bind(this.addr).await?;
            *server = Some(Server::start(self, member, listener, &this.end));
            this.up.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Closes a member's listener and all its connections, and waits for that.
    pub(crate) async fn down(&self, member: usize) {
        let this = self.member(member);
        let mut server = this.server.lock().await;
        this.up.store(false, Ordering::Release);
        if let Some(server) = server.take() {
            server.stop.cancel();
            server.tasks.close();
            server.tasks.wait().await;
        }
    }

    /// No member listens any more.
    pub(crate) async fn pause(&self) {
        for member in 0..self.members() {
            self.down(member).await;
        }
    }

    /// Every member listens.
    pub(crate) async fn resume(&self) -> io::Result<()> {
        for member in 0..self.members() {
            self.up(member).await?;
        }
        Ok(())
    }

    pub(crate) fn is_up(&self, member: usize) -> bool {
        self.member(member).up.load(Ordering::Acquire)
    }
}

impl Server {
    fn start(
        shared: &Shared,
        member: usize,
        listener: TcpListener,
        end: &CancellationToken,
    ) -> Server {
        let server = Server {
            stop: end.child_token(),
            tasks: TaskTracker::new(),
        };
        let (tasks, stop) = (server.tasks.clone(), server.stop.clone());
        let accept = accept(shared.clone(), member, listener, tasks, stop.clone());
        server.tasks.spawn(stop.run_until_cancelled_owned(accept));
        server
    }
}

async fn accept(
    shared: Shared,
    member: usize,
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
            if let Err(error) = connection::serve(shared, member, socket, peer).await {
                tracing::debug!(%peer, %error, "marathon simulator: connection ended");
            }
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(serve));
    }
}
