//! What the resolution `DYNAMIC_DNS` asks of a service entry: nothing but names, and ports on which
//! callers say them.

use api::istio;
use model::Protocol;

use crate::codes;
use crate::report::Report;

/// The name that a caller asks for is resolved, so there is nothing to say of where hosts are.
pub(super) fn check(spec: &istio::ServiceEntry, report: &mut Report) {
    if !spec.endpoints.is_empty() || spec.workload_selector.is_some() {
        let field = match spec.endpoints.is_empty() {
            true => "spec.workloadSelector",
            false => "spec.endpoints",
        };
        report.refuse(
            codes::ENTRY_ENDPOINTS,
            field,
            "with the resolution DYNAMIC_DNS the names that callers ask for are resolved, so \
             endpoints have no use",
            "remove them, or use the resolution STATIC or DNS",
        );
    }
    if !spec.addresses.is_empty() {
        report.refuse(
            codes::ENTRY_ADDRESS,
            "spec.addresses",
            "with the resolution DYNAMIC_DNS callers ask for names, and an address is none",
            "remove the addresses, or use the resolution DNS",
        );
    }
    for (i, port) in spec.ports.iter().enumerate() {
        check_port(port, &format!("spec.ports[{i}]"), report);
    }
}

fn check_port(port: &istio::EntryPort, field: &str, report: &mut Report) {
    let protocol = match port.protocol.as_str() {
        "" => Protocol::from_port_name(&port.name).or(Some(Protocol::Tcp)),
        text => Protocol::parse(text),
    };
    let named = |p: Protocol| p.is_http() || matches!(p, Protocol::Https | Protocol::Tls);
    if protocol.is_some_and(|protocol| !named(protocol)) {
        report.refuse(
            codes::ENTRY_RESOLUTION,
            format!("{field}.protocol"),
            "with the resolution DYNAMIC_DNS each connection must say a name, which is in requests \
             of HTTP and in the hello of TLS; others say none",
            "declare the port as HTTP or TLS, or name the hosts and use the resolution DNS",
        );
    }
    let target = port
        .target_port
        .filter(|target| Some(*target) != port.number);
    if target.is_some_and(|target| target != 0) {
        report.refuse(
            codes::ENTRY_PORT,
            format!("{field}.targetPort"),
            "with the resolution DYNAMIC_DNS callers name the port together with the host",
            "remove targetPort, or give the port its number",
        );
    }
}
