//! One launch of one instance, from start to end: application, Envoy, host ports.
//!
//! Plays the agent's executor. It starts the parts, tells Marathon when they run, ends them when
//! Marathon says so, and tells Marathon when they end by themselves. The Envoy comes first: the
//! application is reported as running only when its proxy accepts connections for it.

use std::path::PathBuf;
use std::time::Duration;

use simulator::Simulator;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::parts::{Parts, StartError};
use super::task::Assignment;
use super::workload::State;
use crate::launches::Phase;
use crate::{AdsMode, Binary};

/// How often a listener is tried.
const POLL: Duration = Duration::from_millis(10);
/// Marathon's default pause (`backoffSeconds`) before what fails again and again is launched once
/// more. The simulator has none, so it is taken here.
const BACKOFF: Duration = Duration::from_secs(1);
/// Launches of an instance that need no pause: the first, and one after a crash.
const QUICK_LAUNCHES: u32 = 2;

/// What a test may do to a launch.
pub(super) enum Order {
    /// Kill the Envoy and leave it dead, without telling Marathon.
    KillEnvoy(oneshot::Sender<Result<(), StartError>>),
    /// Start it again.
    StartEnvoy(oneshot::Sender<Result<(), StartError>>),
    /// Everything dies at once; Marathon learns of it.
    Crash(oneshot::Sender<Result<(), StartError>>),
}

/// What is the same for all launches of a mesh.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) simulator: Simulator,
    pub(super) binary: Binary,
    pub(super) dir: PathBuf,
    pub(super) log_level: String,
    pub(super) discovery: std::net::SocketAddr,
    pub(super) domain: String,
    pub(super) ads: AdsMode,
    pub(super) certificates: Option<PathBuf>,
}

/// The actor that owns the parts.
pub(super) struct Launch {
    pub(super) name: String,
    pub(super) assignment: Assignment,
    pub(super) setting: Setting,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) state: watch::Sender<State>,
}

/// Why a launch ends.
enum End {
    /// Marathon asked for it.
    Killed,
    /// Marathon knows already.
    Gone,
    /// A part failed.
    Failed(StartError),
    /// A test asked for it.
    Crashed(oneshot::Sender<Result<(), StartError>>),
}

impl Launch {
    pub(super) async fn run(mut self) {
        let mut parts = Parts::default();
        let mut phase = self.phase.clone();
        let end = tokio::select! {
            end = asked_to_end(&mut phase) => end,
            started = self.bring_up(&mut parts) => match started {
                Ok(()) => self.serve(&mut parts).await,
                Err(error) => End::Failed(error),
            },
        };
        self.end(end, parts).await;
        self.state.send_replace(State::Ended);
    }

    async fn bring_up(&mut self, parts: &mut Parts) -> Result<(), StartError> {
        let (assignment, setting) = (&self.assignment, &self.setting);
        if assignment.key.incarnation > QUICK_LAUNCHES {
            sleep(BACKOFF).await;
        }
        parts.start(&self.name, assignment, setting).await?;
        parts.envoy_ready().await?;
        let mut tasks = assignment.tasks.iter();
        if let Some(proxy) = tasks.next() {
            // Addresses become known with the first running container; from then on the control
            // plane can tell the proxy where to listen.
            self.report(proxy, "TASK_RUNNING");
        }
        if tasks.len() > 0 {
            for address in assignment.inbound() {
                while TcpStream::connect(address).await.is_err() {
                    sleep(POLL).await;
                }
            }
        }
        tasks.for_each(|task| self.report(task, "TASK_RUNNING"));
        self.state.send_replace(State::Running);
        Ok(())
    }

    async fn serve(&mut self, parts: &mut Parts) -> End {
        let mut phase = self.phase.clone();
        loop {
            tokio::select! {
                end = asked_to_end(&mut phase) => return end,
                error = parts.envoy_ended() => return End::Failed(error),
                Some(order) = self.orders.recv() => match order {
                    // Nobody has to wait for the answer.
                    Order::KillEnvoy(reply) => drop(reply.send(parts.kill_envoy().await)),
                    Order::StartEnvoy(reply) => drop(reply.send(parts.start_envoy().await)),
                    Order::Crash(reply) => return End::Crashed(reply),
                },
            }
        }
    }

    async fn end(&self, end: End, parts: Parts) {
        let failed = |task: &String| self.report(task, "TASK_FAILED");
        match end {
            End::Killed => {
                self.state.send_replace(State::Draining);
                let mut phase = self.phase.clone();
                tokio::select! {
                    () = parts.drain() => {}
                    // The mesh stops: nobody is left to serve.
                    _ = phase.wait_for(|phase| *phase == Phase::Gone) => {}
                }
                parts.stop().await;
                self.assignment
                    .tasks
                    .iter()
                    .for_each(|task| self.report(task, "TASK_KILLED"));
            }
            End::Gone => parts.stop().await,
            End::Failed(error) => {
                tracing::warn!(workload = self.name, %error, "failed; Marathon launches it again");
                parts.stop().await;
                self.assignment.tasks.first().into_iter().for_each(failed);
            }
            End::Crashed(reply) => {
                let killed = parts.kill().await;
                self.assignment.tasks.first().into_iter().for_each(failed);
                drop(reply.send(killed));
            }
        }
    }

    /// Marathon refuses a report about a task that it has given up meanwhile; that is its right.
    fn report(&self, task: &str, state: &str) {
        if let Err(refused) = self.setting.simulator.set_task_state(task, state) {
            tracing::debug!(task, state, %refused, "task state not taken");
        }
    }
}

/// Returns when Marathon does not want the launch any more.
async fn asked_to_end(phase: &mut watch::Receiver<Phase>) -> End {
    let ended = phase.wait_for(|phase| *phase != Phase::Run).await;
    match ended.map(|phase| *phase) {
        Ok(Phase::Kill) => End::Killed,
        // The executor is gone: the mesh stops.
        _ => End::Gone,
    }
}
