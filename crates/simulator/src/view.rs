//! What really runs, for tests: the truth beside what the API shows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::spec::probe::Probe;
use crate::spec::{Kind, NetworkMode};
use crate::state::State;
use crate::state::instance::{Instance, Task};

/// One task of an app, or one container of a pod instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// The task id of this launch.
    pub id: String,
    /// The instance, the same over all launches.
    pub instance_id: String,
    /// The app or pod.
    pub run_spec_id: String,
    /// Which of the two.
    pub kind: Kind,
    /// The pod's container.
    pub container: Option<String>,
    /// Whether the Docker daemon runs it, and not Mesos itself.
    pub docker: bool,
    /// The container image.
    pub image: Option<String>,
    /// What it runs instead of the image's own program, as a line of shell.
    pub command: Option<String>,
    /// The Mesos state, such as `TASK_RUNNING`.
    pub state: String,
    /// The agent's name as Marathon shows it.
    pub agent_hostname: String,
    /// The agent's address.
    pub agent_ip: IpAddr,
    /// The address on the first container or bridge network; assigned while the
    /// task is still staging.
    pub container_ip: Option<IpAddr>,
    /// The mode of the first network.
    pub network_mode: NetworkMode,
    /// The ports of this container.
    pub ports: Vec<PortView>,
    /// The labels of the app or pod in the task's own version.
    pub labels: BTreeMap<String, String>,
    /// How many launches the instance has had, this one included.
    pub incarnation: u32,
    /// The version of the spec that this launch runs.
    pub version: String,
    /// The outcome of health checks; `None` if there are none or none yet.
    pub healthy: Option<bool>,
    /// Its health check, for whoever performs it.
    pub probe: Option<Probe>,
    /// What readiness checks say; `None` if there are none or none yet.
    pub ready: Option<bool>,
}

/// A port of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortView {
    /// The name of the mapping, definition or endpoint.
    pub name: Option<String>,
    /// The port inside the container; none in host mode.
    pub container_port: Option<u16>,
    /// The port on the agent, if one was asked for.
    pub host_port: Option<u16>,
}

impl TaskView {
    /// For the control API over HTTP.
    pub(crate) fn to_json(&self) -> Value {
        let network = match &self.network_mode {
            NetworkMode::Host => json!({ "mode": "host" }),
            NetworkMode::Bridge => json!({ "mode": "container/bridge" }),
            NetworkMode::Container(name) => json!({ "mode": "container", "name": name }),
        };
        let ports = self.ports.iter().map(|p| {
            json!({
                "name": p.name, "containerPort": p.container_port, "hostPort": p.host_port,
            })
        });
        json!({
            "id": self.id,
            "instanceId": self.instance_id,
            "runSpecId": self.run_spec_id,
            "kind": match self.kind { Kind::App => "app", Kind::Pod => "pod" },
            "container": self.container,
            "docker": self.docker,
            "image": self.image,
            "command": self.command,
            "state": self.state,
            "agentHostname": self.agent_hostname,
            "agentIp": self.agent_ip.to_string(),
            "containerIp": self.container_ip.map(|ip| ip.to_string()),
            "network": network,
            "ports": ports.collect::<Vec<_>>(),
            "labels": self.labels,
            "incarnation": self.incarnation,
            "version": self.version,
            "healthy": self.healthy,
            "ready": self.ready,
        })
    }
}

/// All tasks that are on an agent or have just ended, oldest instance first.
pub(crate) fn tasks(state: &State) -> Vec<TaskView> {
    let instances = state.instances.values();
    instances
        .flat_map(|i| i.tasks.iter().filter_map(|t| task(state, i, t)))
        .collect()
}

fn task(state: &State, instance: &Instance, task: &Task) -> Option<TaskView> {
    let agent = &state.cluster.agent(instance.agent?).options;
    let container = instance.container(task);
    let on_network = instance.addresses.iter().find(|a| a.network.is_some());
    Some(TaskView {
        id: task.id.clone(),
        instance_id: instance.id.clone(),
        run_spec_id: instance.spec.id.clone(),
        kind: instance.kind(),
        container: (instance.kind() == Kind::Pod).then(|| container.name.clone()),
        docker: is_docker(&instance.spec.body),
        image: container.image.clone(),
        command: container.command.clone(),
        state: task.condition.mesos().to_owned(),
        agent_hostname: agent.hostname.clone(),
        agent_ip: agent.ip,
        container_ip: on_network.map(|a| a.ip),
        network_mode: instance.spec.mode().clone(),
        ports: ports(task, &container.ports),
        labels: instance.spec.shape.labels.clone(),
        incarnation: instance.incarnation,
        version: instance.spec.version.to_string(),
        healthy: task.health.alive,
        probe: container.health.as_ref().and_then(|h| h.probe.clone()),
        ready: task.ready,
    })
}

fn is_docker(spec: &Value) -> bool {
    let containerizer = spec.pointer("/container/type");
    containerizer.and_then(Value::as_str) == Some("DOCKER")
}

fn ports(task: &Task, specs: &[crate::spec::Port]) -> Vec<PortView> {
    let views = specs.iter().enumerate().map(|(index, spec)| PortView {
        name: spec.name.clone(),
        container_port: task.container_port(index, spec),
        host_port: task.host_ports.get(index).copied().flatten(),
    });
    views.collect()
}
