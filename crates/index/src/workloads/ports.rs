//! From a declared port to a service port: number, name, protocol.

use std::collections::BTreeMap;

use model::{Hostname, Mesh, Port, Protocol};

use super::reach::Mode;
use super::vip;
use crate::codes;
use crate::report::Report;

const NUMBER: &str = "istio.io/service-port";
const PROTOCOL: &str = "istio.io/protocol";
const EXCLUDE: &str = "istio.io/exclude";

/// A port as an app or a pod declares it.
pub(super) struct Spec<'a> {
    /// The path of the declaration, for diagnostics.
    pub(super) field: String,
    pub(super) name: &'a str,
    pub(super) labels: &'a BTreeMap<String, String>,
    /// 0 where the declaration leaves it open.
    pub(super) container_port: u16,
    /// Whether a port of the agent leads to it.
    pub(super) has_host_port: bool,
    /// The number that callers use where the container port tells none; 0 for none either.
    pub(super) otherwise: u16,
    /// `tcp`, `udp`; for pods also application protocols.
    pub(super) protocols: Vec<&'a str>,
    pub(super) network_names: &'a [String],
}

/// A port that is part of the mesh.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declared {
    /// The index among the declarations, which instances' allocations are aligned with.
    pub(super) position: usize,
    pub(super) port: Port,
    /// 0: the container listens on the allocated host port.
    pub(super) container_port: u16,
    pub(super) network_names: Vec<String>,
    /// Whether this is the port of a virtual address, which callers use and the instance does not
    /// know.
    pub(super) is_vip: bool,
    /// The names of virtual addresses that lead to it.
    pub(super) vip_hosts: Vec<Hostname>,
}

// === impl Spec ===

impl Spec<'_> {
    /// Whether the port is said to be no part of the mesh.
    pub(super) fn is_excluded(&self) -> bool {
        self.labels.get(EXCLUDE).is_some_and(|v| is_true(v))
    }
}

/// The ports of one version of a workload, without those that cannot be part of the mesh.
pub(super) fn declare(
    specs: &[Spec<'_>],
    mode: Mode,
    mesh: &Mesh,
    report: &mut Report,
) -> Vec<Declared> {
    let mut declared = Vec::new();
    let mut vips_by_position = Vec::new();
    for (position, spec) in specs.iter().enumerate() {
        if spec.is_excluded() {
            continue;
        }
        let Some(port) = service_port(spec, mode, mesh, report) else {
            continue;
        };
        if matches!(mode, Mode::Bridge(_)) && !spec.has_host_port {
            report.warn(
                codes::SAME_AGENT_ONLY,
                &spec.field,
                format!("port {} has no host port on a bridge network", port.number),
                "only callers on the same bridge, or on the agent's own network, reach it",
                "give it a host port; 0 lets Marathon choose one",
            );
        }
        let vips = vip::read(spec, mesh, report);
        declared.push(Declared {
            position,
            port,
            container_port: spec.container_port,
            network_names: spec.network_names.to_vec(),
            is_vip: false,
            vip_hosts: vips.iter().map(|vip| vip.host.clone()).collect(),
        });
        vips_by_position.push((declared.len() - 1, vips));
    }
    add_vips(&mut declared, vips_by_position);
    declared
}

/// A virtual address with a port of its own adds that port to the service, unless it has it.
fn add_vips(declared: &mut Vec<Declared>, vips_by_position: Vec<(usize, Vec<vip::Vip>)>) {
    for (position, vips) in vips_by_position {
        for vip in vips {
            if declared.iter().any(|d| d.port.number == vip.port) {
                continue;
            }
            let of = &declared[position];
            let protocol = of.port.protocol;
            let added = Declared {
                port: Port {
                    number: vip.port,
                    name: unnamed(protocol, vip.port).into(),
                    protocol,
                },
                is_vip: true,
                ..of.clone()
            };
            declared.push(added);
        }
    }
}

fn unnamed(protocol: Protocol, number: u16) -> String {
    format!("{}-{number}", protocol.to_string().to_ascii_lowercase())
}

fn service_port(spec: &Spec<'_>, mode: Mode, mesh: &Mesh, report: &mut Report) -> Option<Port> {
    let protocol = protocol(spec, mesh, report);
    if protocol == Protocol::Udp {
        report.warn(
            codes::UDP_PORT,
            &spec.field,
            "the port speaks UDP only",
            "it is not part of the mesh; callers reach it as without the mesh",
            format!("add tcp to its protocols, or label it {EXCLUDE}: \"true\""),
        );
        return None;
    }
    let number = number(spec, mode, report);
    if number == 0 {
        report.warn(
            codes::UNUSABLE_PORT,
            &spec.field,
            "no fixed number tells under which port callers know it",
            "the port is not part of the mesh",
            format!("label the port {NUMBER}, or give it a fixed container port"),
        );
        return None;
    }
    if !is_reachable(spec, mode) {
        report.warn(
            codes::UNUSABLE_PORT,
            &spec.field,
            "it has neither a container port nor a host port that leads to it",
            "the port is not part of the mesh",
            "give it a host port; 0 lets Marathon choose one",
        );
        return None;
    }
    let name = match spec.name {
        "" => unnamed(protocol, number),
        name => name.to_owned(),
    };
    Some(Port {
        number,
        name: name.into(),
        protocol,
    })
}

/// Label, then container port, then what the declaration has besides.
fn number(spec: &Spec<'_>, mode: Mode, report: &mut Report) -> u16 {
    let unlabelled = match (mode, spec.container_port) {
        (Mode::Host, _) | (_, 0) => spec.otherwise,
        (_, port) => port,
    };
    let Some(text) = spec.labels.get(NUMBER) else {
        return unlabelled;
    };
    match text.trim().parse() {
        Ok(number @ 1..) => number,
        _ => {
            report.warn(
                codes::LABEL_VALUE,
                format!("{}.labels.{NUMBER}", spec.field),
                format!("{text:?} is not a port number"),
                "the label is ignored",
                "set it to a number from 1 to 65535, or remove it",
            );
            unlabelled
        }
    }
}

/// A container without an own network, or with an open container port, listens on a host port.
fn is_reachable(spec: &Spec<'_>, mode: Mode) -> bool {
    spec.has_host_port || mode != Mode::Host && spec.container_port != 0
}

/// Label, then name, then the application protocol of a pod's endpoint, then the mesh's default.
fn protocol(spec: &Spec<'_>, mesh: &Mesh, report: &mut Report) -> Protocol {
    if let Some(text) = spec.labels.get(PROTOCOL) {
        match Protocol::parse(text.trim()) {
            Some(protocol) => return protocol,
            None => report.warn(
                codes::LABEL_VALUE,
                format!("{}.labels.{PROTOCOL}", spec.field),
                format!("{text:?} is not a protocol that the mesh knows"),
                "the label is ignored",
                "use http, http2, grpc, grpc-web, https, tls, tcp, mongo, redis or mysql",
            ),
        }
    }
    let declared: Vec<Protocol> = spec
        .protocols
        .iter()
        .filter_map(|text| Protocol::parse(text.trim()))
        .collect();
    if !declared.is_empty() && declared.iter().all(|p| *p == Protocol::Udp) {
        return Protocol::Udp;
    }
    let is_transport = |p: &Protocol| matches!(p, Protocol::Tcp | Protocol::Udp);
    Protocol::from_port_name(spec.name)
        .or_else(|| declared.into_iter().find(|p| !is_transport(p)))
        .unwrap_or(mesh.default_protocol)
}

fn is_true(text: &str) -> bool {
    matches!(
        text.trim().to_ascii_lowercase().as_str(),
        "true" | "1" | "yes"
    )
}
