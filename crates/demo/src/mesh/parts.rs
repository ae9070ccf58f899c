//! The running parts of one launch.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::launch::Setting;
use super::task::Assignment;
use crate::bookinfo::{App, Running, Timeouts, Upstream};
use crate::envoy::{EnvoyError, Launch};
use crate::{Admin, Bootstrap, EnvoyProcess, Interception, PortMap, Role};

/// How long an Envoy is waited for between two looks at its process.
const READY_STEP: Duration = Duration::from_secs(5);
/// So long nobody may connect before a proxy counts as drained.
const QUIET: Duration = Duration::from_millis(300);
/// Marathon's default `taskKillGracePeriodSeconds`: then the rest is cut.
const GRACE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(20);

/// Why a part could not be started, or ended.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The proxy.
    #[error(transparent)]
    Envoy(#[from] EnvoyError),
    /// An address of the block cannot be used, mostly because somebody listens on all addresses.
    #[error("cannot listen on {at} for {part}: {source}; stop what listens on port {port} of all addresses", port = .at.port())]
    Listen {
        /// application or host port.
        part: &'static str,
        /// The address.
        at: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The application's HTTP client.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// There is no Envoy in this workload, or it has ended.
    #[error("workload {0} has no Envoy now")]
    NoEnvoy(String),
}

/// What runs. Dropping it ends everything at once.
#[derive(Default)]
pub(super) struct Parts {
    apps: Vec<Running>,
    envoy: Option<EnvoyProcess>,
    maps: Vec<PortMap>,
    inbound: Vec<SocketAddr>,
    /// A test killed the Envoy and wants it dead.
    held: bool,
}

impl Parts {
    pub(super) async fn start(
        &mut self,
        name: &str,
        assignment: &Assignment,
        setting: &Setting,
    ) -> Result<(), StartError> {
        self.inbound = assignment.inbound();
        self.start_apps(assignment, setting).await?;
        if let Some(role) = assignment.role {
            let launch = envoy(name, role, assignment, setting);
            self.envoy = Some(EnvoyProcess::spawn(launch).await?);
        }
        self.start_maps(assignment).await
    }

    async fn start_apps(&mut self, of: &Assignment, setting: &Setting) -> Result<(), StartError> {
        let Some(service) = of.service else {
            return Ok(());
        };
        // Without a proxy in front of it, the application is what others connect to.
        let ip = match of.role {
            Some(_) => of.addresses.app,
            None => of.addresses.container,
        };
        for (port, _) in &of.ports {
            let app = App {
                service,
                instance: of.key.instance.clone(),
                upstream: Upstream::via_sidecar(&setting.domain, of.addresses.outbound.into())?,
                timeouts: Timeouts::default(),
            };
            let at = (ip, *port).into();
            let listen = |source| StartError::Listen {
                part: "the application",
                at,
                source,
            };
            self.apps.push(app.start(at).await.map_err(listen)?);
        }
        Ok(())
    }

    async fn start_maps(&mut self, of: &Assignment) -> Result<(), StartError> {
        for (container, host) in &of.ports {
            let Some(host) = host else { continue };
            let at: SocketAddr = (of.agent, *host).into();
            let target = (of.addresses.container, *container).into();
            let listen = |source| StartError::Listen {
                part: "a host port",
                at,
                source,
            };
            self.maps
                .push(PortMap::start(at, target).await.map_err(listen)?);
        }
        Ok(())
    }

    /// Waits until the Envoy accepts traffic, for as long as its process lives: without a control
    /// plane it may take for ever.
    pub(super) async fn envoy_ready(&mut self) -> Result<(), StartError> {
        let Some(envoy) = &mut self.envoy else {
            return Ok(());
        };
        loop {
            match envoy.ready(READY_STEP).await {
                Err(EnvoyError::NotReady { .. }) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Returns when the Envoy ends by itself; never if a test holds it down or there is none.
    pub(super) async fn envoy_ended(&mut self) -> StartError {
        match &mut self.envoy {
            Some(envoy) if !self.held => envoy.ended().await.into(),
            _ => std::future::pending().await,
        }
    }

    pub(super) async fn kill_envoy(&mut self) -> Result<(), StartError> {
        self.held = true;
        match &mut self.envoy {
            Some(envoy) => Ok(envoy.kill().await?),
            None => Err(StartError::NoEnvoy("without a proxy".into())),
        }
    }

    pub(super) async fn start_envoy(&mut self) -> Result<(), StartError> {
        match &mut self.envoy {
            Some(envoy) => envoy.respawn().await?,
            None => return Err(StartError::NoEnvoy("without a proxy".into())),
        }
        self.held = false;
        Ok(())
    }

    /// Waits until nobody uses the inbound side any more: the other proxies need a moment to hear
    /// that this instance is going, and close their connections then.
    pub(super) async fn drain(&self) {
        let Some(envoy) = &self.envoy else { return };
        let deadline = Instant::now() + GRACE;
        let mut quiet_since = Instant::now();
        let mut before = 0;
        while quiet_since.elapsed() < QUIET && Instant::now() < deadline {
            match connections(envoy.admin(), &self.inbound).await {
                // Gone already: nothing left to drain.
                None => return,
                Some((active, total)) => {
                    if active > 0 || total != before {
                        quiet_since = Instant::now();
                    }
                    before = total;
                }
            }
            sleep(POLL).await;
        }
    }

    /// Ends everything in order: host ports, proxy, application.
    pub(super) async fn stop(self) {
        for map in self.maps {
            map.stop().await;
        }
        if let Some(mut envoy) = self.envoy
            && let Err(error) = envoy.stop().await
        {
            tracing::warn!(%error, "an Envoy did not stop");
        }
        for app in self.apps {
            app.stop().await;
        }
    }

    /// Ends everything at once.
    pub(super) async fn kill(mut self) -> Result<(), StartError> {
        match &mut self.envoy {
            Some(envoy) => Ok(envoy.kill().await?),
            None => Ok(()),
        }
    }
}

/// Connections to these listeners: now open, and ever accepted.
async fn connections(admin: &Admin, listeners: &[SocketAddr]) -> Option<(u64, u64)> {
    let stats = admin
        .stats(r"^listener\..*\.downstream_cx_(active|total)$")
        .await
        .ok()?;
    let names: Vec<String> = listeners
        .iter()
        .map(|at| format!("listener.{}_{}.", at.ip(), at.port()))
        .collect();
    let ours = stats
        .iter()
        .filter(|(stat, _)| names.iter().any(|name| stat.starts_with(name)));
    let (mut active, mut total) = (0, 0);
    for (stat, value) in ours {
        let sum = if stat.ends_with("_active") {
            &mut active
        } else {
            &mut total
        };
        *sum += value;
    }
    Some((active, total))
}

fn envoy(name: &str, role: Role, of: &Assignment, setting: &Setting) -> Launch {
    let bootstrap = bootstrap(role, of, setting);
    Launch {
        name: name.to_owned(),
        binary: setting.binary.clone(),
        admin: bootstrap.admin(),
        bootstrap: bootstrap.document(),
        dir: setting.dir.clone(),
        log_level: setting.log_level.clone(),
    }
}

/// The bootstrap of a launch's Envoy.
pub(super) fn bootstrap(role: Role, of: &Assignment, setting: &Setting) -> Bootstrap {
    Bootstrap {
        role,
        address: of.addresses.container,
        interception: Interception::Addresses(of.addresses),
        instance_id: of.key.instance.clone(),
        task_id: of.tasks.first().cloned().unwrap_or_default(),
        app_id: of.app.clone(),
        cluster: of.cluster.clone(),
        agent: of.agent,
        domain: setting.domain.clone(),
        discovery: vec![setting.discovery],
        ads: setting.ads,
        certificates: setting.certificates.as_ref().map(|folder| {
            let pod = of.app.trim_start_matches('/');
            folder.join(pod)
        }),
    }
}
