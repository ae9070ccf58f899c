//! Pods: from `/v2/pods/::status` to facts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::marathon::{
    ContainerSpec, EndpointSpec, Pod, PodInstance, PodWorkload, TaskId, WorkloadKind,
};
use model::{BridgeKind, Labels, Locality, Mesh};

use super::facts::{Facts, object};
use super::health::Verdict;
use super::ports::{Spec, declare};
use super::reach::Mode;
use super::revision::{self, Gathering, Revision, Sighting, Slot};
use super::{health, labels};
use crate::report::Report;

pub(super) fn read(workload: &PodWorkload, mesh: &Mesh) -> Facts {
    let status = &workload.status;
    let mut report = Report::new(object(WorkloadKind::Pod, &status.id), None, "");
    let mut gathering = Gathering::new(&status.id, mesh.ip_family);
    let latest = revision(&status.id, &status.spec, mesh, &mut report);
    gathering.declare(&latest);
    let running = status.instances.iter().filter_map(PodInstance::version);
    let versions = running.chain(status.spec.version.as_deref());
    gathering.seen_since(versions.filter_map(|v| v.parse().ok()).min());
    let mut older: BTreeMap<&str, (&Pod, Revision)> = BTreeMap::new();
    for instance in &status.instances {
        let (document, running) = match older_version(workload, instance) {
            None => (&status.spec, &latest),
            Some((version, document)) => {
                let (document, revision) = older.entry(version).or_insert_with(|| {
                    let revision = revision(&status.id, document, mesh, &mut report);
                    (document, revision)
                });
                (*document, &*revision)
            }
        };
        gathering.add(sighting(document, instance, mesh), running, &mut report);
    }
    for (_, revision) in older.values() {
        gathering.declare(revision);
    }
    gathering.finish(report)
}

/// The version that an instance runs, if it is not the latest and known.
fn older_version<'a>(
    workload: &'a PodWorkload,
    instance: &'a PodInstance,
) -> Option<(&'a str, &'a Pod)> {
    let own = instance.version()?;
    if workload.status.spec.version.as_deref() == Some(own) {
        return None;
    }
    let is_own = |pod: &&std::sync::Arc<Pod>| pod.version.as_deref() == Some(own);
    let older = workload.versions.iter().find(is_own)?;
    Some((own, older))
}

fn revision(id: &str, pod: &Pod, mesh: &Mesh, report: &mut Report) -> Revision {
    let names = labels::names(id, &pod.labels, mesh, report);
    let empty = |mode| Revision::empty(Labels::from(pod.labels.clone()), mode);
    if names.hosts.is_none() {
        return empty(Mode::Host);
    }
    // Mesos' own containerizer runs all pods.
    let mode = revision::mode(&pod.networks, BridgeKind::Mesos, report).unwrap_or(Mode::Host);
    let specs: Vec<Spec<'_>> = endpoints(pod)
        .map(|(c, _, e, endpoint)| Spec {
            field: format!("containers[{c}].endpoints[{e}]"),
            ..spec(endpoint, mode)
        })
        .collect();
    Revision {
        weight: labels::weight(&pod.labels, report),
        choice: labels::choice(&pod.labels, report),
        ports: declare(&specs, mode, mesh, report),
        ..empty(mode)
    }
    .named(names)
}

/// All endpoints of all containers, with their indices; instances' slots follow this order.
fn endpoints(pod: &Pod) -> impl Iterator<Item = (usize, &ContainerSpec, usize, &EndpointSpec)> {
    let containers = pod.containers.iter().enumerate();
    containers.flat_map(|(c, container)| {
        let endpoints = container.endpoints.iter().enumerate();
        endpoints.map(move |(e, endpoint)| (c, container, e, endpoint))
    })
}

fn spec<'a>(endpoint: &'a EndpointSpec, mode: Mode) -> Spec<'a> {
    Spec {
        field: String::new(),
        name: &endpoint.name,
        labels: &endpoint.labels,
        container_port: endpoint.container_port.unwrap_or(0),
        has_host_port: endpoint.host_port.is_some(),
        otherwise: match mode {
            Mode::Host => endpoint.host_port.unwrap_or(0),
            _ => 0,
        },
        protocols: endpoint.protocol.iter().map(String::as_str).collect(),
        network_names: &endpoint.network_names,
    }
}

fn sighting<'a>(document: &Pod, instance: &'a PodInstance, mesh: &Mesh) -> Sighting<'a> {
    let host = instance.agent_hostname.as_deref().unwrap_or("");
    Sighting {
        id: &instance.id,
        state: &instance.status,
        incarnation: incarnation(instance),
        host,
        agent: host.parse().ok().or(instance.agent_address),
        addresses: addresses(instance),
        locality: Locality {
            region: instance.agent_region.as_deref().unwrap_or("").into(),
            zone: instance.agent_zone.as_deref().unwrap_or("").into(),
            subzone: Default::default(),
        },
        since: instance.status_since,
        slots: endpoints(document)
            .map(|(_, container, _, endpoint)| {
                slot(instance, &container.name, &endpoint.name, mesh)
            })
            .collect(),
    }
}

/// Endpoints are joined by name; Marathon lists them in another order than the specification.
fn slot(instance: &PodInstance, container: &str, endpoint: &str, mesh: &Mesh) -> Slot {
    let status = instance.containers.iter().find(|c| c.name == container);
    let found = status.and_then(|container| {
        let endpoint = container.endpoints.iter().find(|e| e.name == endpoint)?;
        Some(Slot {
            host_port: endpoint.allocated_host_port,
            verdict: health::of_endpoint(instance, container, mesh),
        })
    });
    found.unwrap_or_else(|| Slot {
        host_port: None,
        verdict: Verdict::no(match status {
            None => format!("Marathon does not tell of its container {container} yet"),
            Some(status) => format!(
                "its container {container} is {} and has no endpoint {endpoint}",
                status.status
            ),
        }),
    })
}

fn incarnation(instance: &PodInstance) -> u64 {
    let ids = instance
        .containers
        .iter()
        .filter_map(|c| c.container_id.as_deref());
    ids.filter_map(|id| TaskId::parse(id)?.incarnation)
        .max()
        .unwrap_or(0)
}

fn addresses(instance: &PodInstance) -> Vec<(Option<String>, IpAddr)> {
    let networks = instance.networks.iter();
    networks
        .flat_map(|network| {
            let ips = network.addresses.iter().filter_map(|ip| ip.parse().ok());
            ips.map(|ip| (network.name.clone(), ip))
        })
        .collect()
}
