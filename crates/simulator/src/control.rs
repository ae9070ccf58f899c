//! The handle: starts a simulator and does in process what REST does, and more.

mod trouble;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::change::{Accepted, Edit, Origin};
use crate::error::{ApiError, DeploymentId};
use crate::options::{Kill, Launch, Options, Readiness};
use crate::server::Shared;
use crate::spec::{Kind, path};
use crate::state::{State, unknown};
use crate::view::{self, TaskView};

/// A running simulator. Clones are handles to the same one; it ends with
/// [`shutdown`](Simulator::shutdown) or with the last handle.
#[derive(Clone)]
pub struct Simulator {
    shared: Shared,
    _running: Arc<Running>,
}

struct Running {
    shared: Shared,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Simulator {
    /// Listens and begins.
    pub async fn start(options: Options) -> io::Result<Simulator> {
        let mut listeners = vec![TcpListener::bind(options.listen).await?];
        for standby in &options.standbys {
            listeners.push(TcpListener::bind(standby).await?);
        }
        let members = listeners.iter().map(TcpListener::local_addr);
        let members = members.collect::<io::Result<Vec<_>>>()?;
        let state = State::new(options, members)
            .map_err(|bad| io::Error::new(io::ErrorKind::InvalidInput, bad))?;
        let shared = Shared::new(state);
        shared.background(shared.clone().drive());
        for (member, listener) in listeners.into_iter().enumerate() {
            shared.listen(member, listener).await;
        }
        let running = Arc::new(Running {
            shared: shared.clone(),
        });
        Ok(Simulator {
            shared,
            _running: running,
        })
    }

    /// The base URL, without a slash at the end.
    pub fn url(&self) -> String {
        self.url_of(0)
    }

    /// The base URL of a member: the first listens on `Options::listen`, the
    /// others on `Options::standbys`.
    pub fn url_of(&self, member: usize) -> String {
        format!("http://{}", self.shared.addr(member))
    }

    /// The address that REST listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr_of(0)
    }

    /// The address of a member.
    pub fn addr_of(&self, member: usize) -> SocketAddr {
        self.shared.addr(member)
    }

    /// Ends the simulator: no more steps, all connections closed.
    pub async fn shutdown(self) {
        self.shared.end();
        self.shared.pause().await;
    }

    // === run specs ===

    /// `POST /v2/apps`.
    pub fn post_app(&self, app: Value) -> Result<DeploymentId, ApiError> {
        self.change(|state| state.create(Kind::App, &app, &origin("/v2/apps")))
    }

    /// `PUT /v2/groups`: many apps at once.
    pub fn put_group(&self, group: Value) -> Result<DeploymentId, ApiError> {
        self.change(|state| state.put_group("/", &group, &origin("/v2/groups")))
    }

    /// `PUT /v2/apps/{id}` with a complete definition (`partialUpdate=false`).
    pub fn put_app(&self, app: Value) -> Result<DeploymentId, ApiError> {
        self.put(Kind::App, "apps", app)
    }

    /// `POST /v2/pods`.
    pub fn post_pod(&self, pod: Value) -> Result<DeploymentId, ApiError> {
        self.change(|state| state.create(Kind::Pod, &pod, &origin("/v2/pods")))
    }

    /// `PUT /v2/pods/{id}`.
    pub fn put_pod(&self, pod: Value) -> Result<DeploymentId, ApiError> {
        let id = path::lookup(pod["id"].as_str().unwrap_or_default());
        self.shared
            .read(|state| state.spec(Kind::Pod, &id).map(|_| ()))?;
        self.put(Kind::Pod, "pods", pod)
    }

    fn put(&self, kind: Kind, noun: &str, body: Value) -> Result<DeploymentId, ApiError> {
        let id = path::lookup(body["id"].as_str().unwrap_or_default());
        let by = origin(&format!("/v2/{noun}{id}"));
        self.change(|state| state.apply(vec![Edit::Put(kind, body)], &by))
    }

    /// Sets the number of instances of an app or pod.
    pub fn scale(&self, id: &str, instances: usize) -> Result<DeploymentId, ApiError> {
        let id = path::lookup(id);
        self.change(|state| {
            let (_, by) = target(state, &id)?;
            state.scale(&id, instances, &by)
        })
    }

    /// Replaces all instances of an app or pod by rolling restart.
    pub fn restart(&self, id: &str) -> Result<DeploymentId, ApiError> {
        let id = path::lookup(id);
        self.change(|state| {
            let (kind, by) = target(state, &id)?;
            state.apply(vec![Edit::Restart(kind, id.clone())], &by)
        })
    }

    /// Deletes an app or pod.
    pub fn delete(&self, id: &str) -> Result<DeploymentId, ApiError> {
        let id = path::lookup(id);
        self.change(|state| {
            let (kind, by) = target(state, &id)?;
            state.apply(vec![Edit::Delete(kind, id.clone())], &by)
        })
    }

    // === tasks ===

    /// Kills the instance of a task; it is launched again under the same id.
    pub fn kill_task(&self, task: &str) -> Result<(), ApiError> {
        self.shared.mutate(|state| state.kill_task(task))
    }

    /// The task fails by itself: `TASK_FAILED`, then the next launch of the same
    /// instance, without a deployment.
    pub fn crash_task(&self, task: &str) -> Result<(), ApiError> {
        self.set_task_state(task, "TASK_FAILED")
    }

    /// Reports a Mesos state for a task. `UnreachableInactive` is understood
    /// too: an unreachable task that Marathon has given up.
    pub fn set_task_state(&self, task: &str, state: &str) -> Result<(), ApiError> {
        self.shared.mutate(|s| s.set_task_state(task, state))
    }

    /// Reports the outcome of a task's health checks; `None` forgets it.
    pub fn set_health(&self, task: &str, alive: Option<bool>) -> Result<(), ApiError> {
        self.shared.mutate(|s| s.set_health(task, alive))
    }

    /// Answers a task's readiness checks; `None` forgets it.
    pub fn set_ready(&self, task: &str, ready: Option<bool>) -> Result<(), ApiError> {
        self.shared.mutate(|s| s.set_ready(task, ready))
    }

    /// All tasks with what is true of them, oldest instance first.
    pub fn tasks(&self) -> Vec<TaskView> {
        self.shared.read(view::tasks)
    }

    /// The tasks of one app or pod.
    pub fn tasks_of(&self, id: &str) -> Vec<TaskView> {
        let id = path::lookup(id);
        let mut tasks = self.tasks();
        tasks.retain(|t| t.run_spec_id == id);
        tasks
    }

    // === pace ===

    /// A counter that grows with every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }

    /// Waits until `condition` holds. There is no deadline: wrap it in one.
    pub async fn until(&self, mut condition: impl FnMut(&Simulator) -> bool) {
        let mut changes = self.changes();
        while !condition(self) {
            // The sender lives in `self`, so this cannot fail.
            let _ = changes.changed().await;
        }
    }

    /// Waits until no deployment is left and every instance runs.
    pub async fn settled(&self) {
        self.until(|s| s.shared.read(State::settled)).await;
    }

    /// From now on, who brings tasks to `TASK_RUNNING`.
    pub fn set_launch(&self, launch: Launch) {
        self.shared.mutate(|state| {
            state.launch = launch;
            state.wake_all();
        });
    }

    /// From now on, who brings killed tasks to `TASK_KILLED`.
    pub fn set_kill(&self, kill: Kill) {
        self.shared.mutate(|state| {
            state.kill = kill;
            state.wake_all();
        });
    }

    /// From now on, who answers readiness checks.
    pub fn set_readiness(&self, readiness: Readiness) {
        self.shared.mutate(|state| {
            state.readiness = readiness;
            state.wake_all();
        });
    }

    fn change(
        &self,
        change: impl FnOnce(&mut State) -> Result<Accepted, ApiError>,
    ) -> Result<DeploymentId, ApiError> {
        self.shared
            .mutate(change)
            .map(|accepted| accepted.deployment)
    }
}

/// The kind of an existing app or pod, and the request that names it.
fn target(state: &State, id: &str) -> Result<(Kind, Origin), ApiError> {
    let run_spec = state.run_spec(id).ok_or_else(|| unknown(Kind::App, id))?;
    let kind = run_spec.current.kind;
    let noun = match kind {
        Kind::App => "apps",
        Kind::Pod => "pods",
    };
    Ok((kind, origin(&format!("/v2/{noun}{id}"))))
}

fn origin(uri: &str) -> Origin {
    Origin {
        client: "127.0.0.1".into(),
        uri: uri.into(),
        force: false,
    }
}
