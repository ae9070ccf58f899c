//! The handle: starts a simulator and does in process what REST does, and more.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::change::{Accepted, Edit, Origin};
use crate::error::{ApiError, DeploymentId};
use crate::options::{Kill, Launch, Options};
use crate::server::{Server, Shared};
use crate::spec::{Kind, path};
use crate::state::{State, unknown};
use crate::view::{self, TaskView};

/// A running simulator. Clones are handles to the same one; it ends with
/// [`shutdown`](Simulator::shutdown) or with the last handle.
#[derive(Clone)]
pub struct Simulator {
    shared: Shared,
    running: Arc<Running>,
}

struct Running {
    /// `None` while Marathon is away.
    server: Mutex<Option<Server>>,
    driver: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.driver.abort();
        if let Some(server) = self.server.get_mut().take() {
            server.abandon();
        }
    }
}

impl Simulator {
    /// Listens and begins.
    pub async fn start(options: Options) -> io::Result<Simulator> {
        let listener = TcpListener::bind(options.listen).await?;
        let shared = Shared::new(State::new(options, listener.local_addr()?));
        let driver = tokio::spawn(shared.clone().drive());
        let server = Server::start(shared.clone(), listener);
        let running = Running {
            server: Mutex::new(Some(server)),
            driver,
        };
        Ok(Simulator {
            shared,
            running: Arc::new(running),
        })
    }

    /// The base URL, without a slash at the end.
    pub fn url(&self) -> String {
        self.shared.url()
    }

    /// The address that REST listens on.
    pub fn addr(&self) -> SocketAddr {
        self.shared.addr()
    }

    /// Ends the simulator: no more steps, all connections closed.
    pub async fn shutdown(self) {
        self.running.driver.abort();
        self.pause().await;
    }

    // === run specs ===

    /// `POST /v2/apps`.
    pub fn post_app(&self, app: Value) -> Result<DeploymentId, ApiError> {
        self.change(|state| state.create(Kind::App, &app, &origin("/v2/apps")))
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
        self.shared.mutate(|state| {
            let (key, _) = state.find_task(task)?;
            state.kill_instances(&[key]);
            Ok(())
        })
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

    // === trouble ===

    /// Marathon goes away: nothing listens, all connections are cut. Tasks live
    /// on, and control in process still works.
    pub async fn pause(&self) {
        if let Some(server) = self.running.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Marathon comes back, on the same port.
    pub async fn resume(&self) -> io::Result<()> {
        let mut server = self.running.server.lock().await;
        if server.is_none() {
            let listener = TcpListener::bind(self.addr()).await?;
            *server = Some(Server::start(self.shared.clone(), listener));
        }
        Ok(())
    }

    /// Event streams stay open but fall silent, heartbeats included, as behind
    /// a dead connection. What happens meanwhile waits in the buffers and comes
    /// when the streams thaw; a buffer that overflows closes its stream.
    pub fn freeze_events(&self, frozen: bool) {
        self.shared.freeze(frozen);
    }

    /// Closes all event streams.
    pub fn drop_streams(&self) {
        self.shared.mutate(|state| {
            state.hub.cut_all();
            state.revision += 1;
        });
    }

    /// The number of open event streams.
    pub fn streams(&self) -> usize {
        self.shared.read(|state| state.hub.len())
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
