//! The control plane of a mesh: in this process, on the block's master, and restartable.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use pilot::MeshFile;

use super::files::Files;

/// The ports that operators know from Pilot.
const HTTP_PORT: u16 = 15007;
const GRPC_PORT: u16 = 15010;

/// A control plane that may be running. Its addresses stay over restarts, as they would behind a
/// name: the Envoys have them in their bootstraps.
pub(super) struct ControlPlane {
    config: pilot::Config,
    running: Option<pilot::Running>,
}

impl ControlPlane {
    /// Decides the addresses; nothing listens yet.
    pub(super) fn new(master: Ipv4Addr, marathon: String, files: &Files) -> io::Result<Self> {
        let mut config = pilot::Config::local()
            .with_marathon(&marathon)
            .map_err(io::Error::other)?;
        config.http = free_port(master, HTTP_PORT)?;
        config.grpc = free_port(master, GRPC_PORT)?;
        config.directory = Some(files.config());
        config.mesh_file = Some(MeshFile::optional(files.mesh_config()));
        Ok(Self {
            config,
            running: None,
        })
    }

    /// Starts it, unless it runs.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        if self.running.is_none() {
            self.running = Some(pilot::start(self.config.clone()).await?);
        }
        Ok(())
    }

    /// Ends it as SIGTERM would.
    pub(super) async fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.stop().await;
        }
    }

    /// The operator's pages.
    pub(super) fn http(&self) -> SocketAddr {
        self.config.http
    }

    /// What Envoys connect to.
    pub(super) fn grpc(&self) -> SocketAddr {
        self.config.grpc
    }
}

/// The usual port; another one if somebody listens on it on all addresses.
pub(super) fn free_port(ip: Ipv4Addr, usual: u16) -> io::Result<SocketAddr> {
    let probe = TcpListener::bind((ip, usual)).or_else(|_| TcpListener::bind((ip, 0)))?;
    probe.local_addr()
}
