//! One version of a workload, and the instances that run it: where apps and pods become equal.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use api::marathon::Network;
use jiff::Timestamp;
use model::{
    Endpoint, Health, Hostname, Instance, InstanceId, InstancePort, Labels, Locality, Port,
};

use super::facts::{Candidate, Facts, Running};
use super::ports::Declared;
use super::reach::{Mode, Place};
use crate::report::Report;
use crate::{NAMESPACE, codes};

/// What one version of a workload declares.
#[derive(Debug)]
pub(super) struct Revision {
    pub(super) labels: Labels,
    /// `None`: not in the mesh.
    pub(super) hosts: Option<Vec<Hostname>>,
    pub(super) weight: u32,
    pub(super) mode: Mode,
    pub(super) ports: Vec<Declared>,
}

/// What Marathon tells about one instance.
pub(super) struct Sighting<'a> {
    /// A task or instance id.
    pub(super) id: &'a str,
    /// How often the instance was started.
    pub(super) incarnation: u64,
    /// What the agent advertises.
    pub(super) host: &'a str,
    pub(super) addresses: Vec<(Option<String>, IpAddr)>,
    pub(super) locality: Locality,
    pub(super) since: Option<Timestamp>,
    /// Aligned with the declarations of the revision.
    pub(super) slots: Vec<Slot>,
}

/// The allocation and the state of one declared port.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    pub(super) host_port: Option<u16>,
    /// `None`: no traffic.
    pub(super) health: Option<Health>,
}

/// Gathers the versions and instances of one workload.
pub(super) struct Gathering {
    workload: Arc<str>,
    claims: BTreeMap<Hostname, Vec<Port>>,
    instances: Vec<Running>,
}

// === impl Gathering ===

impl Gathering {
    pub(super) fn new(workload: &str) -> Gathering {
        Gathering {
            workload: workload.into(),
            claims: BTreeMap::new(),
            instances: Vec::new(),
        }
    }

    /// Adds what a version declares; of two versions the one that was added first wins.
    pub(super) fn declare(&mut self, revision: &Revision) {
        for host in revision.hosts.iter().flatten() {
            let ports = self.claims.entry(host.clone()).or_default();
            for declared in &revision.ports {
                if !ports.iter().any(|p| p.number == declared.port.number) {
                    ports.push(declared.port.clone());
                }
            }
        }
    }

    pub(super) fn add(&mut self, sighting: Sighting<'_>, revision: &Revision, report: &mut Report) {
        let Some(hosts) = &revision.hosts else {
            return;
        };
        let place = Place::new(revision.mode, sighting.host, sighting.addresses.clone());
        warn_of_agent_name(&sighting, &place, revision, report);
        let id = InstanceId::from(crate::instance_id(sighting.id));
        let endpoints = candidates(&id, &sighting, &place, revision);
        self.instances.push(Running {
            endpoints,
            incarnation: sighting.incarnation,
            since: sighting.since,
            instance: Arc::new(Instance {
                id,
                workload: self.workload.clone(),
                namespace: NAMESPACE.into(),
                labels: revision.labels.clone(),
                agent: place.agent,
                address: place.address(),
                locality: sighting.locality.clone(),
                hosts: hosts.clone(),
                ports: ports(&sighting, &place, revision),
            }),
        });
    }

    pub(super) fn finish(mut self, report: Report) -> Facts {
        // Since Marathon 1.8 a restarted instance keeps its id: the latest start is the real one.
        self.instances.sort_by(|a, b| {
            let key = |r: &Running| (r.instance.id.clone(), r.incarnation, r.since);
            key(b).cmp(&key(a))
        });
        self.instances
            .dedup_by(|a, b| a.instance.id == b.instance.id);
        self.instances.reverse();
        Facts {
            claims: self.claims,
            instances: self.instances,
            diagnostics: report.into_diagnostics(),
        }
    }
}

/// The mode of a list of networks; `None` for an empty list.
pub(super) fn mode(networks: &[Network], report: &mut Report) -> Option<Mode> {
    let text = networks.first()?.mode.as_deref().unwrap_or("container");
    match Mode::parse(text) {
        Some(mode) => Some(mode),
        None => {
            unknown_mode("networks[0].mode", text, report);
            Some(Mode::Host)
        }
    }
}

pub(super) fn unknown_mode(field: &str, text: &str, report: &mut Report) {
    report.warn(
        codes::NETWORK_MODE,
        field,
        format!("{text:?} is not a network mode that Pilothouse knows"),
        "the workload is treated as if it used the agent's network",
        "use host, container/bridge or container; if Marathon has a new mode, report it to us",
    );
}

fn ports(sighting: &Sighting<'_>, place: &Place, revision: &Revision) -> Vec<InstancePort> {
    let mut ports: Vec<InstancePort> = with_slots(sighting, revision)
        .filter_map(|(declared, slot)| {
            Some(InstancePort {
                service_port: declared.port.number,
                target: place.target(declared, slot.host_port)?,
                name: declared.port.name.clone(),
                protocol: declared.port.protocol,
            })
        })
        .collect();
    ports.sort_by_key(|port| (port.target, port.service_port));
    ports
}

fn candidates(
    id: &InstanceId,
    sighting: &Sighting<'_>,
    place: &Place,
    revision: &Revision,
) -> Vec<Candidate> {
    with_slots(sighting, revision)
        .filter_map(|(declared, slot)| {
            Some(Candidate {
                service_port: declared.port.number,
                endpoint: Endpoint {
                    instance: id.clone(),
                    labels: revision.labels.clone(),
                    locality: sighting.locality.clone(),
                    weight: revision.weight,
                    health: slot.health?,
                    reach: place.reach(declared, slot.host_port)?,
                },
            })
        })
        .collect()
}

fn with_slots<'a>(
    sighting: &'a Sighting<'_>,
    revision: &'a Revision,
) -> impl Iterator<Item = (&'a Declared, Slot)> {
    revision.ports.iter().map(|declared| {
        let slot = sighting.slots.get(declared.position);
        (declared, slot.copied().unwrap_or_default())
    })
}

fn warn_of_agent_name(
    sighting: &Sighting<'_>,
    place: &Place,
    revision: &Revision,
    report: &mut Report,
) {
    let needed = revision.mode != Mode::Container && !revision.ports.is_empty();
    if place.agent.is_some() || !needed || sighting.host.is_empty() {
        return;
    }
    report.warn(
        codes::AGENT_NAME,
        "",
        format!(
            "the agent advertises the name {:?}, not an address",
            sighting.host
        ),
        "instances on that agent receive no traffic",
        "start the Mesos agent with --hostname set to its IP address",
    );
}
