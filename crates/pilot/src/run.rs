//! The life of the process: bind, spawn, wait, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::watch::kube::Kube;
use anyhow::{Context, Result, bail};
use index::{Index, Settings};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Config;
use crate::answers::Writer;
use crate::fleet::Fleet;
use crate::inside::Window;
use crate::publish::Publisher;
use crate::sources::{Sources, Stopped};

/// Connections that may wait to be accepted; the kernel's default is 128.
const BACKLOG: u32 = 4096;

/// A control plane that serves. Dropping it ends it without draining.
pub struct Running {
    /// Resolved, so that port 0 can be asked for.
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    pub monitoring: Option<SocketAddr>,
    shutdown: CancellationToken,
    tasks: JoinSet<Stopped>,
    drain_time: Duration,
}

struct Sockets {
    http: TcpListener,
    grpc: TcpListener,
    monitoring: Option<TcpListener>,
}

/// Serves until a signal comes or a part of the process fails.
pub async fn run(config: Config) -> Result<()> {
    let files = xds::OpenFiles::raise(config.limits.max_streams);
    if !files.is_enough() {
        let (limit, needed) = (files.limit, files.needed);
        warn!(
            limit,
            needed,
            "too few open files for --maxStreams: raise the limit of the process (ulimit -n), or lower the flag"
        );
    }
    let mut running = start(config).await?;
    tokio::select! {
        signal = signal() => info!(signal = signal?, "shutting down"),
        part = running.tasks.join_next() => {
            running.stop().await;
            bail!("{} ended unexpectedly", part.and_then(Result::ok).unwrap_or("a part of the process"));
        }
    }
    running.stop().await;
    Ok(())
}

/// Binds every address, starts every part, and returns at once.
pub async fn start(config: Config) -> Result<Running> {
    for warning in &config.warnings {
        warn!("{warning}");
    }
    let kube = match &config.kube {
        Some(options) => {
            let servers = options.access.connect().await?;
            let source = Kube::new(servers.clone(), "kube").with_timing(options.reading.clone());
            let writer = Writer::beside(&source, servers, options.clone());
            Some((source, writer))
        }
        None => None,
    };
    let sockets = Sockets::bind(&config)?;
    let (http, grpc) = (sockets.http.local_addr()?, sockets.grpc.local_addr()?);
    let monitoring = sockets
        .monitoring
        .as_ref()
        .map(TcpListener::local_addr)
        .transpose()?;
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    spawn(&config, kube, sockets, &mut tasks, &shutdown)?;
    info!(%http, %grpc, "serving");
    Ok(Running {
        http,
        grpc,
        monitoring,
        shutdown,
        tasks,
        drain_time: config.drain_time,
    })
}

fn spawn(
    config: &Config,
    kube: Option<(Kube, Writer)>,
    sockets: Sockets,
    tasks: &mut JoinSet<Stopped>,
    shutdown: &CancellationToken,
) -> Result<()> {
    let fleet = Fleet::default();
    let (kube, writer) = kube.unzip();
    let sources = Sources::start(config, kube, tasks, shutdown)?;
    let (waiting, still_waiting) = watch::channel(sources.ids());
    let settings = Settings {
        mesh: config.mesh.clone(),
        sources: sources.ids(),
    };
    let server = xds::Server::new(
        Arc::new(fleet.clone()),
        xds::Limits {
            drain: config.drain_time.mul_f64(0.8),
            ..config.limits.clone()
        },
    );
    let window = Arc::new(Window {
        fleet: fleet.clone(),
        connections: server.connections(),
        quarantine: server.quarantine(),
        states: sources.states,
        waiting: still_waiting,
    });
    let (news, mesh_configs) = mpsc::channel(1);
    if let Some(file) = config.mesh_file.clone() {
        let stop = shutdown.clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(file.follow(news)).await;
            "the reader of the mesh config"
        });
    }
    let publisher = Publisher {
        index: Index::new(settings).with_findings(config.findings.clone()),
        updates: sources.updates,
        settings: mesh_configs,
        fleet,
        waiting,
        quiet: config.debounce_after,
        longest: config.debounce_max,
        known: Arc::default(),
    };
    if let Some(writer) = writer {
        writer.start(window.clone(), tasks, shutdown.clone());
    }
    let pages = admin::router(window);
    tasks.spawn(async move {
        publisher.run().await;
        "the publisher"
    });
    let stop = shutdown.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = server.serve(sockets.grpc, stop).await {
            warn!(%error, "the gRPC server failed");
        }
        "the gRPC server"
    });
    for listener in [Some(sockets.http), sockets.monitoring]
        .into_iter()
        .flatten()
    {
        tasks.spawn(serve_pages(listener, pages.clone(), shutdown.clone()));
    }
    Ok(())
}

async fn serve_pages(
    listener: TcpListener,
    pages: axum::Router,
    shutdown: CancellationToken,
) -> Stopped {
    if let Err(error) = axum::serve(listener, pages)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
    {
        warn!(%error, "the HTTP server failed");
    }
    "the HTTP server"
}

// === impl Sockets ===

impl Sockets {
    fn bind(config: &Config) -> Result<Sockets> {
        let monitoring = match config.monitoring {
            Some(address) => Some(listen(address, "--monitoringAddr")?),
            None => None,
        };
        Ok(Sockets {
            http: listen(config.http, "--httpAddr")?,
            grpc: listen(config.grpc, "--grpcAddr")?,
            monitoring,
        })
    }
}

fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    bind(address).with_context(|| {
        format!("cannot listen on {address}: free the port or give another one by {flag}")
    })
}

/// Like [`TcpListener::bind`], with room for all proxies of a large mesh that reconnect at once.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

// === impl Running ===

impl Running {
    /// Ends everything where it is, as a crash would.
    pub fn abort(mut self) {
        self.tasks.abort_all();
    }

    /// Ends all streams cleanly, waits for the drain time at most, then ends the rest.
    pub async fn stop(&mut self) {
        self.shutdown.cancel();
        let drained = tokio::time::timeout(self.drain_time, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            warn!(
                seconds = self.drain_time.as_secs(),
                "not everything ended in the drain time; ending it now"
            );
            self.tasks.shutdown().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn signal() -> Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    })
}
