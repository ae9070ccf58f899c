//! A running workload as seen from outside: names, addresses, its Envoy.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot, watch};

use super::launch::Order;
use super::parts::StartError;
use crate::{Admin, Role, TaskAddresses};

/// How far a launch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Parts are being started; Marathon shows staging.
    Starting,
    /// Marathon shows running.
    Running,
    /// Marathon wants it to end; it serves what is still coming.
    Draining,
    /// Nothing of it is left.
    Ended,
}

/// One launch of one instance. Cheap to clone; stays valid, though useless, after its end.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Short and unique in the mesh: the pod's name, with a number from the second launch on.
    pub name: String,
    /// The pod or app in Marathon, with its slash.
    pub app: String,
    /// Marathon's instance id.
    pub instance: String,
    /// Mesos' task ids, the Envoy's first.
    pub tasks: Vec<String>,
    /// What its Envoy is; `None` without one.
    pub role: Option<Role>,
    /// The id under which the Envoy is known to the control plane; empty without one.
    pub node_id: String,
    /// Its agent.
    pub agent: Ipv4Addr,
    /// Its own addresses.
    pub addresses: TaskAddresses,
    /// Host port by container port.
    pub host_ports: BTreeMap<u16, u16>,
    /// The Envoy's admin interface.
    pub admin: Admin,
    /// The Envoy's log.
    pub log: PathBuf,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) state: watch::Receiver<State>,
}

impl Workload {
    /// How far it is now.
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Waits until nothing of it is left.
    pub async fn ended(&self) {
        // An error means that its actor is gone, and all parts with it.
        let _ = self
            .state
            .clone()
            .wait_for(|state| *state == State::Ended)
            .await;
    }

    /// Where outsiders reach a container port: agent and host port.
    pub fn outside(&self, container_port: u16) -> Option<SocketAddr> {
        let host_port = self.host_ports.get(&container_port)?;
        Some((self.agent, *host_port).into())
    }

    /// Kills the Envoy with SIGKILL and leaves it dead; Marathon is not told.
    pub async fn kill_envoy(&self) -> Result<(), StartError> {
        self.order(Order::KillEnvoy).await
    }

    /// Starts a killed Envoy again.
    pub async fn start_envoy(&self) -> Result<(), StartError> {
        self.order(Order::StartEnvoy).await
    }

    /// Application, Envoy and host ports die at once; then Marathon hears of it.
    pub async fn crash(&self) -> Result<(), StartError> {
        self.order(Order::Crash).await
    }

    async fn order(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<(), StartError>>) -> Order,
    ) -> Result<(), StartError> {
        let gone = || StartError::NoEnvoy(self.name.clone());
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
