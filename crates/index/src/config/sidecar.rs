//! `Sidecar` to what its proxies see and where they listen.

mod ingress;

use std::net::IpAddr;

use api::istio;
use model::{
    Binding, Egress, EgressHost, EgressNamespace, EgressPort, EgressProxy, Hostname,
    OutboundPolicy, Protocol, Sidecar,
};

use super::object::Context;
use super::{export, names, reference, selector};
use crate::codes;
use crate::report::Report;

pub(super) fn convert(
    spec: istio::Sidecar,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Sidecar> {
    let policy = spec.outbound_traffic_policy.as_ref();
    if spec.ingress.is_empty() && spec.egress.is_empty() && policy.is_none() {
        report.refuse(
            codes::SIDECAR_EGRESS,
            "spec",
            "the sidecar says nothing",
            "give it egress, ingress or an outboundTrafficPolicy",
        );
    }
    if spec.inbound_connection_pool.is_some() {
        ignored(
            "spec.inboundConnectionPool",
            "limits of inbound connections",
            report,
        );
    }
    let outbound = policy.and_then(|policy| outbound(policy, report));
    let proxy = policy.and_then(|policy| policy.egress_proxy.as_ref());
    let egress_proxy = proxy.and_then(|proxy| egress_proxy(proxy, context, report));
    let egress = egress(&spec.egress, context, report);
    let ingress = ingress::listeners(&spec.ingress, report);
    let selector = spec
        .workload_selector
        .map(|given| selector::read(given.labels, "spec.workloadSelector.labels", report));
    Some(Sidecar {
        object: reference(&context.object.key),
        selector: selector.filter(|labels| !labels.is_empty()),
        egress,
        ingress,
        outbound,
        egress_proxy: egress_proxy.filter(|_| outbound == Some(OutboundPolicy::AllowAny)),
    })
}

fn ignored(field: &str, what: &str, report: &mut Report) {
    report.warn(
        codes::SIDECAR_IGNORED,
        field,
        format!("{what} cannot be set here"),
        "the field has no effect; the rest of the sidecar has",
        "remove the field",
    );
}

fn outbound(policy: &istio::SidecarOutboundPolicy, report: &mut Report) -> Option<OutboundPolicy> {
    let field = "spec.outboundTrafficPolicy";
    if policy.egress_proxy.is_some() && policy.mode.as_deref() != Some("ALLOW_ANY") {
        report.refuse(
            codes::SIDECAR_EGRESS,
            format!("{field}.egressProxy"),
            "with REGISTRY_ONLY nothing is left that could go to an egress proxy",
            "use the mode ALLOW_ANY, or remove the egress proxy",
        );
    }
    match policy.mode.as_deref() {
        // Without a word it is 0 of the schema, which is REGISTRY_ONLY.
        None | Some("REGISTRY_ONLY") => Some(OutboundPolicy::RegistryOnly),
        Some("ALLOW_ANY") => Some(OutboundPolicy::AllowAny),
        Some(other) => {
            report.refuse(
                codes::SIDECAR_EGRESS,
                format!("{field}.mode"),
                format!("{other:?} is no mode"),
                "use ALLOW_ANY or REGISTRY_ONLY",
            );
            None
        }
    }
}

fn egress_proxy(
    to: &istio::Destination,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<EgressProxy> {
    let field = "spec.outboundTrafficPolicy.egressProxy";
    let host = names::host(&to.host, &format!("{field}.host"), context, report)?;
    let port = to.port.as_ref().and_then(|port| port.number);
    let Some(port) = port.filter(|port| *port > 0) else {
        report.refuse(
            codes::SIDECAR_EGRESS,
            format!("{field}.port.number"),
            "the port of the egress proxy has no number",
            "write port: {number: 8080}, or whatever port the service has",
        );
        return None;
    };
    let subset = to.subset.clone().filter(|subset| !subset.is_empty());
    Some(EgressProxy { host, port, subset })
}

fn egress(
    specs: &[istio::EgressListener],
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<Egress> {
    let mut listeners: Vec<Egress> = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let field = format!("spec.egress[{i}]");
        let hosts = egress_hosts(&spec.hosts, &field, context, report);
        let port = spec
            .port
            .as_ref()
            .map(|port| egress_port(port, &field, report));
        let binding = binding(&spec.bind, spec.capture_mode.as_deref(), &field, report);
        let (Some(binding), Some(port)) = (binding, port.map_or(Some(None), |p| p.map(Some)))
        else {
            continue;
        };
        let listener = Egress {
            port,
            binding,
            hosts,
        };
        match stands(&listener, &listeners, i + 1 == specs.len()) {
            Ok(()) => listeners.push(listener),
            Err(why) => {
                let remedy = "give each listener a port of its own; the one without stands last";
                report.refuse(codes::SIDECAR_LISTENERS, field, why, remedy);
            }
        }
    }
    listeners
}

/// Whether a listener can stand behind those before it.
fn stands(listener: &Egress, before: &[Egress], last: bool) -> Result<(), String> {
    match listener.port {
        None if !last => Err("a listener without a port hides those behind it".to_owned()),
        None => Ok(()),
        Some(port) => {
            let taken = |e: &Egress| e.port.is_some_and(|p| p.number == port.number);
            match before.iter().any(taken) {
                true => Err(format!("another listener has the port {}", port.number)),
                false => Ok(()),
            }
        }
    }
}

fn egress_hosts(
    texts: &[String],
    field: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<EgressHost> {
    if texts.is_empty() {
        report.refuse(
            codes::SIDECAR_EGRESS,
            format!("{field}.hosts"),
            "the listener has no hosts",
            "write ./* for the own namespace, */* for all services, or ~/* for none",
        );
    }
    let mut hosts = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        match egress_host(text, context) {
            Ok(host) => hosts.push(host),
            Err(why) => report.refuse(
                codes::SIDECAR_EGRESS,
                format!("{field}.hosts[{i}]"),
                why,
                "write namespace/name, such as ./*, */reviews.marathon.slave.mesos or ~/*",
            ),
        }
    }
    hosts
}

fn egress_host(text: &str, context: &Context<'_>) -> Result<EgressHost, String> {
    let Some((namespace, name)) = text.split_once('/') else {
        return Err(format!("{text:?} names no namespace"));
    };
    let namespace = match namespace {
        "*" => EgressNamespace::Any,
        "." => EgressNamespace::Own,
        "~" if name == "*" => EgressNamespace::Nowhere,
        "~" => return Err("after ~ there can only be *".to_owned()),
        named if export::is_namespace(named) => EgressNamespace::Named(named.into()),
        other => return Err(format!("{other:?} is no namespace")),
    };
    let host: Hostname = names::parse_host(name, context)?;
    Ok(EgressHost { namespace, host })
}

fn egress_port(port: &istio::Port, field: &str, report: &mut Report) -> Option<EgressPort> {
    no_target(port, field, report);
    let protocol = protocol(port);
    match (port.number, protocol) {
        (Some(number), Some(protocol)) if number != 0 => Some(EgressPort { number, protocol }),
        _ => {
            report.refuse(
                codes::SIDECAR_LISTENERS,
                format!("{field}.port"),
                "the port needs a number and a protocol that is known",
                "write a number from 1 to 65535 and a protocol such as HTTP or TCP",
            );
            None
        }
    }
}

/// The field is there for service entries alone.
fn no_target(port: &istio::Port, field: &str, report: &mut Report) {
    if port.target_port.is_some() {
        ignored(&format!("{field}.port.targetPort"), "a target port", report);
    }
}

fn protocol(port: &istio::Port) -> Option<Protocol> {
    match port.protocol.as_str() {
        "" => Some(Protocol::from_port_name(&port.name).unwrap_or(Protocol::Tcp)),
        text => Protocol::parse(text),
    }
}

fn binding(bind: &str, capture: Option<&str>, field: &str, report: &mut Report) -> Option<Binding> {
    let bound = match capture {
        None | Some("" | "DEFAULT" | "IPTABLES") => false,
        Some("NONE") => true,
        Some(other) => {
            report.refuse(
                codes::SIDECAR_LISTENERS,
                format!("{field}.captureMode"),
                format!("{other:?} is no mode of capture"),
                "use DEFAULT, IPTABLES or NONE",
            );
            return None;
        }
    };
    let address = match bind {
        "" => None,
        text => match text.parse::<IpAddr>() {
            Ok(address) => Some(address),
            Err(_) => {
                let why = match text.starts_with("unix:") {
                    true => "a socket file as a listener is not supported".to_owned(),
                    false => format!("{text:?} is not an IP address"),
                };
                let remedy = "write an IP address of the proxy, or leave it out";
                report.refuse(
                    codes::SIDECAR_LISTENERS,
                    format!("{field}.bind"),
                    why,
                    remedy,
                );
                return None;
            }
        },
    };
    Some(Binding { address, bound })
}
