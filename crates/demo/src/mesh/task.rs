//! What Marathon wants an agent to run, read from the simulator's tasks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use simulator::TaskView;

use crate::bookinfo::Service;
use crate::launches::Key;
use crate::{Role, TaskAddresses};

/// The container beside an application in which the Envoy runs.
const PROXY: &str = "proxy";

/// All that an agent needs to know to run a launch.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) key: Key,
    pub(super) app: String,
    pub(super) cluster: String,
    pub(super) agent: Ipv4Addr,
    pub(super) addresses: TaskAddresses,
    /// What its Envoy is; `None` if it runs without one.
    pub(super) role: Option<Role>,
    /// What its application is; `None` if Bookinfo has no such program.
    pub(super) service: Option<Service>,
    /// Task ids, the Envoy's first: it has to be there before the application.
    pub(super) tasks: Vec<String>,
    /// Container port and the host port that leads to it.
    pub(super) ports: Vec<(u16, Option<u16>)>,
}

impl Assignment {
    /// `None` while the tasks have no place yet, or if they are not on a bridge of the mesh: the
    /// demo can imitate no other network.
    pub(super) fn of(key: &Key, tasks: &[TaskView]) -> Option<Self> {
        let first = tasks.first()?;
        let (IpAddr::V4(container), IpAddr::V4(agent)) = (first.container_ip?, first.agent_ip)
        else {
            return None;
        };
        let label = |name: &str| first.labels.get(name).map_or("", String::as_str);
        let (istio, version) = (label("istio"), label("version"));
        let is_proxy = |task: &TaskView| task.container.as_deref() == Some(PROXY);
        let mut ordered: Vec<&TaskView> = tasks.iter().collect();
        ordered.sort_by_key(|task| !is_proxy(task));
        Some(Self {
            key: key.clone(),
            app: first.run_spec_id.clone(),
            cluster: [istio, version].join("-").trim_matches('-').to_owned(),
            agent,
            addresses: TaskAddresses::of(container)?,
            role: if tasks.iter().any(is_proxy) {
                Some(Role::Sidecar)
            } else if istio.ends_with("gateway") {
                Some(Role::Router)
            } else {
                None
            },
            service: Service::from_labels(istio, version),
            tasks: ordered.iter().map(|task| task.id.clone()).collect(),
            ports: ordered.iter().flat_map(|task| ports(task)).collect(),
        })
    }

    /// The addresses that accept once the proxy is configured.
    pub(super) fn inbound(&self) -> Vec<SocketAddr> {
        let ip = self.addresses.container;
        self.ports
            .iter()
            .map(|(port, _)| (ip, *port).into())
            .collect()
    }

    /// The id of the pod without its slash, good for file names.
    pub(super) fn stem(&self) -> String {
        self.app.trim_matches('/').replace('/', "_")
    }
}

fn ports(task: &TaskView) -> impl Iterator<Item = (u16, Option<u16>)> {
    let ports = task.ports.iter();
    ports.filter_map(|port| Some((port.container_port?, port.host_port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launches::{Phase, launches};
    use crate::{Block, samples};
    use simulator::{Agent, Kill, Launch, Options, Simulator};

    async fn marathon(block: &Block) -> Simulator {
        let options = Options {
            agents: vec![Agent {
                bridge: block.bridge(1),
                ..Agent::at(block.agent(1))
            }],
            launch: Launch::Manual,
            kill: Kill::Manual,
            ..Options::default()
        };
        Simulator::start(options).await.unwrap()
    }

    /// Waits until the simulator shows exactly one launch, in this phase.
    async fn only(simulator: &Simulator, phase: Phase) -> (Key, Vec<TaskView>) {
        let mut found = None;
        let one = simulator.until(|simulator| {
            let mut all = launches(simulator.tasks()).into_iter();
            found = match (all.next(), all.next()) {
                (Some((key, (is, tasks))), None) if is == phase => Some((key, tasks)),
                _ => None,
            };
            found.is_some()
        });
        let one = tokio::time::timeout(std::time::Duration::from_secs(5), one);
        one.await.expect("the launch in time");
        found.unwrap()
    }

    #[tokio::test]
    async fn a_pod_is_assigned_with_its_proxy_first() {
        let block = Block::claim().unwrap();
        let simulator = marathon(&block).await;
        simulator.post_pod(samples::pods().remove(5)).unwrap();
        let (key, tasks) = only(&simulator, Phase::Run).await;
        let of = Assignment::of(&key, &tasks).unwrap();
        assert_eq!(
            (of.app.as_str(), of.stem().as_str()),
            ("/reviews-v3", "reviews-v3")
        );
        assert_eq!(of.cluster, "reviews-v3");
        assert_eq!((of.role, of.agent), (Some(Role::Sidecar), block.agent(1)));
        assert_eq!(of.service, Service::from_labels("reviews", "v3"));
        assert!(of.tasks[0].contains(".proxy."), "{:?}", of.tasks);
        assert_eq!(of.inbound(), [(of.addresses.container, 9080).into()]);
        assert!(of.ports[0].1.is_some(), "a host port");
    }

    #[tokio::test]
    async fn phases_follow_the_life_of_a_task() {
        let block = Block::claim().unwrap();
        let simulator = marathon(&block).await;
        simulator.post_pod(samples::pods().remove(6)).unwrap();
        let (first, tasks) = only(&simulator, Phase::Run).await;
        let of = Assignment::of(&first, &tasks).unwrap();
        assert_eq!((of.role, of.service), (Some(Role::Router), None));

        // A crash is another launch of the same instance.
        simulator
            .set_task_state(&of.tasks[0], "TASK_RUNNING")
            .unwrap();
        simulator.settled().await;
        simulator.crash_task(&of.tasks[0]).unwrap();
        let again = simulator.until(|s| launches(s.tasks()).keys().any(|key| key.incarnation == 2));
        again.await;
        let (second, tasks) = only(&simulator, Phase::Run).await;
        assert_eq!((&second.instance, second.incarnation), (&first.instance, 2));

        simulator.delete("/istio-ingressgateway").unwrap();
        only(&simulator, Phase::Kill).await;
        simulator
            .set_task_state(&tasks[0].id, "TASK_KILLED")
            .unwrap();
        simulator.until(|s| s.tasks().is_empty()).await;
    }
}
