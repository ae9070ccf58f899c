//! Apps: from `/v2/apps` with tasks to facts.

mod probed;

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::marathon::{
    App, AppWorkload, DiscoveryPort, PortDefinition, PortMapping, Task, TaskId, WorkloadKind,
};
use jiff::Timestamp;
use model::{BridgeKind, Labels, Locality, Mesh};

use super::facts::{Facts, object};
use super::ports::{Spec, declare};
use super::reach::Mode;
use super::revision::{self, Gathering, Revision, Sighting, Slot};
use super::{health, labels};
use crate::report::Report;

pub(super) fn read(workload: &AppWorkload, mesh: &Mesh) -> Facts {
    let app = &workload.app;
    let mut report = Report::new(object(WorkloadKind::App, &app.id), None, "");
    let mut gathering = Gathering::new(&app.id, mesh.ip_family);
    let latest = revision(&app.id, app, mesh, &mut report);
    gathering.declare(&latest);
    let versions = app.tasks.iter().filter_map(|task| task.version);
    gathering.seen_since(versions.chain(app.version).min());
    let mut older: BTreeMap<Timestamp, (&App, Revision)> = BTreeMap::new();
    for task in &app.tasks {
        if !health::is_present(task) {
            let why = health::of_task(app, task, mesh).why;
            gathering.miss([&task.id, &task.state, &task.host], why, &latest);
            continue;
        }
        let (document, running) = match older_version(workload, task) {
            None => (app, &latest),
            Some((version, document)) => {
                let (document, revision) = older
                    .entry(version)
                    .or_insert_with(|| (document, revision(&app.id, document, mesh, &mut report)));
                (*document, &*revision)
            }
        };
        let sighting = sighting(app, document, task, running.mode, mesh);
        gathering.add(sighting, running, &mut report);
    }
    for (_, revision) in older.values() {
        gathering.declare(revision);
    }
    Facts {
        probed: probed::read(app, &latest),
        ..gathering.finish(report)
    }
}

/// The version that a task runs, if it is not the latest. Scaling gives the app a new version, yet
/// no task a new configuration, so what counts is the last change of configuration.
fn older_version<'a>(workload: &'a AppWorkload, task: &Task) -> Option<(Timestamp, &'a App)> {
    let own = task.version?;
    let app = &workload.app;
    let info = app.version_info.as_ref();
    match info.and_then(|info| info.last_config_change_at) {
        Some(changed) if own >= changed => return None,
        None if app.version == Some(own) => return None,
        _ => {}
    }
    let older = workload.versions.iter().find(|v| v.version == Some(own));
    older.map(|document| (own, document.as_ref()))
}

/// `id` is the workload's: documents of old versions may lack it.
fn revision(id: &str, app: &App, mesh: &Mesh, report: &mut Report) -> Revision {
    let names = labels::names(id, &app.labels, mesh, report);
    let empty = |mode| Revision::empty(Labels::from(app.labels.clone()), mode);
    if names.hosts.is_none() {
        return empty(Mode::Host);
    }
    let mode = mode(app, report);
    Revision {
        weight: labels::weight(&app.labels, report),
        choice: labels::choice(&app.labels, report),
        ports: declare(&specs(app, mode), mode, mesh, report),
        ..empty(mode)
    }
    .named(names)
}

fn mode(app: &App, report: &mut Report) -> Mode {
    let bridge = bridge(app);
    if let Some(mode) = revision::mode(&app.networks, bridge, report) {
        return mode;
    }
    let docker = app.container.as_ref().and_then(|c| c.docker.as_ref());
    let network = docker.and_then(|d| d.network.as_deref());
    // An app with an address of its own, without Docker or with a network that Docker is not told.
    if network.is_none() && app.ip_address.is_some() {
        return Mode::Container;
    }
    Mode::parse_docker(network, bridge).unwrap_or_else(|| {
        revision::unknown_mode("container.docker.network", network.unwrap_or(""), report);
        Mode::Host
    })
}

/// The bridge that belongs to the containerizer. Before Marathon 1.5 only Docker had one, and its
/// type could be left out.
fn bridge(app: &App) -> BridgeKind {
    let container = app.container.as_ref();
    let docker = container.and_then(|c| c.docker.as_ref());
    match container.and_then(|c| c.r#type.as_deref()) {
        Some("DOCKER") => BridgeKind::Docker,
        None if docker.is_some_and(|d| d.network.is_some()) => BridgeKind::Docker,
        _ => BridgeKind::Mesos,
    }
}

fn specs(app: &App, mode: Mode) -> Vec<Spec<'_>> {
    match mode {
        Mode::Host => {
            let definitions = app.port_definitions.iter().enumerate();
            definitions.map(|(i, d)| of_definition(i, d)).collect()
        }
        _ if mappings(app).is_empty() => {
            let ports = discovery(app).iter().enumerate();
            ports.map(|(i, p)| of_discovery(i, p)).collect()
        }
        _ => {
            let mappings = mappings(app).iter().enumerate();
            mappings.map(|(i, m)| of_mapping(i, m)).collect()
        }
    }
}

/// The ports of an app with an address of its own, before Marathon 1.5.
fn discovery(app: &App) -> &[DiscoveryPort] {
    let own = app.ip_address.as_ref();
    own.and_then(|own| own.discovery.as_ref())
        .map_or(&[], |discovery| &discovery.ports)
}

/// Since Marathon 1.5 in the container, before in its `docker` part.
fn mappings(app: &App) -> &[PortMapping] {
    let Some(container) = &app.container else {
        return &[];
    };
    match (&container.docker, container.port_mappings.as_slice()) {
        (Some(docker), []) => &docker.port_mappings,
        (_, mappings) => mappings,
    }
}

fn of_definition(position: usize, definition: &PortDefinition) -> Spec<'_> {
    Spec {
        field: format!("portDefinitions[{position}]"),
        name: definition.name.as_deref().unwrap_or(""),
        labels: &definition.labels,
        container_port: 0,
        has_host_port: true,
        otherwise: definition.port,
        protocols: transports(definition.protocol.as_deref()),
        network_names: &[],
    }
}

fn of_mapping(position: usize, mapping: &PortMapping) -> Spec<'_> {
    Spec {
        field: format!("container.portMappings[{position}]"),
        name: mapping.name.as_deref().unwrap_or(""),
        labels: &mapping.labels,
        container_port: mapping.container_port,
        has_host_port: mapping.host_port.is_some(),
        otherwise: mapping.service_port.unwrap_or(0),
        protocols: transports(mapping.protocol.as_deref()),
        network_names: &mapping.network_names,
    }
}

fn of_discovery(position: usize, port: &DiscoveryPort) -> Spec<'_> {
    Spec {
        field: format!("ipAddress.discovery.ports[{position}]"),
        name: port.name.as_deref().unwrap_or(""),
        labels: &port.labels,
        container_port: port.number,
        has_host_port: false,
        otherwise: 0,
        protocols: transports(port.protocol.as_deref()),
        network_names: &[],
    }
}

/// `tcp`, `udp` or `udp,tcp`.
fn transports(protocol: Option<&str>) -> Vec<&str> {
    protocol.map_or_else(Vec::new, |text| text.split(',').collect())
}

fn sighting<'a>(
    app: &'a App,
    document: &'a App,
    task: &'a Task,
    mode: Mode,
    mesh: &Mesh,
) -> Sighting<'a> {
    let verdict = health::of_task(app, task, mesh);
    let slots = host_ports(document, task, mode)
        .into_iter()
        .map(|host_port| Slot {
            host_port,
            verdict: verdict.clone(),
        });
    Sighting {
        id: &task.id,
        state: &task.state,
        incarnation: TaskId::parse(&task.id)
            .and_then(|id| id.incarnation)
            .unwrap_or(0),
        host: &task.host,
        agent: task.host.parse().ok().or(task.agent_address),
        addresses: addresses(document, task),
        locality: Locality {
            region: task.region.as_deref().unwrap_or("").into(),
            zone: task.zone.as_deref().unwrap_or("").into(),
            subzone: Default::default(),
        },
        since: task.started_at,
        slots: slots.collect(),
    }
}

/// `Task::ports` lists allocated host ports only, in the order of the mappings, so mappings
/// without a host port do not advance in it.
fn host_ports(document: &App, task: &Task, mode: Mode) -> Vec<Option<u16>> {
    let mut allocated = task.ports.iter().copied();
    if mode == Mode::Host {
        return document
            .port_definitions
            .iter()
            .map(|_| allocated.next())
            .collect();
    }
    let mappings = mappings(document);
    if mappings.is_empty() {
        return vec![None; discovery(document).len()];
    }
    let ports = mappings.iter();
    ports
        .map(|mapping| mapping.host_port.and_then(|_| allocated.next()))
        .collect()
}

/// The list is flat and names no networks. With one address of a family for each network it is in
/// their order; with other counts nobody can tell.
fn addresses(document: &App, task: &Task) -> Vec<(Option<String>, IpAddr)> {
    let names = network_names(document);
    let ips = task.ip_addresses.iter();
    let ips: Vec<IpAddr> = ips.filter_map(|a| a.ip_address.parse().ok()).collect();
    let count = |v6| ips.iter().filter(|ip| ip.is_ipv6() == v6).count();
    let aligned = [count(false), count(true)].map(|count| count == names.len());
    let mut next = [0; 2];
    let named = ips.iter().map(|ip| {
        let family = usize::from(ip.is_ipv6());
        let place = next[family];
        next[family] += 1;
        let name = names.get(place).filter(|_| aligned[family]);
        (name.and_then(|name| name.map(str::to_owned)), *ip)
    });
    named.collect()
}

fn network_names(document: &App) -> Vec<Option<&str>> {
    match (document.networks.as_slice(), &document.ip_address) {
        ([], Some(own)) => vec![own.network_name.as_deref()],
        (networks, _) => networks.iter().map(|n| n.name.as_deref()).collect(),
    }
}
