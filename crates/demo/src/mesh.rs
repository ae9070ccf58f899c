//! A whole mesh: Marathon, agents, Bookinfo, Envoys and the control plane, started and ended as one.
//!
//! ```text
//!  simulator ──tasks──► Executor ──► Launch (one for each task) ──► application, Envoy, host ports
//!      ▲ REST, events                                                   │ ADS
//!      └──────────────── ControlPlane ◄─────────────────────────────────┘
//!                            ▲ config/*.yaml
//!                          Files
//! ```

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use simulator::{Agent, Kill, Launch, Simulator};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::address::{Block, BlockError};
use crate::envoy::NotFound;
use crate::samples::{self, DESTINATION_RULES, GATEWAY, Sample};
use crate::{AdsMode, Binary, Rejected};

mod control;
mod executor;
mod files;
mod launch;
mod pages;
mod parts;
mod settle;
mod task;
mod workload;

use control::ControlPlane;
use executor::{Executor, Workloads};
use launch::Setting;

pub use files::{Files, Place};
pub use pages::{Finding, PageError, Pages, ProxySync};
pub use parts::StartError;
pub use settle::{NotSettled, Progress};
pub use workload::{State, Workload};

/// How long tests and the demo wait for things that take a second.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The domain of all services.
const DOMAIN: &str = "marathon.slave.mesos";

/// The pod of the ingress gateway, and the port of its container.
pub const GATEWAY_POD: &str = "/istio-ingressgateway";
const GATEWAY_PORT: u16 = 8080;
const MARATHON_PORT: u16 = 8080;
const AGENTS: u8 = 2;

/// What differs from one mesh to the next.
#[derive(Debug, Clone)]
pub struct Options {
    /// How Envoys talk to the control plane.
    pub ads: AdsMode,
    /// Where the files are.
    pub place: Place,
    /// The pods that Marathon is given.
    pub pods: Vec<Value>,
    /// The configuration that is there from the beginning.
    pub config: Vec<Sample>,
    /// False: Marathon is away at first; `marathon().resume()` brings it.
    pub marathon: bool,
    /// The level of the Envoys' logs.
    pub envoy_log: String,
    /// A directory in which each pod has a folder with its certificates.
    pub certificates: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ads: AdsMode::default(),
            place: Place::Temporary,
            pods: samples::pods(),
            config: vec![GATEWAY, DESTINATION_RULES],
            marathon: true,
            envoy_log: "warning".into(),
            certificates: None,
        }
    }
}

/// Why a mesh could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// There is no Envoy.
    #[error(transparent)]
    Envoy(#[from] NotFound),
    /// There is no room on loopback.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A port that workloads need is taken on all addresses.
    #[error("cannot listen on {at}: {source}; stop what listens on port {port} of all addresses", port = .at.port())]
    Port {
        /// The address that was tried.
        at: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The run directory, or a listening socket.
    #[error("{what}: {source}")]
    Io {
        /// Which step.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Marathon refused a pod.
    #[error("Marathon refuses a pod: {0} {body}", body = .0.body())]
    Pod(#[from] simulator::ApiError),
    /// The control plane did not start.
    #[error("the control plane: {0:#}")]
    ControlPlane(anyhow::Error),
    /// Its pages cannot be read.
    #[error(transparent)]
    Page(#[from] PageError),
}

/// A running mesh. Dropping it kills everything; [`Mesh::stop`] ends it in order.
pub struct Mesh {
    stop: CancellationToken,
    executor: JoinSet<()>,
    workloads: Workloads,
    control: Mutex<ControlPlane>,
    pages: Pages,
    simulator: Simulator,
    files: Files,
    block: Block,
}

impl Mesh {
    /// Starts everything and returns at once; [`Mesh::ready`] waits until it works.
    pub async fn start(options: Options) -> Result<Self, MeshError> {
        let binary = Binary::find()?;
        let block = Block::claim()?;
        probe_ports(&block, &options.pods)?;
        let io = |what: &str| {
            let what = what.to_owned();
            |source| MeshError::Io { what, source }
        };
        let files = Files::create(&options.place).map_err(io("the run directory"))?;
        for sample in &options.config {
            files
                .apply_sample(*sample)
                .map_err(io("the configuration"))?;
        }
        let simulator = marathon(&block).await.map_err(io("Marathon"))?;
        if !options.marathon {
            simulator.pause().await;
        }
        for pod in &options.pods {
            simulator.post_pod(pod.clone())?;
        }
        placed(&simulator, options.pods.len()).await;
        let control = ControlPlane::new(block.master(), simulator.url(), &files);
        let mut control = control.map_err(io("the control plane"))?;
        control.start().await.map_err(MeshError::ControlPlane)?;
        let setting = Setting {
            simulator: simulator.clone(),
            binary,
            dir: files.envoy(),
            log_level: options.envoy_log,
            discovery: control.grpc(),
            domain: DOMAIN.into(),
            ads: options.ads,
            certificates: options.certificates,
        };
        let (executor, workloads) = Executor::new(setting);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(executor.run(stop.clone()));
        Ok(Self {
            stop,
            executor: tasks,
            workloads,
            pages: Pages::new(control.http())?,
            control: Mutex::new(control),
            simulator,
            files,
            block,
        })
    }

    /// Marathon: in-process control, and its URL for REST.
    pub fn marathon(&self) -> &Simulator {
        &self.simulator
    }

    /// The control plane's pages.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Configuration and logs.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The addresses.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Everything that has been launched and has not ended, sorted by name.
    pub fn workloads(&self) -> Vec<Workload> {
        let mut all: Vec<Workload> = self.workloads.borrow().values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The launches of one pod, such as `/reviews-v2`.
    pub fn workloads_of(&self, pod: &str) -> Vec<Workload> {
        let mut all = self.workloads();
        all.retain(|workload| workload.app == pod);
        all
    }

    /// Where outsiders reach a container port of a pod: agent and host port.
    pub fn outside(&self, pod: &str, port: u16) -> Option<SocketAddr> {
        self.workloads_of(pod).first()?.outside(port)
    }

    /// Where outsiders reach the ingress gateway.
    pub fn gateway(&self) -> Option<SocketAddr> {
        self.outside(GATEWAY_POD, GATEWAY_PORT)
    }

    /// What each Envoy has refused so far, by name; an Envoy that does not answer is left out.
    pub async fn rejected(&self) -> Vec<(String, Rejected)> {
        let mut all = Vec::new();
        for workload in self
            .workloads()
            .into_iter()
            .filter(|workload| workload.role.is_some())
        {
            if let Ok(rejected) = workload.admin.rejected().await {
                all.push((workload.name, rejected));
            }
        }
        all
    }

    /// Ends the control plane as SIGTERM would; Envoys and traffic go on.
    pub async fn stop_control_plane(&self) {
        self.control.lock().await.stop().await;
    }

    /// Starts it again, on the same addresses and without any memory.
    pub async fn start_control_plane(&self) -> Result<(), MeshError> {
        let mut control = self.control.lock().await;
        control.start().await.map_err(MeshError::ControlPlane)
    }

    /// Ends everything in order and leaves nothing behind.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.executor.join_next().await.is_some() {}
        self.control.lock().await.stop().await;
        self.simulator.clone().shutdown().await;
    }
}

async fn marathon(block: &Block) -> io::Result<Simulator> {
    let agents = (1..=AGENTS).map(|k| Agent {
        bridge: block.bridge(k),
        ..Agent::at(block.agent(k))
    });
    let options = simulator::Options {
        listen: control::free_port(block.master(), MARATHON_PORT)?,
        agents: agents.collect(),
        launch: Launch::Manual,
        kill: Kill::Manual,
        ..simulator::Options::default()
    };
    Simulator::start(options).await
}

/// Waits a moment until every pod has a place, so that the first state of the mesh is a whole one
/// and nobody is warned of a gateway without a workload. A pod that fits nowhere is waited for later.
async fn placed(simulator: &Simulator, pods: usize) {
    let all = |simulator: &Simulator| {
        let tasks = simulator.tasks().into_iter();
        let placed = tasks.filter(|task| task.container_ip.is_some());
        let specs: BTreeSet<String> = placed.map(|task| task.run_spec_id).collect();
        specs.len() >= pods
    };
    // Late is as good as in time: nothing depends on it.
    let _ = timeout(Duration::from_secs(1), simulator.until(all)).await;
}

/// The block is ours, but a program that listens on all addresses listens on ours as well.
fn probe_ports(block: &Block, pods: &[Value]) -> Result<(), MeshError> {
    let containers = pods
        .iter()
        .filter_map(|pod| pod["containers"].as_array())
        .flatten();
    let endpoints = containers
        .filter_map(|one| one["endpoints"].as_array())
        .flatten();
    let ports = endpoints.filter_map(|one| one["containerPort"].as_u64()?.try_into().ok());
    let all: BTreeSet<u16> = ports.chain([crate::bootstrap::ADMIN_PORT]).collect();
    for port in all {
        let at = SocketAddr::from((block.container(1, 0), port));
        std::net::TcpListener::bind(at).map_err(|source| MeshError::Port { at, source })?;
    }
    Ok(())
}
