//! What should be known, from what really runs: by the rules of docs/marathon.md, not by our code.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use model::{Bridge, BridgeKind, Health, World};
use simulator::{NetworkMode, PortView, Simulator, TaskView};

use super::specs::HOST_PORT;

/// One endpoint: service and port, its addresses, health and version.
pub(super) type Row = (
    String,
    u16,
    Option<SocketAddr>,
    Option<(Bridge, SocketAddr)>,
    Health,
    String,
);

pub(super) type Rows = BTreeSet<Row>;

/// The endpoints that there are.
pub(super) fn of(simulator: &Simulator) -> Rows {
    let tasks = simulator.tasks();
    let mut rows = Rows::new();
    for task in &tasks {
        let (Some(name), Some(health)) = (task.labels.get("istio"), health(task)) else {
            continue;
        };
        for port in &task.ports {
            let (number, anywhere, same_bridge) = place(task, port);
            let version = task.labels.get("version").cloned().unwrap_or_default();
            let host = format!("{name}.marathon.slave.mesos");
            rows.insert((host, number, anywhere, same_bridge, health, version));
        }
    }
    rows
}

fn health(task: &TaskView) -> Option<Health> {
    match (task.state.as_str(), task.healthy) {
        ("TASK_RUNNING", Some(false)) => Some(Health::Unhealthy),
        ("TASK_RUNNING", _) => Some(Health::Healthy),
        ("TASK_UNREACHABLE", _) => Some(Health::Degraded),
        _ => None,
    }
}

/// The number that callers use, the address from elsewhere, and that from the same bridge.
fn place(
    task: &TaskView,
    port: &PortView,
) -> (u16, Option<SocketAddr>, Option<(Bridge, SocketAddr)>) {
    let on_agent = port
        .host_port
        .map(|host| SocketAddr::new(task.agent_ip, host));
    let inside = Option::zip(task.container_ip, port.container_port);
    let inside = inside.map(|(ip, port)| SocketAddr::new(ip, port));
    let number = port.container_port.unwrap_or(HOST_PORT);
    match &task.network_mode {
        NetworkMode::Host => (HOST_PORT, on_agent, None),
        NetworkMode::Bridge => (number, on_agent, inside.map(|at| (bridge(task), at))),
        NetworkMode::Container(_) => (number, inside, None),
    }
}

fn bridge(task: &TaskView) -> Bridge {
    let kind = match task.docker {
        true => BridgeKind::Docker,
        false => BridgeKind::Mesos,
    };
    Bridge {
        agent: task.agent_ip,
        kind,
    }
}

/// The endpoints that a World has.
pub(super) fn known(world: &World) -> Rows {
    let mut rows = Rows::new();
    for (port, endpoints) in &world.endpoints {
        for endpoint in endpoints.iter() {
            rows.insert((
                port.host.to_string(),
                port.port,
                endpoint.reach.anywhere,
                endpoint.reach.same_bridge,
                endpoint.health,
                endpoint.labels.get("version").unwrap_or_default().into(),
            ));
        }
    }
    rows
}

/// What differs, for people.
pub(super) fn difference(truth: &Rows, known: &Rows) -> BTreeMap<&'static str, Vec<Row>> {
    let only = |one: &Rows, other: &Rows| one.difference(other).cloned().collect();
    BTreeMap::from([
        ("missing", only(truth, known)),
        ("untrue", only(known, truth)),
    ])
}
