//! `ServiceEntry` and `WorkloadEntry` to services and endpoints, before they meet those of workloads.

mod dynamic;

use std::collections::BTreeSet;

use api::istio;
use model::{Cidr, Placement, Port, Protocol, Resolution, Service};

use super::object::Context;
use super::workload_entry::{self, Place};
use super::{export, names, reference, selector};
use crate::codes;
use crate::entries::{Entry, EntryPort, External};
use crate::report::Report;

pub(super) fn convert(
    spec: istio::ServiceEntry,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Entry> {
    let resolution = resolution(spec.resolution.as_deref(), report)?;
    let location = location(spec.location.as_deref(), report)?;
    let hosts = hosts(&spec, resolution, context, report);
    let addresses = addresses(&spec.addresses, resolution, report);
    let ports = ports(&spec.ports, report);
    let place = Place {
        resolution,
        ports: &ports,
    };
    let endpoints = endpoints(&spec, &place, report);
    check_endpoints(&spec, resolution, report);
    let export_to = export::read(
        &spec.export_to,
        &context.mesh.default_exports.services,
        context,
        report,
    );
    match resolution {
        Resolution::Dynamic => dynamic::check(&spec, report),
        _ => check_tcp(&spec, &ports, resolution, report),
    }
    let selected = spec
        .workload_selector
        .map(|given| selector::read(given.labels, "spec.workloadSelector.labels", report));
    let host = hosts.first()?.clone();
    let mut subject_alt_names = spec.subject_alt_names;
    subject_alt_names.sort();
    subject_alt_names.dedup();
    Some(Entry {
        object: reference(&context.object.key),
        service: Service {
            ports: ports.iter().map(|port| port.port.clone()).collect(),
            addresses,
            resolution,
            location,
            named_subjects: subject_alt_names
                .iter()
                .map(|n| n.as_str().into())
                .collect(),
            subject_alt_names,
            export_to,
            ..Service::new(host, context.object.key.namespace.clone())
        },
        hosts,
        ports,
        endpoints,
        selector: selected.filter(|_| resolution != Resolution::Passthrough),
    })
}

fn resolution(text: Option<&str>, report: &mut Report) -> Option<Resolution> {
    match text {
        None | Some("" | "NONE") => Some(Resolution::Passthrough),
        Some("STATIC") => Some(Resolution::Static),
        Some("DNS") => Some(Resolution::Dns),
        Some("DNS_ROUND_ROBIN") => Some(Resolution::DnsRoundRobin),
        Some("DYNAMIC_DNS") => Some(Resolution::Dynamic),
        Some(other) => {
            report.refuse(
                codes::ENTRY_RESOLUTION,
                "spec.resolution",
                format!("{other:?} is no resolution"),
                "use NONE, STATIC, DNS, DNS_ROUND_ROBIN or DYNAMIC_DNS",
            );
            None
        }
    }
}

fn location(text: Option<&str>, report: &mut Report) -> Option<Placement> {
    match text {
        None | Some("" | "MESH_EXTERNAL") => Some(Placement::External),
        Some("MESH_INTERNAL") => Some(Placement::Mesh),
        Some(other) => {
            report.refuse(
                codes::ENTRY_RESOLUTION,
                "spec.location",
                format!("{other:?} is no location"),
                "use MESH_EXTERNAL or MESH_INTERNAL",
            );
            None
        }
    }
}

fn hosts(
    spec: &istio::ServiceEntry,
    resolution: Resolution,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<model::Hostname> {
    if spec.hosts.is_empty() {
        let why = "the service entry has no hosts";
        let remedy = "name the hosts that it adds to the mesh";
        report.refuse(codes::NO_HOSTS, "spec.hosts", why, remedy);
    }
    let mut hosts = Vec::new();
    for (i, text) in spec.hosts.iter().enumerate() {
        let field = format!("spec.hosts[{i}]");
        let Some(host) = names::host(text, &field, context, report) else {
            continue;
        };
        // A proxy cannot resolve a wildcard, and whom endpoints stand for must be known by name.
        let resolved = matches!(resolution, Resolution::Dns | Resolution::DnsRoundRobin);
        if host.as_str() == "*" {
            let why = "a service entry for every host would take the place of the outbound policy";
            report.refuse(codes::BAD_HOST, field, why, names::HOST_REMEDY);
        } else if host.is_wildcard() && resolved && spec.endpoints.is_empty() {
            report.refuse(
                codes::ENTRY_RESOLUTION,
                field,
                format!("{host} stands for many names and cannot be resolved"),
                "use the resolution NONE or DYNAMIC_DNS, name the hosts, or give endpoints",
            );
        } else if hosts.contains(&host) {
            report.warn(
                codes::BAD_HOST,
                field,
                format!("{host} is named twice"),
                "the second has no effect",
                "remove one of the two",
            );
        } else {
            hosts.push(host);
        }
    }
    hosts
}

fn addresses(texts: &[String], resolution: Resolution, report: &mut Report) -> Vec<Cidr> {
    let mut addresses = BTreeSet::new();
    for (i, text) in texts.iter().enumerate() {
        let field = format!("spec.addresses[{i}]");
        let resolved = matches!(resolution, Resolution::Dns | Resolution::DnsRoundRobin);
        let why = match text.parse::<Cidr>() {
            Ok(block) if block.single().is_none() && resolved => {
                format!("{text} is a block, which is possible with NONE and STATIC only")
            }
            Ok(block) => {
                addresses.insert(block);
                continue;
            }
            Err(error) => error.to_string(),
        };
        let remedy = "write addresses like 10.1.2.3 or, with NONE or STATIC, 10.1.0.0/16";
        report.refuse(codes::ENTRY_ADDRESS, field, why, remedy);
    }
    addresses.into_iter().collect()
}

fn ports(specs: &[istio::EntryPort], report: &mut Report) -> Vec<EntryPort> {
    let mut ports: Vec<EntryPort> = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let field = format!("spec.ports[{i}]");
        match port(spec, &ports) {
            Ok(port) => ports.push(port),
            Err((part, why)) => report.refuse(
                codes::ENTRY_PORT,
                format!("{field}{part}"),
                why,
                "give each port a number and a name of its own, and a protocol such as HTTP or TCP",
            ),
        }
    }
    if specs.is_empty() {
        // Istio takes such an entry, too, and nothing follows from it.
        report.warn(
            codes::ENTRY_PORT,
            "spec.ports",
            "there are no ports",
            "the hosts are known, and no request can reach them",
            "name the ports on which callers reach the hosts",
        );
    }
    ports.sort_by_key(|port| port.port.number);
    ports
}

fn port(spec: &istio::EntryPort, known: &[EntryPort]) -> Result<EntryPort, (&'static str, String)> {
    let number = match spec.number {
        None | Some(0) => return Err((".number", "the port has no number".to_owned())),
        Some(number) => number,
    };
    let protocol = match spec.protocol.as_str() {
        "" => Protocol::from_port_name(&spec.name).unwrap_or(Protocol::Tcp),
        text => Protocol::parse(text)
            .ok_or_else(|| (".protocol", format!("{text:?} is no protocol")))?,
    };
    if spec.name.is_empty() {
        return Err((".name", "the port has no name".to_owned()));
    }
    if known.iter().any(|port| port.port.number == number) {
        return Err((".number", format!("the port {number} is there twice")));
    }
    if known.iter().any(|port| *port.port.name == *spec.name) {
        return Err((".name", format!("the name {:?} is there twice", spec.name)));
    }
    if spec.target_port == Some(0) {
        return Err((".targetPort", "0 is no port".to_owned()));
    }
    Ok(EntryPort {
        target: spec.target_port.unwrap_or(number),
        port: Port {
            number,
            name: spec.name.as_str().into(),
            protocol,
        },
    })
}

fn endpoints(spec: &istio::ServiceEntry, place: &Place<'_>, report: &mut Report) -> Vec<External> {
    let endpoints = spec.endpoints.iter().enumerate();
    let read = endpoints.filter_map(|(i, endpoint)| {
        let field = format!("spec.endpoints[{i}]");
        workload_entry::endpoint(endpoint, &field, Some(place), report)
    });
    read.collect()
}

/// What the resolution asks of endpoints.
fn check_endpoints(spec: &istio::ServiceEntry, resolution: Resolution, report: &mut Report) {
    let (given, selecting) = (spec.endpoints.len(), spec.workload_selector.is_some());
    let (why, remedy) = match resolution {
        _ if given > 0 && selecting => (
            "it has both endpoints and a workloadSelector",
            "keep one of the two",
        ),
        Resolution::Passthrough if selecting => {
            // As in Istio, where such an entry is good.
            report.warn(
                codes::ENTRY_ENDPOINTS,
                "spec.workloadSelector",
                "with the resolution NONE connections go where they were going",
                "the selector has no effect; the hosts are served",
                "remove it, or use the resolution STATIC or DNS",
            );
            return;
        }
        Resolution::Passthrough if given > 0 => (
            "with the resolution NONE connections go where they were going, so endpoints have no use",
            "remove the endpoints, or use the resolution STATIC or DNS",
        ),
        Resolution::Static if given == 0 && !selecting => (
            "with the resolution STATIC there must be endpoints or a workloadSelector",
            "name the endpoints, or use another resolution",
        ),
        Resolution::DnsRoundRobin if given > 1 || spec.hosts.len() > 1 && given == 0 => (
            "DNS_ROUND_ROBIN resolves one name only",
            "keep one endpoint, or use the resolution DNS",
        ),
        _ => return,
    };
    report.refuse(codes::ENTRY_ENDPOINTS, "spec.endpoints", why, remedy);
}

/// Connections of plain TCP say nothing but where they go.
fn check_tcp(
    spec: &istio::ServiceEntry,
    ports: &[EntryPort],
    resolution: Resolution,
    report: &mut Report,
) {
    let nameless = |p: Protocol| !p.is_http() && !matches!(p, Protocol::Https | Protocol::Tls);
    let Some(port) = ports.iter().find(|port| nameless(port.port.protocol)) else {
        return;
    };
    if !spec.addresses.is_empty() {
        return;
    }
    let number = port.port.number;
    if spec.hosts.len() > 1 {
        report.refuse(
            codes::ENTRY_PORT,
            "spec.hosts",
            format!(
                "connections to the TCP port {number} do not tell which of the hosts they mean"
            ),
            "name one host, or give the entry addresses",
        );
    } else if resolution != Resolution::Static {
        report.warn(
            codes::ENTRY_TCP,
            "spec.addresses",
            format!("the TCP port {number} has no address by which its connections are known"),
            "only the port number leads to it, if no other service has the same TCP port",
            "give the entry addresses, or declare the port as HTTP or TLS",
        );
    }
}
