//! Services: workloads that claim one host name, merged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use model::{
    Bridge, ChangeSet, Diagnostic, Endpoint, ExportTo, Hostname, Mesh, Port, Protocol, Service,
    ServicePort, World,
};

use crate::codes;
use crate::config::parse_exports;
use crate::report::Report;
use crate::workloads::{Candidate, Facts, Who, account};

/// A service with the endpoints of each of its ports.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) service: Service,
    pub(crate) endpoints_by_port: BTreeMap<u16, Vec<Endpoint>>,
    pub(crate) conflicts: Vec<Diagnostic>,
}

/// Merges the workloads that claim a host, in order of precedence; `None` if there are none.
pub(crate) fn build(host: &Hostname, claimants: &[(&Who, &Facts)], mesh: &Mesh) -> Option<Built> {
    let namespace = claimants
        .iter()
        .find_map(|(_, facts)| Some(&facts.claims.get(host)?.namespace))?;
    let (ports, conflicts) = merge_ports(host, claimants);
    let mut candidates_by_port: BTreeMap<u16, Vec<(Option<Timestamp>, &Candidate)>> =
        ports.iter().map(|port| (port.number, Vec::new())).collect();
    let mut identities = BTreeSet::new();
    for (_, facts) in claimants {
        let members = facts
            .instances
            .iter()
            .filter(|r| r.instance.hosts.contains(host));
        for running in members {
            identities.extend(account::identities(&running.instance, mesh));
            for candidate in &running.endpoints {
                let candidates = candidates_by_port
                    .entry(candidate.service_port)
                    .or_default();
                candidates.push((running.since, candidate));
            }
        }
    }
    if identities.is_empty() {
        identities.extend(account::default_identities(namespace, mesh));
    }
    let endpoints = candidates_by_port.into_iter();
    Some(Built {
        endpoints_by_port: endpoints
            .map(|(port, list)| (port, distinct(list)))
            .collect(),
        conflicts,
        service: Service {
            ports,
            aliases: merge_aliases(host, claimants),
            subject_alt_names: identities.into_iter().collect(),
            export_to: exports(host, namespace, claimants, mesh),
            ..Service::new(host.clone(), namespace.clone())
        },
    })
}

/// Of the first workload that says so, else the mesh's.
fn exports(
    host: &Hostname,
    namespace: &Arc<str>,
    claimants: &[(&Who, &Facts)],
    mesh: &Mesh,
) -> ExportTo {
    let mut claims = claimants.iter().filter_map(|(_, f)| f.claims.get(host));
    let own = claims.find_map(|claim| claim.export_to.clone());
    let default = || parse_exports(&mesh.default_exports.services, namespace);
    own.or_else(|| default().ok()).unwrap_or_default()
}

/// Puts a service into the World; what is equal stays as it is. Returns its conflicts.
pub(crate) fn put(
    world: &mut World,
    host: &Hostname,
    built: Option<Built>,
    changes: &mut ChangeSet,
) -> Vec<Diagnostic> {
    let (service, mut endpoints_by_port, conflicts) = match built {
        Some(built) => (
            Some(built.service),
            built.endpoints_by_port,
            built.conflicts,
        ),
        None => (None, BTreeMap::new(), Vec::new()),
    };
    if world.services.get(host).map(Arc::as_ref) != service.as_ref() {
        match service {
            Some(service) => world.services.insert(host.clone(), Arc::new(service)),
            None => world.services.remove(host),
        };
        changes.services.insert(host.clone());
    }
    let key = |port| ServicePort {
        host: host.clone(),
        port,
    };
    let known = world
        .endpoints
        .range(key(0)..=key(u16::MAX))
        .map(|(k, _)| k.port);
    let ports: BTreeSet<u16> = known.chain(endpoints_by_port.keys().copied()).collect();
    for port in ports {
        put_endpoints(world, key(port), endpoints_by_port.remove(&port), changes);
    }
    conflicts
}

fn put_endpoints(
    world: &mut World,
    key: ServicePort,
    endpoints: Option<Vec<Endpoint>>,
    changes: &mut ChangeSet,
) {
    if world.endpoints.get(&key).map(Arc::as_ref) == endpoints.as_deref() {
        return;
    }
    match endpoints {
        Some(endpoints) => world.endpoints.insert(key.clone(), endpoints.into()),
        None => world.endpoints.remove(&key),
    };
    changes.endpoints.insert(key);
}

/// The union of the ports; for each number the first claimant's name and protocol hold.
fn merge_ports(host: &Hostname, claimants: &[(&Who, &Facts)]) -> (Vec<Port>, Vec<Diagnostic>) {
    let mut first_by_number: BTreeMap<u16, (&Port, &Who)> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for (who, facts) in claimants {
        let Some(claim) = facts.claims.get(host) else {
            continue;
        };
        for port in &claim.ports {
            let (first, owner) = *first_by_number.entry(port.number).or_insert((port, who));
            if first != port {
                conflicts.extend(conflict(
                    host,
                    &claim.namespace,
                    (owner, first),
                    (who, port),
                ));
            }
        }
    }
    let ports = first_by_number.into_values().map(|(port, _)| port.clone());
    (ports.collect(), conflicts)
}

/// Sorted; a name that is the service's own is no other.
fn merge_aliases(host: &Hostname, claimants: &[(&Who, &Facts)]) -> Vec<Hostname> {
    let claims = claimants
        .iter()
        .filter_map(|(_, facts)| facts.claims.get(host));
    let aliases: BTreeSet<&Hostname> = claims.flat_map(|claim| &claim.aliases).collect();
    aliases
        .into_iter()
        .filter(|a| *a != host)
        .cloned()
        .collect()
}

fn conflict(
    host: &Hostname,
    namespace: &Arc<str>,
    (owner, first): (&Who, &Port),
    (who, port): (&Who, &Port),
) -> Vec<Diagnostic> {
    let mut report = Report::new(who.object(namespace), None, "");
    let text = |port: &Port| describe(&port.name, port.protocol);
    report.warn(
        codes::PORT_CONFLICT,
        "",
        format!(
            "it declares port {} of {host} as {}, {} as {}",
            port.number,
            text(port),
            owner.object(namespace),
            text(first),
        ),
        format!("callers use {} for all instances", text(first)),
        "declare the port alike in both, or give one of them another service port",
    );
    report.into_diagnostics()
}

fn describe(name: &str, protocol: Protocol) -> String {
    format!("{name:?} ({protocol})")
}

/// Two endpoints with one address are the old and the new owner of a port that was used again:
/// only the newer exists.
fn distinct(mut candidates: Vec<(Option<Timestamp>, &Candidate)>) -> Vec<Endpoint> {
    type Addresses = (Option<SocketAddr>, Option<(Bridge, SocketAddr)>);
    let addresses = |e: &Endpoint| -> Addresses { (e.reach.anywhere, e.reach.same_bridge) };
    let key = |(since, candidate): &(Option<Timestamp>, &Candidate)| {
        let endpoint = &candidate.endpoint;
        (*since, endpoint.instance.clone(), addresses(endpoint))
    };
    candidates.sort_by_key(|candidate| std::cmp::Reverse(key(candidate)));
    let mut anywhere = BTreeSet::new();
    let mut same_bridge = BTreeSet::new();
    let mut endpoints: Vec<Endpoint> = candidates
        .into_iter()
        .map(|(_, candidate)| &candidate.endpoint)
        .filter(|e| {
            let is_new = e.reach.anywhere.is_none_or(|a| !anywhere.contains(&a))
                && e.reach
                    .same_bridge
                    .is_none_or(|a| !same_bridge.contains(&a));
            if is_new {
                anywhere.extend(e.reach.anywhere);
                same_bridge.extend(e.reach.same_bridge);
            }
            is_new
        })
        .cloned()
        .collect();
    endpoints.sort_by_key(|e| (e.instance.clone(), addresses(e)));
    endpoints
}
