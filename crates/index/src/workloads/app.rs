//! Apps: from `/v2/apps` with tasks to facts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::marathon::{App, AppWorkload, PortDefinition, PortMapping, Task, TaskId, WorkloadKind};
use jiff::Timestamp;
use model::{Labels, Locality, Mesh};

use super::facts::{Facts, object};
use super::ports::{Spec, declare};
use super::reach::Mode;
use super::revision::{self, Gathering, Revision, Sighting, Slot};
use super::{health, labels};
use crate::report::Report;

pub(super) fn read(workload: &AppWorkload, mesh: &Mesh) -> Facts {
    let app = &workload.app;
    let mut report = Report::new(object(WorkloadKind::App, &app.id), None, "");
    let mut gathering = Gathering::new(&app.id);
    let latest = revision(app, mesh, &mut report);
    gathering.declare(&latest);
    let mut older: BTreeMap<Timestamp, (&App, Revision)> = BTreeMap::new();
    for task in app.tasks.iter().filter(|task| health::is_present(task)) {
        let (document, running) = match older_version(workload, task) {
            None => (app, &latest),
            Some((version, document)) => {
                let (document, revision) = older
                    .entry(version)
                    .or_insert_with(|| (document, revision(document, mesh, &mut report)));
                (*document, &*revision)
            }
        };
        let sighting = sighting(app, document, task, running.mode);
        gathering.add(sighting, running, &mut report);
    }
    for (_, revision) in older.values() {
        gathering.declare(revision);
    }
    gathering.finish(report)
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

fn revision(app: &App, mesh: &Mesh, report: &mut Report) -> Revision {
    let empty = |mode| Revision {
        labels: Labels::from(app.labels.clone()),
        hosts: None,
        weight: 1,
        mode,
        ports: Vec::new(),
    };
    let Some(hosts) = labels::hosts(&app.labels, &mesh.domain, report) else {
        return empty(Mode::Host);
    };
    let mode = mode(app, report);
    Revision {
        hosts: Some(hosts),
        weight: labels::weight(&app.labels, report),
        ports: declare(&specs(app, mode), mode, mesh, report),
        ..empty(mode)
    }
}

fn mode(app: &App, report: &mut Report) -> Mode {
    if let Some(mode) = revision::mode(&app.networks, report) {
        return mode;
    }
    let docker = app.container.as_ref().and_then(|c| c.docker.as_ref());
    let network = docker.and_then(|d| d.network.as_deref());
    Mode::parse_docker(network).unwrap_or_else(|| {
        revision::unknown_mode("container.docker.network", network.unwrap_or(""), report);
        Mode::Host
    })
}

fn specs(app: &App, mode: Mode) -> Vec<Spec<'_>> {
    match mode {
        Mode::Host => {
            let definitions = app.port_definitions.iter().enumerate();
            definitions.map(|(i, d)| of_definition(i, d)).collect()
        }
        _ => {
            let mappings = mappings(app).iter().enumerate();
            mappings.map(|(i, m)| of_mapping(i, m)).collect()
        }
    }
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

/// `tcp`, `udp` or `udp,tcp`.
fn transports(protocol: Option<&str>) -> Vec<&str> {
    protocol.map_or_else(Vec::new, |text| text.split(',').collect())
}

fn sighting<'a>(app: &'a App, document: &'a App, task: &'a Task, mode: Mode) -> Sighting<'a> {
    let health = health::of_task(app, task);
    let slots = host_ports(document, task, mode)
        .into_iter()
        .map(|host_port| Slot { host_port, health });
    Sighting {
        id: &task.id,
        incarnation: TaskId::parse(&task.id)
            .and_then(|id| id.incarnation)
            .unwrap_or(0),
        host: &task.host,
        addresses: addresses(document, task),
        locality: Locality {
            region: task.region.as_deref().unwrap_or("").into(),
            zone: task.zone.as_deref().unwrap_or("").into(),
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
    mappings(document)
        .iter()
        .map(|mapping| mapping.host_port.and_then(|_| allocated.next()))
        .collect()
}

/// The list has one address for each network, in order; with other counts nobody can tell.
fn addresses(document: &App, task: &Task) -> Vec<(Option<String>, IpAddr)> {
    let aligned = document.networks.len() == task.ip_addresses.len();
    let ips = task.ip_addresses.iter().enumerate();
    ips.filter_map(|(i, address)| {
        let ip = address.ip_address.parse().ok()?;
        let name = document.networks.get(i).and_then(|n| n.name.clone());
        Some((name.filter(|_| aligned), ip))
    })
    .collect()
}
