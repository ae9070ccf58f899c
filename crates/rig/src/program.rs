//! What the containers of a pod run here, read from the tasks that Marathon placed.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use demo::bookinfo::Service;
use demo::{AdsMode, Bootstrap, Interception, Role};
use simulator::TaskView;

use crate::layout::{DOMAIN, MASTER};

/// The container beside an application in which the Envoy runs.
const PROXY: &str = "proxy";
const HTTPBIN_PORT: &str = "8000";

/// One launch of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) instance: String,
    pub(crate) app: String,
    pub(crate) cluster: String,
    pub(crate) agent: Ipv4Addr,
    pub(crate) address: Ipv4Addr,
    /// What its Envoy is; `None` if it runs without one.
    pub(crate) role: Option<Role>,
    pub(crate) application: Application,
    /// Task ids, the Envoy's first.
    pub(crate) tasks: Vec<String>,
    /// Container port and host port.
    pub(crate) ports: Vec<(u16, Option<u16>)>,
}

/// The program of the container that is not the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Application {
    Bookinfo(Service),
    Httpbin,
    /// Only a place to run commands in.
    Sleep,
}

impl Launch {
    /// `None` while the tasks have no place yet, or are on no bridge.
    pub(crate) fn of(tasks: &[TaskView]) -> Option<Launch> {
        let first = tasks.first()?;
        let (IpAddr::V4(address), IpAddr::V4(agent)) = (first.container_ip?, first.agent_ip) else {
            return None;
        };
        let label = |name: &str| first.labels.get(name).map_or("", String::as_str);
        let (istio, version) = (label("istio"), label("version"));
        let is_proxy = |task: &TaskView| task.container.as_deref() == Some(PROXY);
        let mut ordered: Vec<&TaskView> = tasks.iter().collect();
        ordered.sort_by_key(|task| !is_proxy(task));
        let ports = ordered.iter().flat_map(|task| &task.ports);
        Some(Launch {
            instance: first.instance_id.clone(),
            app: first.run_spec_id.clone(),
            cluster: [istio, version].join("-").trim_matches('-').to_owned(),
            agent,
            address,
            role: match tasks.iter().any(is_proxy) {
                true => Some(Role::Sidecar),
                false => istio.ends_with("gateway").then_some(Role::Router),
            },
            application: application(istio, version),
            tasks: ordered.iter().map(|task| task.id.clone()).collect(),
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
        format!("{stem}-{agent}-{own}")
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

impl Application {
    /// The command line, if there is something to run.
    pub(crate) fn command(self, own: &Path, httpbin: &Path, instance: &str) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        match self {
            Application::Bookinfo(service) => [
                &text(own),
                "rig",
                "bookinfo",
                service.name(),
                service.version(),
                "--instance",
                instance,
            ]
            .map(str::to_owned)
            .into(),
            Application::Httpbin => [
                &text(httpbin),
                "-m",
                "httpbin.core",
                "--host",
                "0.0.0.0",
                "--port",
                HTTPBIN_PORT,
            ]
            .map(str::to_owned)
            .into(),
            Application::Sleep => ["sleep", "infinity"].map(str::to_owned).into(),
        }
    }
}

fn application(istio: &str, version: &str) -> Application {
    match Service::from_labels(istio, version) {
        Some(service) => Application::Bookinfo(service),
        None if istio == "httpbin" => Application::Httpbin,
        None => Application::Sleep,
    }
}
