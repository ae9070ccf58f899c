//! The listeners of a sidecar in front of its workload.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use api::istio;
use model::{Ingress, IngressTarget};

use super::{binding, ignored, no_target, protocol};
use crate::codes;
use crate::report::Report;

pub(super) fn listeners(specs: &[istio::IngressListener], report: &mut Report) -> Vec<Ingress> {
    let mut seen = BTreeSet::new();
    let mut listeners = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let field = format!("spec.ingress[{i}]");
        for (part, value) in [
            ("tls", &spec.tls),
            ("connectionPool", &spec.connection_pool),
        ] {
            if value.is_some() {
                ignored(&format!("{field}.{part}"), part, report);
            }
        }
        let Some(read) = listener(spec, &field, report) else {
            continue;
        };
        if !seen.insert(read.port) {
            report.refuse(
                codes::SIDECAR_INGRESS,
                format!("{field}.port.number"),
                format!("the port {} is there twice", read.port),
                "give each listener a port of its own",
            );
        }
        listeners.push(read);
    }
    listeners
}

fn listener(spec: &istio::IngressListener, field: &str, report: &mut Report) -> Option<Ingress> {
    let port = spec.port.clone().unwrap_or_default();
    no_target(&port, field, report);
    let number = port.number.filter(|number| *number != 0);
    let (Some(number), Some(protocol)) = (number, protocol(&port)) else {
        report.refuse(
            codes::SIDECAR_INGRESS,
            format!("{field}.port"),
            "the listener needs a port with a number and a protocol that is known",
            "write a number from 1 to 65535 and a protocol such as HTTP or TCP",
        );
        return None;
    };
    let binding = binding(&spec.bind, spec.capture_mode.as_deref(), field, report)?;
    let target = match target(&spec.default_endpoint) {
        Ok(target) => target,
        Err(why) => {
            report.refuse(
                codes::SIDECAR_INGRESS,
                format!("{field}.defaultEndpoint"),
                why,
                "write 127.0.0.1:port, 0.0.0.0:port for the instance's own address, or unix:// and a \
                 path",
            );
            return None;
        }
    };
    Some(Ingress {
        port: number,
        name: port.name.as_str().into(),
        protocol,
        binding,
        target,
    })
}

/// The workload itself, and nothing else: a sidecar is no way to other machines.
fn target(text: &str) -> Result<IngressTarget, String> {
    if text.is_empty() {
        return Ok(IngressTarget::Port);
    }
    if let Some(path) = text.strip_prefix("unix://") {
        return match path.starts_with('/') || path.starts_with('@') {
            true => Ok(IngressTarget::Pipe(path.into())),
            false => Err(format!("{text} is not an absolute path")),
        };
    }
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is not an address with a port"))?;
    match address.ip() {
        _ if address.port() == 0 => Err(format!("{text} has the port 0")),
        ip if ip == IpAddr::from(Ipv4Addr::LOCALHOST)
            || ip == IpAddr::from(Ipv6Addr::LOCALHOST) =>
        {
            Ok(IngressTarget::Loopback(address))
        }
        ip if ip.is_unspecified() => Ok(IngressTarget::Instance(address.port())),
        _ => Err(format!("{text} is not an address of the workload itself")),
    }
}
