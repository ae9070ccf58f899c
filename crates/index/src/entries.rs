//! Services that configuration brings, and how they meet those of workloads.
//!
//! A host has one service. Who brought it first, workloads before configuration and then the oldest
//! service entry, says what it is; later entries of the same namespace and resolution add ports,
//! addresses and endpoints.

mod added;
mod identity;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use model::{
    Hostname, Labels, Locality, Location, Mesh, NamedEndpoint, NamedTarget, ObjectRef, Port, Reach,
    Resolution, Service,
};

use added::Added;

use crate::codes;
use crate::report::Report;
use crate::services::Built;
use crate::workloads::{Candidate, Facts, Running};

/// A service entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) object: ObjectRef,
    /// Never empty.
    pub(crate) hosts: Vec<Hostname>,
    /// What each of the hosts becomes, but for its name and endpoints.
    pub(crate) service: Service,
    /// Sorted by number.
    pub(crate) ports: Vec<EntryPort>,
    pub(crate) endpoints: Vec<External>,
    /// Workloads of the namespace that are endpoints.
    pub(crate) selector: Option<Labels>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EntryPort {
    pub(crate) port: Port,
    /// On endpoints that say no other.
    pub(crate) target: u16,
}

/// An endpoint outside of the registry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct External {
    pub(crate) target: Target,
    /// By the name of the service's port.
    pub(crate) ports: BTreeMap<Arc<str>, u16>,
    pub(crate) labels: Labels,
    pub(crate) locality: Locality,
    pub(crate) weight: u32,
    /// Who it is in the namespace of the object.
    pub(crate) account: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    Ip(IpAddr),
    Name(Arc<str>),
    Pipe(Arc<str>),
}

/// A workload entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Workload {
    pub(crate) object: ObjectRef,
    pub(crate) external: External,
}

/// All entries in force, in order of precedence.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Entries {
    by_host: BTreeMap<Hostname, Vec<Placed>>,
    workloads: Vec<Arc<Workload>>,
}

/// An entry, and where its document stands.
type Placed = (Arc<Entry>, Option<Location>);

// === impl Entries ===

impl Entries {
    pub(crate) fn add(&mut self, entry: &Arc<Entry>, location: Option<Location>) {
        for host in &entry.hosts {
            let entries = self.by_host.entry(host.clone()).or_default();
            entries.push((entry.clone(), location.clone()));
        }
    }

    pub(crate) fn add_workload(&mut self, workload: &Arc<Workload>) {
        self.workloads.push(workload.clone());
    }

    /// The hosts whose services can be others.
    pub(crate) fn differences(&self, other: &Entries) -> BTreeSet<Hostname> {
        let selected = self.workloads != other.workloads;
        let hosts = self.by_host.keys().chain(other.by_host.keys());
        let differing = hosts.filter(|host| {
            self.by_host.get(*host) != other.by_host.get(*host)
                || selected && (self.selects(host) || other.selects(host))
        });
        differing.cloned().collect()
    }

    pub(crate) fn hosts(&self) -> BTreeSet<Hostname> {
        self.by_host.keys().cloned().collect()
    }

    /// Hosts of which instances can be endpoints by their labels.
    pub(crate) fn selecting(&self) -> impl Iterator<Item = &Hostname> {
        self.by_host.keys().filter(|host| self.selects(host))
    }

    /// Adds what entries say of a host to what workloads say.
    pub(crate) fn merge<'a>(
        &self,
        host: &Hostname,
        mut built: Option<Built>,
        facts: impl Iterator<Item = &'a Facts> + Clone,
        mesh: &Mesh,
    ) -> Option<Built> {
        for (entry, location) in self.by_host.get(host).into_iter().flatten() {
            let mut report = Report::new(entry.object.clone(), location.clone(), "");
            let base = match &mut built {
                Some(base) if entry.fits(base, host, &mut report) => base,
                Some(base) => {
                    base.conflicts.extend(report.into_diagnostics());
                    continue;
                }
                None => built.insert(Built::empty(Service {
                    host: host.clone(),
                    ports: Vec::new(),
                    ..entry.service.clone()
                })),
            };
            entry.add_ports(base, host, &mut report);
            let selected = self.selected(entry, facts.clone(), &mut report);
            if entry.selector.is_some() && selected.is_empty() {
                entry.selects_none(&mut report);
            }
            let own = entry.own(host).into_iter();
            base.add(own.chain(selected));
            base.add_identities(self.identities(entry, facts.clone(), mesh));
            base.conflicts.extend(report.into_diagnostics());
        }
        built
    }

    fn selects(&self, host: &Hostname) -> bool {
        let entries = self.by_host.get(host).into_iter().flatten();
        entries
            .into_iter()
            .any(|(entry, _)| entry.selector.is_some())
    }

    /// Workload entries and instances of the entry's namespace that have its labels.
    fn selected<'a>(
        &self,
        entry: &Entry,
        facts: impl Iterator<Item = &'a Facts>,
        report: &mut Report,
    ) -> Vec<(u16, Added)> {
        let Some(selector) = &entry.selector else {
            return Vec::new();
        };
        let namespace = &entry.object.namespace;
        let here = self
            .workloads
            .iter()
            .filter(|w| w.object.namespace == *namespace);
        let mut added = Vec::new();
        for workload in here.filter(|w| selector.selects(&w.external.labels)) {
            let id = workload.object.to_string();
            let endpoints = entry.of_external(&workload.external, &id);
            if endpoints.is_empty() {
                entry.cannot_resolve(workload, report);
            }
            added.extend(endpoints);
        }
        for running in facts.flat_map(|facts| &facts.instances) {
            let instance = &running.instance;
            if instance.namespace == *namespace && selector.selects(&instance.labels) {
                added.extend(entry.of_instance(running));
            }
        }
        added
    }
}

// === impl Entry ===

impl Entry {
    /// Whether the entry may add to a service that is there; if not, says why.
    fn fits(&self, base: &Built, host: &Hostname, report: &mut Report) -> bool {
        let service = &base.service;
        let why = if service.namespace != self.object.namespace {
            format!("{host} is a service of the namespace {}", service.namespace)
        } else if service.resolution != self.service.resolution {
            format!("{host} is there already, with another resolution")
        } else if base.has_endpoints() && service.named.is_empty() == self.is_named() {
            format!("{host} is there already, and socket files cannot be mixed with addresses")
        } else {
            return true;
        };
        report.warn(
            codes::ENTRY_CONFLICT,
            "spec.hosts",
            why,
            "this entry has no effect on the host; what was there first is served",
            "describe a host in one place, in one namespace and with one resolution",
        );
        false
    }

    /// Whether its endpoints are among those that are no addresses.
    fn is_named(&self) -> bool {
        self.service.resolution != Resolution::Static
            || self
                .endpoints
                .iter()
                .any(|e| matches!(e.target, Target::Pipe(_)))
    }

    fn add_ports(&self, base: &mut Built, host: &Hostname, report: &mut Report) {
        for EntryPort { port, .. } in &self.ports {
            let number = port.number;
            match base.service.port(number) {
                Some(known) if known.protocol != port.protocol => report.warn(
                    codes::ENTRY_CONFLICT,
                    "spec.ports",
                    format!(
                        "port {number} of {host} is {} already, not {}",
                        known.protocol, port.protocol
                    ),
                    "the protocol that was there first is in force; the endpoints are added",
                    "declare the port alike everywhere",
                ),
                Some(_) => {}
                None => {
                    base.service.ports.push(port.clone());
                    base.service.ports.sort_by_key(|port| port.number);
                }
            }
            base.endpoints_by_port.entry(number).or_default();
        }
        let service = &mut base.service;
        service.addresses.extend(&self.service.addresses);
        service.addresses.sort();
        service.addresses.dedup();
        let names = self.service.subject_alt_names.iter().cloned();
        service.subject_alt_names.extend(names);
        service.subject_alt_names.sort();
        service.subject_alt_names.dedup();
        let named = self.service.named_subjects.iter().cloned();
        service.named_subjects.extend(named);
        service.named_subjects.sort();
        service.named_subjects.dedup();
    }

    /// Its own endpoints; without any, a name that proxies resolve is the endpoint itself.
    fn own(&self, host: &Hostname) -> Vec<(u16, Added)> {
        let resolved = matches!(
            self.service.resolution,
            Resolution::Dns | Resolution::DnsRoundRobin
        );
        if self.endpoints.is_empty() && self.selector.is_none() && resolved {
            let itself = External {
                target: Target::Name(host.as_str().into()),
                ports: BTreeMap::new(),
                labels: Labels::default(),
                locality: Locality::default(),
                weight: 1,
                account: None,
            };
            return self.of_external(&itself, "");
        }
        let endpoints = self.endpoints.iter().enumerate();
        let added = endpoints.flat_map(|(i, external)| {
            self.of_external(external, &format!("{} endpoint {i:04}", self.object))
        });
        added.collect()
    }

    fn of_external(&self, external: &External, id: &str) -> Vec<(u16, Added)> {
        let added = self.ports.iter().map(|EntryPort { port, target }| {
            let target = *external.ports.get(&port.name).unwrap_or(target);
            let named = match &external.target {
                Target::Ip(ip) if !self.is_named() => {
                    let reach = Reach::everywhere(SocketAddr::new(*ip, target));
                    return (port.number, Added::Endpoint(external.endpoint(id, reach)));
                }
                Target::Ip(ip) => NamedTarget::Name(ip.to_string().into(), target),
                Target::Name(name) => NamedTarget::Name(name.clone(), target),
                Target::Pipe(path) => NamedTarget::Pipe(path.clone()),
            };
            (
                port.number,
                Added::Named(external.named(port.number, named)),
            )
        });
        // Only a workload entry can have a name where addresses are needed.
        let usable = added.filter(|(_, added)| match added {
            Added::Endpoint(_) => true,
            Added::Named(_) => self.is_named(),
        });
        usable.collect()
    }

    /// A workload's port is the one that is the target, else the one that callers use.
    fn of_instance(&self, running: &Running) -> Vec<(u16, Added)> {
        let offered = |entry: &EntryPort| -> Option<&Candidate> {
            let ports = running.instance.ports.iter();
            let mapped = ports
                .filter(|port| port.target == entry.target)
                .map(|port| port.service_port);
            let service_port = mapped.chain([entry.target]).find(|number| {
                let mut offered = running.endpoints.iter();
                offered.any(|candidate| candidate.service_port == *number)
            })?;
            let mut offered = running.endpoints.iter();
            offered.find(|candidate| candidate.service_port == service_port)
        };
        let added = self.ports.iter().filter_map(|entry| {
            let endpoint = &offered(entry)?.endpoint;
            let number = entry.port.number;
            if !self.is_named() {
                return Some((number, Added::Endpoint(endpoint.clone())));
            }
            let address = endpoint.reach.anywhere?;
            let target = NamedTarget::Name(address.ip().to_string().into(), address.port());
            Some((
                number,
                Added::Named(NamedEndpoint {
                    port: number,
                    target,
                    labels: endpoint.labels.clone(),
                    locality: endpoint.locality.clone(),
                    weight: endpoint.weight,
                }),
            ))
        });
        added.collect()
    }

    fn cannot_resolve(&self, workload: &Workload, report: &mut Report) {
        report.warn(
            codes::ENTRY_ENDPOINT,
            "spec.workloadSelector",
            format!(
                "{} has no IP address, as the resolution STATIC needs",
                workload.object
            ),
            "it gets no requests for the hosts of this entry",
            "give the workload entry an IP address, or use the resolution DNS",
        );
    }

    fn selects_none(&self, report: &mut Report) {
        report.warn(
            codes::ENTRY_SELECTS_NONE,
            "spec.workloadSelector",
            format!(
                "no workload entry and no instance of the namespace {} has these labels and a port \
                 of the entry",
                self.object.namespace
            ),
            "requests to the hosts are answered with 503",
            "correct the labels, or start the workloads",
        );
    }
}
