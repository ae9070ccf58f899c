//! One version of a workload, and the instances that run it: where apps and pods become equal.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use api::marathon::Network;
use jiff::Timestamp;
use model::{
    BridgeKind, Hostname, Instance, InstanceId, IpFamily, Labels, Locality, PortStanding, Standing,
};

use super::facts::{Claim, Facts, Running};
use super::health::Verdict;
use super::labels::{Choice, Names};
use super::offers;
use super::ports::Declared;
use super::reach::{Mode, Place};
use crate::report::Report;
use crate::{NAMESPACE, codes};

/// What one version of a workload declares.
#[derive(Debug)]
pub(super) struct Revision {
    pub(super) labels: Labels,
    pub(super) names: Names,
    pub(super) weight: u32,
    pub(super) mode: Mode,
    pub(super) choice: Choice,
    pub(super) ports: Vec<Declared>,
}

/// What Marathon tells about one instance.
pub(super) struct Sighting<'a> {
    /// A task or instance id.
    pub(super) id: &'a str,
    /// In Marathon's words.
    pub(super) state: &'a str,
    /// How often the instance was started.
    pub(super) incarnation: u64,
    /// What the agent advertises.
    pub(super) host: &'a str,
    /// Its address, if that is one or is known.
    pub(super) agent: Option<IpAddr>,
    pub(super) addresses: Vec<(Option<String>, IpAddr)>,
    pub(super) locality: Locality,
    pub(super) since: Option<Timestamp>,
    /// Aligned with the declarations of the revision.
    pub(super) slots: Vec<Slot>,
}

/// The allocation and the state of one declared port.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) host_port: Option<u16>,
    pub(super) verdict: Verdict,
}

/// Gathers the versions and instances of one workload.
pub(super) struct Gathering {
    workload: Arc<str>,
    family: IpFamily,
    claims: BTreeMap<Hostname, Claim>,
    since: Option<Timestamp>,
    derived: Option<(Arc<str>, Arc<str>)>,
    instances: Vec<Running>,
    standings: Vec<Standing>,
}

// === impl Revision ===

impl Revision {
    /// A version that is not in the mesh.
    pub(super) fn empty(labels: Labels, mode: Mode) -> Revision {
        Revision {
            labels,
            names: Names {
                namespace: NAMESPACE.into(),
                derived_from: None,
                hosts: None,
                aliases: BTreeMap::new(),
                export_to: None,
            },
            weight: 1,
            mode,
            choice: Choice::default(),
            ports: Vec::new(),
        }
    }

    /// The names of virtual addresses are names of the first service.
    pub(super) fn named(mut self, mut names: Names) -> Revision {
        let first = names.hosts.iter().flatten().next();
        if let Some(first) = first {
            let vips = self
                .ports
                .iter_mut()
                .flat_map(|p| std::mem::take(&mut p.vip_hosts));
            let aliases = names.aliases.entry(first.clone()).or_default();
            aliases.extend(vips);
        }
        self.names = names;
        self
    }
}

// === impl Gathering ===

impl Gathering {
    pub(super) fn new(workload: &str, family: IpFamily) -> Gathering {
        Gathering {
            workload: workload.into(),
            family,
            claims: BTreeMap::new(),
            since: None,
            derived: None,
            instances: Vec::new(),
            standings: Vec::new(),
        }
    }

    /// Adds what a version declares; of two versions the one that was added first wins.
    pub(super) fn declare(&mut self, revision: &Revision) {
        let names = &revision.names;
        for host in names.hosts.iter().flatten() {
            let claim = self.claims.entry(host.clone()).or_insert_with(|| Claim {
                namespace: names.namespace.clone(),
                ports: Vec::new(),
                aliases: BTreeSet::new(),
                export_to: names.export_to.clone(),
            });
            claim
                .aliases
                .extend(names.aliases.get(host).into_iter().flatten().cloned());
            for declared in &revision.ports {
                if !claim.ports.iter().any(|p| p.number == declared.port.number) {
                    claim.ports.push(declared.port.clone());
                }
            }
        }
        if let (Some(_), None, Some(group)) = (&names.hosts, &self.derived, &names.derived_from) {
            self.derived = Some((names.namespace.clone(), group.clone()));
        }
    }

    /// The age of the oldest version that is told.
    pub(super) fn seen_since(&mut self, since: Option<Timestamp>) {
        self.since = since;
    }

    pub(super) fn add(
        &mut self,
        mut sighting: Sighting<'_>,
        revision: &Revision,
        report: &mut Report,
    ) {
        let Some(hosts) = &revision.names.hosts else {
            return;
        };
        let addresses = sighting.addresses.clone();
        let (mode, choice) = (revision.mode, &revision.choice);
        let place = Place::new(mode, sighting.agent, addresses, choice, self.family);
        let told: Arc<str> = sighting.id.into();
        self.standings.push(Standing {
            id: told.clone(),
            workload: self.workload.clone(),
            hosts: self.hosts(hosts),
            state: self.text(sighting.state, |standing| &standing.state),
            agent: self.text(sighting.host, |standing| &standing.agent),
            ports: offers::standings(&sighting, &place, revision),
        });
        warn_of_choice(&sighting, revision, report);
        warn_of_agent_name(&sighting, &place, revision, report);
        let id = match crate::instance_id(sighting.id) {
            id if id == sighting.id => InstanceId::from(told),
            id => InstanceId::from(id),
        };
        sighting.locality = self.locality(sighting.locality);
        let endpoints = offers::candidates(&id, &sighting, &place, revision);
        self.instances.push(Running {
            endpoints,
            incarnation: sighting.incarnation,
            since: sighting.since,
            instance: Arc::new(Instance {
                id,
                workload: self.workload.clone(),
                namespace: revision.names.namespace.clone(),
                labels: revision.labels.clone(),
                agent: place.agent,
                attachment: place.mode.attachment(),
                address: place.address(),
                locality: sighting.locality.clone(),
                hosts: self.hosts(hosts),
                ports: offers::ports(&sighting, &place, revision),
            }),
        });
    }

    /// Adds one of which nothing is left, for people alone: its id, state and agent.
    pub(super) fn miss(
        &mut self,
        [id, state, agent]: [&str; 3],
        why: Cow<'static, str>,
        revision: &Revision,
    ) {
        let Some(hosts) = &revision.names.hosts else {
            return;
        };
        let ports = revision.ports.iter().map(|declared| PortStanding {
            port: declared.port.number,
            health: None,
            why: why.clone(),
        });
        self.standings.push(Standing {
            id: id.into(),
            workload: self.workload.clone(),
            hosts: self.hosts(hosts),
            state: self.text(state, |standing| &standing.state),
            agent: self.text(agent, |standing| &standing.agent),
            ports: ports.collect(),
        });
    }

    /// A text of a standing. Instances of one workload are much alike, so what the last one has is
    /// shared with it; likewise below.
    fn text(&self, text: &str, of: impl Fn(&Standing) -> &Arc<str>) -> Arc<str> {
        let last = self.standings.last().map(of);
        let same = last.filter(|last| ***last == *text).cloned();
        same.unwrap_or_else(|| text.into())
    }

    fn hosts(&self, hosts: &[Hostname]) -> Arc<[Hostname]> {
        let last = self.standings.last().map(|standing| &standing.hosts);
        let same = last.filter(|last| ***last == *hosts).cloned();
        same.unwrap_or_else(|| hosts.into())
    }

    fn locality(&self, locality: Locality) -> Locality {
        let last = self.instances.last().map(|r| &r.instance.locality);
        let same = last.filter(|last| **last == locality).cloned();
        same.unwrap_or(locality)
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
        self.instances.shrink_to_fit();
        Facts {
            // A workload that is in no service has no facts.
            since: self.since.filter(|_| !self.claims.is_empty()),
            claims: self.claims,
            derived: self.derived,
            instances: self.instances,
            diagnostics: report.into_diagnostics(),
            standings: self.standings.into(),
            probed: None,
        }
    }
}

/// The network behind `container/bridge`, by Marathon's default of `--mesos_bridge_name`.
const BRIDGE: &str = "mesos-bridge";

/// The mode of a list of networks, whose bridge is this one; `None` for an empty list.
pub(super) fn mode(networks: &[Network], bridge: BridgeKind, report: &mut Report) -> Option<Mode> {
    let first = networks.first()?;
    let text = first.mode.as_deref().unwrap_or("container");
    match Mode::parse(text, bridge) {
        // The bridge of the agents, called by its name: its addresses are not routed either.
        Some(Mode::Container) if first.name.as_deref() == Some(BRIDGE) => {
            Some(Mode::Bridge(bridge))
        }
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

fn warn_of_choice(sighting: &Sighting<'_>, revision: &Revision, report: &mut Report) {
    let addresses = &sighting.addresses;
    let Choice { network, index } = &revision.choice;
    if addresses.is_empty() || revision.mode == Mode::Host {
        return;
    }
    let mut warn = |label: &str, why: String| {
        report.warn(
            codes::LABEL_VALUE,
            format!("labels.{label}"),
            why,
            "the first address counts, as without the label",
            "choose an address that the instances have, or remove the label",
        );
    };
    if let Some(index) = index.filter(|index| *index >= addresses.len()) {
        let why = format!(
            "an instance has {} addresses, none at place {index}",
            addresses.len()
        );
        warn("istio.io/ip-index", why);
    }
    let missing = |name: &&String| !addresses.iter().any(|(n, _)| n.as_ref() == Some(*name));
    if let Some(network) = network.as_ref().filter(missing) {
        let why = format!("no address of an instance is known to be in the network {network:?}");
        warn("istio.io/network", why);
    }
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
            "the agent advertises the name {:?}, and no address of that name is known",
            sighting.host
        ),
        "instances on that agent receive no traffic",
        "let the name resolve where Pilothouse runs, or start the Mesos agent with --hostname set to its IP address",
    );
}
