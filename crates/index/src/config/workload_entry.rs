//! `WorkloadEntry`: endpoints outside of the registry, by themselves or within a service entry.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use api::istio;
use model::{Hostname, Labels, Locality, Resolution};

use super::object::Context;
use super::reference;
use crate::codes;
use crate::entries::{EntryPort, External, Target, Workload};
use crate::report::Report;
use crate::workloads::account::is_account;

/// The service entry that an endpoint stands in.
pub(super) struct Place<'a> {
    pub(super) resolution: Resolution,
    pub(super) ports: &'a [EntryPort],
}

pub(super) fn convert(
    spec: istio::WorkloadEntry,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Workload> {
    Some(Workload {
        object: reference(&context.object.key),
        external: endpoint(&spec, "spec", None, report)?,
    })
}

/// Reads an endpoint; what cannot be used refuses the object.
pub(super) fn endpoint(
    spec: &istio::WorkloadEntry,
    field: &str,
    place: Option<&Place<'_>>,
    report: &mut Report,
) -> Option<External> {
    outside(spec, field, report);
    if spec.address.is_empty() && spec.network.as_deref().is_some_and(|name| !name.is_empty()) {
        elsewhere(field, report);
        return None;
    }
    let mut refuse = |part: &str, why: String| {
        let remedy = "give an IP address, a host name with the resolution DNS, or unix:// and an \
                      absolute path; ports by the names of the entry's ports";
        report.refuse(codes::ENTRY_ENDPOINT, format!("{field}{part}"), why, remedy);
        None
    };
    let target = match target(&spec.address, place) {
        Ok(target) => target,
        Err(why) => return refuse(".address", why),
    };
    if matches!(target, Target::Pipe(_)) && !spec.ports.is_empty() {
        return refuse(".ports", "a socket file has no ports".to_owned());
    }
    if let Some(name) = spec.ports.keys().find(|name| !is_port_name(name)) {
        let why = format!("{name:?} is no name of a port");
        return refuse(".ports", why);
    }
    if let Some((name, _)) = spec.ports.iter().find(|(_, port)| **port == 0) {
        return refuse(".ports", format!("the port of {name:?} is 0"));
    }
    let unknown = |name: &&String| {
        place.is_some_and(|place| place.ports.iter().all(|port| *port.port.name != ***name))
    };
    if let Some(name) = spec.ports.keys().find(unknown) {
        return refuse(
            ".ports",
            format!("the entry has no port with the name {name:?}"),
        );
    }
    if spec.weight == Some(0) {
        return refuse(".weight", "a weight of 0 is not possible".to_owned());
    }
    let account = spec.service_account.as_deref();
    let account = account.filter(|account| !account.is_empty());
    if let Some(name) = account.filter(|name| !is_account(name)) {
        let why = format!("{name:?} is not the name of a service account");
        return refuse(".serviceAccount", why);
    }
    let ports = spec
        .ports
        .iter()
        .map(|(name, port)| (Arc::from(name.as_str()), *port));
    Some(External {
        target,
        ports: BTreeMap::from_iter(ports),
        labels: Labels::from(spec.labels.clone()),
        locality: locality(spec.locality.as_deref().unwrap_or_default()),
        weight: spec.weight.unwrap_or(1),
        account: account.map(Into::into),
    })
}

fn target(text: &str, place: Option<&Place<'_>>) -> Result<Target, String> {
    if text.is_empty() {
        return Err("the endpoint has no address".to_owned());
    }
    let resolved = place.map(|place| place.resolution);
    let dns = matches!(resolved, Some(Resolution::Dns | Resolution::DnsRoundRobin));
    if let Some(path) = text.strip_prefix("unix://") {
        return match path.starts_with('/') || path.starts_with('@') {
            _ if dns => Err(format!("{text} is a socket file, which cannot be resolved")),
            true if path.ends_with('/') => Err(format!("{text} is a directory, not a socket file")),
            true => Ok(Target::Pipe(path.into())),
            false => Err(format!("{text} is not an absolute path")),
        };
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Target::Ip(ip));
    }
    if resolved == Some(Resolution::Static) {
        return Err(format!(
            "{text:?} is not an IP address, as the resolution STATIC needs"
        ));
    }
    // A last label of digits is that of an address, so this is a wrong one and no name.
    if text.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
        return Err(format!("{text:?} is not an IP address"));
    }
    match Hostname::parse(text) {
        Ok(host) if !host.is_wildcard() => Ok(Target::Name(host.as_str().into())),
        Ok(_) => Err(format!("{text} stands for many names")),
        Err(error) => Err(error.to_string()),
    }
}

/// Letters, digits and inner hyphens, as Istio's schema has it.
fn is_port_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..63).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Istio reaches an endpoint that has only a network through that network's gateway.
fn elsewhere(field: &str, report: &mut Report) {
    report.warn(
        codes::ENTRY_ENDPOINT,
        format!("{field}.address"),
        "the endpoint has a network and no address, and the mesh is one network",
        "the endpoint gets no requests",
        "give the endpoint an address",
    );
}

/// `region/zone/subzone`, of which the last may be missing.
fn locality(text: &str) -> Locality {
    let mut parts = text.splitn(3, '/').map(Arc::from);
    let mut next = || parts.next().unwrap_or_default();
    Locality {
        region: next(),
        zone: next(),
        subzone: next(),
    }
}

/// There is one network.
fn outside(spec: &istio::WorkloadEntry, field: &str, report: &mut Report) {
    let network = spec.network.as_deref();
    if network.is_some_and(|network| !network.is_empty()) {
        report.warn(
            codes::ENTRY_IGNORED,
            format!("{field}.network"),
            "network has no meaning here: the mesh is one network",
            "the field has no effect; the endpoint is used",
            "remove the field",
        );
    }
}
