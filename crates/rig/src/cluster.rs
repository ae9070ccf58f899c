//! The rig as one thing: brought up in order, ended without a trace.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use demo::Binary;
use simulator::{Agent, Kill, Simulator};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::certs::{Authority, CertError};
use crate::command::CommandError;
use crate::container::Setting;
use crate::control::{self, ControlPlane, Source};
use crate::dns::Dns;
use crate::executor::Executor;
use crate::kube::Kube;
use crate::layout::{AGENTS, BRIDGE, Layout};
use crate::place::{Place, User};
use crate::tools::{self, Missing};
use crate::{net, shell};

/// What differs from one rig to the next.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of several rigs on a machine, 0 is the one for people; `None` takes one that nobody has.
    pub index: Option<u8>,
    /// The `pilothouse` binary.
    pub own: PathBuf,
    /// Where Istio's objects are.
    pub store: Store,
}

/// Where operators put Istio's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// etcd behind a kube-apiserver, used by kubectl.
    Kube,
    /// Files in the rig's `config`.
    Directory,
}

/// Why a rig did not come up.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// Another process has a rig of this index.
    #[error("there is a rig already: end it, or choose another --index")]
    Taken,
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error(transparent)]
    Envoy(#[from] demo::NotFound),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Certificates(#[from] CertError),
    #[error("{what}: {said}")]
    Io {
        /// Which step.
        what: &'static str,
        /// What the system said.
        said: io::Error,
    },
}

/// A running rig. Call [`Rig::stop`] to end it; a rig that is dropped leaves its namespaces for the
/// next start, or `rig down`, to remove.
pub struct Rig {
    layout: Layout,
    simulator: Simulator,
    control: ControlPlane,
    kube: Option<Kube>,
    master: Place,
    stop: CancellationToken,
    executor: JoinSet<()>,
    /// Holds the index.
    _lock: File,
}

impl Rig {
    /// Brings everything up but pods, which Marathon is asked for. What was begun is removed if
    /// something fails, but for the logs.
    pub async fn start(options: Options) -> Result<Rig, RigError> {
        tools::check()?;
        let claimed = match options.index {
            Some(index) => Layout::claim(index),
            None => Layout::claim_any(),
        };
        let (layout, lock) = claimed.ok_or(RigError::Taken)?;
        net::remove(layout)?;
        let rig = Rig::build(options, layout, lock).await;
        if rig.is_err() {
            // The error that matters is the first one.
            let _ = net::remove_namespaces(layout);
        }
        rig
    }

    async fn build(options: Options, layout: Layout, lock: File) -> Result<Rig, RigError> {
        let (envoy, httpbin) = (Binary::find()?, tools::httpbin()?);
        net::create(layout)?;
        let directory = layout.directory();
        let master = Place::prepare(layout.master(), directory.join("master"));
        let master = master.map_err(io("files of the master"))?;
        let simulator = marathon(layout).await.map_err(io("Marathon"))?;
        let dns = Dns::start(&master, layout).await.map_err(io("dnsmasq"))?;
        let (source, kube) = store(options.store, &master, layout).await?;
        let mesh = directory.join("mesh.yaml");
        std::fs::write(&mesh, MESH).map_err(io("the mesh config"))?;
        let mut control = ControlPlane::new(master.clone(), &options.own, &source, &mesh);
        control.start().await.map_err(io("the control plane"))?;
        shell::write(layout, &options.own).map_err(io("the shell"))?;
        let setting = Arc::new(Setting {
            layout,
            simulator: simulator.clone(),
            envoy,
            own: options.own,
            httpbin,
            authority: Authority::new()?,
            master: master.clone(),
        });
        let (stop, mut executor) = (CancellationToken::new(), JoinSet::new());
        executor.spawn(Executor::new(setting, dns).run(stop.clone()));
        Ok(Rig {
            layout,
            simulator,
            control,
            kube,
            master,
            stop,
            executor,
            _lock: lock,
        })
    }

    /// Names and addresses.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Marathon: in-process control, and its URL for REST.
    pub fn marathon(&self) -> &Simulator {
        &self.simulator
    }

    /// The control plane.
    pub fn control(&mut self) -> &mut ControlPlane {
        &mut self.control
    }

    /// etcd and kube-apiserver, if the rig has them.
    pub fn kube(&mut self) -> Option<&mut Kube> {
        self.kube.as_mut()
    }

    /// Runs a line of shell where an operator would: beside the master, with `dcos` and `kubectl`.
    /// Gives whether it succeeded, and what it printed.
    pub async fn shell(&self, line: &str) -> io::Result<(bool, String)> {
        let file = shell::file(self.layout).display().to_string();
        control::output(&self.master, User::Root, &[&file, "-c", line]).await
    }

    /// Runs its arguments where an operator is.
    pub fn enter(&self) -> PathBuf {
        self.master.enter()
    }

    /// Where programs on the machine reach a container port of a pod that runs; the first call leads
    /// the way there.
    pub fn outside(&self, pod: &str, container_port: u16) -> Result<Option<SocketAddr>, RigError> {
        let tasks = self.simulator.tasks_of(pod).into_iter();
        let mut running = tasks.filter(|task| task.state == "TASK_RUNNING");
        let found = running.find_map(|task| {
            let mut ports = task.ports.iter();
            let port = ports.find(|port| port.container_port == Some(container_port))?;
            Some((task.agent_ip, port.host_port?))
        });
        let Some((IpAddr::V4(agent), port)) = found else {
            return Ok(None);
        };
        net::expose(self.layout, port, (agent, port))?;
        Ok(Some((self.layout.inside(), port).into()))
    }

    /// Waits until the control plane answers.
    pub async fn listening(&self) -> io::Result<()> {
        control::until_open(self.layout.inside(), 15007).await
    }

    /// Ends everything and removes every trace.
    pub async fn stop(mut self) -> Result<(), RigError> {
        self.stop.cancel();
        while self.executor.join_next().await.is_some() {}
        self.control.kill().await.map_err(io("the control plane"))?;
        if let Some(kube) = &mut self.kube {
            kube.kill().await.map_err(io("etcd and kube-apiserver"))?;
        }
        self.simulator.clone().shutdown().await;
        Ok(net::remove(self.layout)?)
    }
}

async fn store(
    store: Store,
    master: &Place,
    layout: Layout,
) -> Result<(Source, Option<Kube>), RigError> {
    if store == Store::Directory {
        let config = layout.directory().join("config");
        std::fs::create_dir_all(&config).map_err(io("the configuration"))?;
        return Ok((Source::Directory(config), None));
    }
    let failed = io("etcd and kube-apiserver");
    let mut kube = Kube::prepare(master.clone(), layout).map_err(&failed)?;
    kube.start().await.map_err(&failed)?;
    let kubeconfig = layout.directory().join("kubeconfig");
    Ok((Source::Kubeconfig(kubeconfig), Some(kube)))
}

/// The mesh config of the guide: every request is traced.
const MESH: &str = include_str!("../../../config/mesh.yaml");

fn io(what: &'static str) -> impl Fn(io::Error) -> RigError {
    move |said| RigError::Io { what, said }
}

async fn marathon(layout: Layout) -> io::Result<Simulator> {
    let agents = AGENTS.map(|ip| Agent {
        bridge: BRIDGE,
        ..Agent::at(ip)
    });
    let options = simulator::Options {
        listen: (layout.outside(), 8080).into(),
        // Leads when the first one ends.
        standbys: vec![(layout.outside(), 8081).into()],
        agents: agents.into(),
        launch: simulator::Launch::Manual,
        kill: Kill::Manual,
        ..simulator::Options::default()
    };
    Simulator::start(options).await
}
