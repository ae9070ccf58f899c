//! One launch of one instance, from start to end: namespace, proxy, application.
//!
//! The proxy comes first: the application is reported as running only when its proxy has listeners
//! for it, because from then on others send requests.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use demo::launches::Phase;
use demo::{Binary, Role};
use simulator::Simulator;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::certs::{Authority, CertError};
use crate::command::CommandError;
use crate::health::Check;
use crate::image::Application;
use crate::layout::{Layout, PROXY_USER};
use crate::place::{Place, User};
use crate::pod::{Network, PodError};
use crate::program::Launch;

/// How often a proxy is asked whether it is ready.
const POLL: Duration = Duration::from_millis(100);
/// How long a proxy may take until it has its first listeners.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between Marathon's kill and the end of a container: callers learn of it in the meantime.
const GRACE: Duration = Duration::from_secs(1);

/// Before what fails again and again is launched once more; the simulator itself does not wait.
const BACKOFF: Duration = Duration::from_secs(5);
/// Launches of an instance that need no pause: the first, and those after a crash or two.
const QUICK_LAUNCHES: u32 = 3;

/// What is the same for all launches.
pub(crate) struct Setting {
    pub(crate) layout: Layout,
    pub(crate) simulator: Simulator,
    pub(crate) envoy: Binary,
    /// Our own binary, which also is the Bookinfo application.
    pub(crate) own: PathBuf,
    /// A Python that has httpbin.
    pub(crate) httpbin: PathBuf,
    pub(crate) authority: Authority,
    /// Where Marathon's own health checks come from.
    pub(crate) master: Place,
}

/// A launch on its agent.
pub(crate) struct Container {
    launch: Launch,
    network: Network,
    setting: Arc<Setting>,
    /// Dropped children are killed.
    proxy: Option<Child>,
    application: Option<Child>,
}

/// Why a launch failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Pod(#[from] PodError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Certificates(#[from] CertError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("a sidecar on the agent's own network would intercept all of the agent")]
    Sidecar,
    #[error("its proxy has no listeners after {PATIENCE:?}; see {0}")]
    NotReady(String),
    #[error("{0} ended; see its log")]
    Ended(&'static str),
}

impl Container {
    pub(crate) fn new(launch: Launch, setting: Arc<Setting>) -> Container {
        let network = Network {
            layout: setting.layout,
            name: launch.name(),
            agent: launch.agent,
            address: launch.address,
            docker: launch.docker,
            host: launch.host,
            ports: launch.ports.clone(),
        };
        Container {
            launch,
            network,
            setting,
            proxy: None,
            application: None,
        }
    }

    pub(crate) async fn run(mut self, mut phases: watch::Receiver<Phase>) {
        let mut until = phases.clone();
        let ended = tokio::select! {
            () = until_unwanted(&mut phases) => Ok(()),
            failed = self.serve() => failed,
        };
        if let Err(failed) = ended {
            tracing::error!(pod = self.network.name, error = %failed, "a pod failed");
            self.report_all("TASK_FAILED");
        }
        if *until.borrow_and_update() == Phase::Kill {
            self.drain(&mut until).await;
            self.report_all("TASK_KILLED");
        }
        self.end().await;
    }

    /// Builds everything and stays as long as it runs.
    async fn serve(&mut self) -> Result<(), Failed> {
        if self.launch.incarnation > QUICK_LAUNCHES {
            sleep(BACKOFF).await;
        }
        if self.launch.host && self.launch.role == Some(Role::Sidecar) {
            return Err(Failed::Sidecar);
        }
        let network = self.network.clone();
        let built = tokio::task::spawn_blocking(move || network.create());
        let place = built.await.map_err(io::Error::other)??;
        self.setting.authority.write(&place.certs())?;
        own_by_proxy(&place)?;
        if let Some(role) = self.launch.role {
            self.start_proxy(&place, role).await?;
        }
        if let Some(application) = self.launch.application.clone() {
            self.start_application(&place, &application).await?;
        }
        self.report_all("TASK_RUNNING");
        let checks = self.launch.checks.clone().into_iter();
        let checks = checks.map(|check| follow(check, self.setting.clone(), place.clone()));
        let checks = join_all(checks.collect());
        let ended = tokio::select! {
            () = until_ended(&mut self.proxy) => "its proxy",
            () = until_ended(&mut self.application) => "its application",
            () = checks => "its health checks",
        };
        Err(Failed::Ended(ended))
    }

    async fn start_proxy(&mut self, place: &Place, role: Role) -> Result<(), Failed> {
        let bootstrap = place.directory().join("bootstrap.json");
        let document = self.launch.bootstrap(role).document();
        fs::write(&bootstrap, format!("{document:#}\n"))?;
        if role == Role::Sidecar {
            self.network.intercept()?;
        }
        let envoy = self.setting.envoy.path().display().to_string();
        let config = bootstrap.display().to_string();
        let program = [
            &envoy,
            "-c",
            &config,
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "--log-level",
            "warning",
            // A listener that changes lets go of its connections with their next answers, so that a
            // policy is in force for those that were open before, too.
            "--drain-strategy",
            "immediate",
        ];
        self.proxy = Some(place.start("envoy", User::Id(PROXY_USER), &program).await?);
        // With the first running container the pod is part of the mesh: its proxy gets listeners.
        if let Some(proxy) = self.launch.tasks.first() {
            self.report(proxy, "TASK_RUNNING");
        }
        self.until_listening(place, role).await
    }

    /// A sidecar listens for each of the pod's ports; a gateway has what Gateways say, maybe nothing.
    async fn until_listening(&self, place: &Place, role: Role) -> Result<(), Failed> {
        let own = self.launch.address;
        let ports = self.launch.ports.iter();
        let wanted: Vec<String> = match role {
            Role::Sidecar => ports.map(|(port, _)| format!("{own}_{port}::")).collect(),
            Role::Router => Vec::new(),
        };
        let ask = "curl -sf localhost:15000/ready >&2 && curl -s localhost:15000/listeners";
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let mut line = place
                .command(User::Id(PROXY_USER), &["sh", "-c", ask])
                .into_iter();
            let mut command = Command::new(line.next().unwrap_or_default());
            let answer = command.args(line).output().await?;
            let text = String::from_utf8_lossy(&answer.stdout);
            if answer.status.success() && wanted.iter().all(|name| text.contains(name)) {
                return Ok(());
            }
            sleep(POLL).await;
        }
        let log = place.directory().join("envoy.log");
        Err(Failed::NotReady(log.display().to_string()))
    }

    async fn start_application(
        &mut self,
        place: &Place,
        application: &Application,
    ) -> Result<(), Failed> {
        if let Application::Idle(why) = application {
            let pod = &self.network.name;
            tracing::warn!(
                pod,
                "its container does nothing, commands can be run in it: {why}"
            );
        }
        let setting = &self.setting;
        let program = application.command(&setting.own, &setting.httpbin, &self.launch.instance);
        let environment = self.launch.environment.iter();
        let words = ["env"].into_iter();
        let words = words.chain(environment.chain(&program).map(String::as_str));
        let words: Vec<&str> = words.collect();
        self.application = Some(place.start("application", User::Root, &words).await?);
        Ok(())
    }

    /// Serves on while callers learn that it ends.
    async fn drain(&self, phases: &mut watch::Receiver<Phase>) {
        tokio::select! {
            () = sleep(GRACE) => {}
            _ = phases.wait_for(|phase| *phase == Phase::Gone) => {}
        }
    }

    async fn end(mut self) {
        for child in [&mut self.application, &mut self.proxy]
            .into_iter()
            .flatten()
        {
            // Ended already is as good.
            let _ = child.kill().await;
        }
        let network = self.network.clone();
        let removed = tokio::task::spawn_blocking(move || {
            // A pod that was never built has neither.
            let _ = network.close();
            let _ = network.remove();
        });
        let _ = removed.await;
    }

    fn report_all(&self, state: &str) {
        self.launch
            .tasks
            .iter()
            .for_each(|task| self.report(task, state));
    }

    /// Marathon refuses a report about a task that it has given up meanwhile; that is its right.
    fn report(&self, task: &str, state: &str) {
        if let Err(refused) = self.setting.simulator.set_task_state(task, state) {
            tracing::debug!(task, state, %refused, "task state not taken");
        }
    }
}

/// Performs all health checks, for ever, also if there are none.
async fn join_all(checks: Vec<impl Future<Output = ()> + Send + 'static>) {
    let mut all: JoinSet<()> = checks.into_iter().collect();
    while all.join_next().await.is_some() {}
    std::future::pending().await
}

async fn follow(check: Check, setting: Arc<Setting>, place: Place) {
    loop {
        let healthy = check.ask(&setting.master, &place).await;
        let told = setting.simulator.set_health(&check.task, Some(healthy));
        if let Err(refused) = told {
            tracing::debug!(task = check.task, %refused, "health not taken");
        }
        sleep(check.probe.interval).await;
    }
}

/// Returns when Marathon does not want the launch any more, or the rig ends.
async fn until_unwanted(phases: &mut watch::Receiver<Phase>) {
    let _ = phases.wait_for(|phase| *phase != Phase::Run).await;
}

/// Never, if there is no such child.
async fn until_ended(child: &mut Option<Child>) {
    match child {
        Some(child) => drop(child.wait().await),
        None => std::future::pending().await,
    }
}

/// The proxy reads its key as its own user, and nobody else may.
fn own_by_proxy(place: &Place) -> io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    let key = place.certs().join("key.pem");
    chown(&key, Some(PROXY_USER), Some(PROXY_USER))?;
    fs::set_permissions(key, fs::Permissions::from_mode(0o600))
}
