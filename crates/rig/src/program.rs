//! One launch of an app or a pod, read from the tasks that Marathon placed.

use std::net::{IpAddr, Ipv4Addr};

use demo::{AdsMode, Bootstrap, Interception, Role};
use simulator::{NetworkMode, TaskView};

use crate::health::Check;
use crate::image::{Application, Proxy};
use crate::layout::{DOMAIN, MASTER};

/// One launch of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) instance: String,
    /// How often the instance has been launched.
    pub(crate) incarnation: u32,
    pub(crate) app: String,
    pub(crate) cluster: String,
    pub(crate) agent: Ipv4Addr,
    pub(crate) address: Ipv4Addr,
    /// What its Envoy is; `None` if it runs without one.
    pub(crate) role: Option<Role>,
    /// `None` in a pod of nothing but an Envoy.
    pub(crate) application: Option<Application>,
    /// Task ids, the Envoy's first.
    pub(crate) tasks: Vec<String>,
    /// Whether Docker runs it.
    pub(crate) docker: bool,
    /// Whether it is on its agent's own network.
    pub(crate) host: bool,
    pub(crate) checks: Vec<Check>,
    /// What Marathon tells it of its ports there.
    pub(crate) environment: Vec<String>,
    /// Container port and host port.
    pub(crate) ports: Vec<(u16, Option<u16>)>,
}

impl Launch {
    /// `None` while the tasks have no place yet.
    pub(crate) fn of(tasks: &[TaskView]) -> Option<Launch> {
        let first = tasks.first()?;
        let host = first.network_mode == NetworkMode::Host;
        let address = if host {
            Some(first.agent_ip)
        } else {
            first.container_ip
        };
        let (IpAddr::V4(address), IpAddr::V4(agent)) = (address?, first.agent_ip) else {
            return None;
        };
        let proxy = tasks.iter().find_map(Proxy::of);
        let is_proxy = |task: &TaskView| Proxy::of(task).is_some();
        let mut ordered: Vec<&TaskView> = tasks.iter().collect();
        ordered.sort_by_key(|task| !is_proxy(task));
        let application = ordered.iter().find(|task| !is_proxy(task));
        let ports = ordered.iter().flat_map(|task| &task.ports);
        Some(Launch {
            instance: first.instance_id.clone(),
            incarnation: first.incarnation,
            app: first.run_spec_id.clone(),
            cluster: match &proxy {
                Some(Proxy {
                    cluster: Some(cluster),
                    ..
                }) => cluster.clone(),
                _ => cluster(first),
            },
            agent,
            address,
            role: proxy.map(|proxy| proxy.role),
            application: application.map(|task| Application::of(task)),
            tasks: ordered.iter().map(|task| task.id.clone()).collect(),
            docker: first.docker,
            host,
            checks: tasks.iter().filter_map(Check::of).collect(),
            environment: application
                .filter(|_| host)
                .map_or(Vec::new(), |task| environment(task)),
            ports: ports
                .filter_map(|port| Some((port.container_port?, port.host_port)))
                .collect(),
        })
    }

    /// Short and unique in the rig: the pod's name, and the last part of the address on its agent.
    pub(crate) fn name(&self) -> String {
        let stem = self.app.trim_matches('/').replace('/', "-");
        let [_, _, agent, _] = self.agent.octets();
        let [_, _, _, own] = self.address.octets();
        match self.host {
            // Several have the agent's address, and each has an id of its own.
            true => format!(
                "{stem}-{agent}-{}",
                &self.instance[self.instance.len() - 6..]
            ),
            false => format!("{stem}-{agent}-{own}"),
        }
    }

    /// The bootstrap of its Envoy.
    pub(crate) fn bootstrap(&self, role: Role) -> Bootstrap {
        Bootstrap {
            role,
            address: self.address,
            instance_id: self.instance.clone(),
            task_id: self.tasks.first().cloned().unwrap_or_default(),
            app_id: self.app.clone(),
            cluster: self.cluster.clone(),
            agent: self.agent,
            domain: DOMAIN.into(),
            discovery: vec![(MASTER, 15010).into()],
            ads: AdsMode::Delta,
            interception: Interception::Redirect,
            certificates: None,
        }
    }
}

/// `PORT0` and so on, and `PORT_<NAME>`: where Marathon asks the program to listen.
fn environment(task: &TaskView) -> Vec<String> {
    let mut variables = vec![format!("HOST={}", task.agent_hostname)];
    for (at, port) in task.ports.iter().enumerate() {
        let Some(number) = port.host_port else {
            continue;
        };
        variables.push(format!("PORT{at}={number}"));
        if let Some(name) = &port.name {
            let name = name.to_uppercase().replace('-', "_");
            variables.push(format!("PORT_{name}={number}"));
        }
    }
    variables
}

/// The name of a proxy's service, as Istio's injection makes it up.
fn cluster(task: &TaskView) -> String {
    let label = |name: &str| task.labels.get(name).map_or("", String::as_str);
    let name = [label("istio"), label("version")].join("-");
    name.trim_matches('-').to_owned()
}
