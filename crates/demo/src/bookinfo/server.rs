//! One service on one address: start and stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::wire::Origin;
use super::{Service, Timeouts, Upstream};
use super::{details, productpage, ratings, reviews};

/// How long `stop` waits for requests in flight.
const DRAIN: Duration = Duration::from_secs(2);

/// What one workload runs.
#[derive(Debug, Clone)]
pub struct App {
    /// Which program.
    pub service: Service,
    /// Marathon's instance id: the answers say it, so that a test sees who answered.
    pub instance: String,
    /// How it reaches the others.
    pub upstream: Upstream,
    /// How long it waits for them.
    pub timeouts: Timeouts,
}

impl App {
    /// Listens on `at`.
    pub async fn start(self, at: SocketAddr) -> io::Result<Running> {
        let listener = TcpListener::bind(at).await?;
        let addr = listener.local_addr()?;
        let stop = CancellationToken::new();
        let server = axum::serve(listener, self.router())
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%addr, %error, "Bookinfo service ended");
            }
        });
        Ok(Running { addr, stop, task })
    }

    pub(super) fn origin(&self) -> Origin {
        Origin {
            service: self.service.name().into(),
            version: self.service.version().into(),
            instance: self.instance.clone(),
        }
    }

    fn router(self) -> Router {
        let routes = match self.service {
            Service::Productpage => productpage::routes(),
            Service::Details => details::routes(),
            Service::Ratings => ratings::routes(),
            Service::Reviews(version) => reviews::routes(version),
        };
        routes
            .route("/health", get(async || "ok\n"))
            .with_state(Arc::new(self))
    }
}

/// A service that listens. Dropping it closes the port and lets requests in flight finish.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes the port, finishes requests in flight for a short while, then returns.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if timeout(DRAIN, &mut self.task).await.is_err() {
            tracing::debug!(addr = %self.addr, "requests still in flight, left to their clients");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
