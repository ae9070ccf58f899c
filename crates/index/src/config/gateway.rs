//! `Gateway` to servers: ports, hosts, and what is done with TLS.

mod tls;

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::istio;
use model::{Gateway, Labels, Protocol, Server, ServerHost};

use super::object::Context;
use super::{names, reference};
use crate::codes;
use crate::report::Report;

const LEFT_OUT: &str = "this server is left out; the other servers of the object serve";

pub(super) fn convert(
    spec: istio::Gateway,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Gateway> {
    let mut position_by_name: BTreeMap<&str, usize> = BTreeMap::new();
    let mut servers = Vec::new();
    for (i, server) in spec.servers.iter().enumerate() {
        let name = server.port.as_ref().map_or("", |port| &port.name);
        if let Some(first) = position_by_name.get(name).filter(|_| !name.is_empty()) {
            name_taken(i, name, *first, report);
            continue;
        }
        position_by_name.insert(name, i);
        servers.extend(convert_server(i, server, context, report));
    }
    if servers.is_empty() {
        report.refuse(
            codes::BAD_SERVER,
            "spec.servers",
            "there is no server that can be served",
            "give the gateway a server with a port, a protocol and hosts",
        );
    }
    Some(Gateway {
        object: reference(&context.object.key),
        selector: Labels::from(spec.selector),
        servers,
    })
}

fn convert_server(
    position: usize,
    server: &istio::Server,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Server> {
    let at = format!("spec.servers[{position}]");
    let port = server.port.clone().unwrap_or_default();
    let protocol = protocol(&port, &at, report);
    let number = port.number.filter(|number| *number != 0);
    if number.is_none() {
        report.leave_out(
            codes::BAD_SERVER,
            format!("{at}.port.number"),
            "the server has no port number",
            LEFT_OUT,
            "set it to a number from 1 to 65535",
        );
    }
    without_effect(server, &port, &at, report);
    let bind = bind(server, &at, report);
    let hosts = hosts(server, &at, context, report);
    let protocol = protocol?;
    let security = tls::security(protocol, server.tls.as_ref(), &at, context, report);
    Some(Server {
        position,
        port: number?,
        name: name(&port, position),
        protocol,
        hosts: hosts?,
        bind: bind?,
        security: security?,
    })
}

/// Istio demands one. Names of routes have it in them, so each server needs one of its own.
fn name(port: &istio::Port, position: usize) -> std::sync::Arc<str> {
    match port.name.as_str() {
        "" => format!("server-{position}").into(),
        name => name.into(),
    }
}

fn name_taken(position: usize, name: &str, first: usize, report: &mut Report) {
    report.leave_out(
        codes::SERVER_NAME,
        format!("spec.servers[{position}].port.name"),
        format!("spec.servers[{first}] has the name {name:?} already"),
        LEFT_OUT,
        "give each port of the object a name of its own",
    );
}

fn without_effect(server: &istio::Server, port: &istio::Port, at: &str, report: &mut Report) {
    let mut told = |field: &str, why: &str, remedy: &str| {
        let field = format!("{at}.{field}");
        let effect = "it is ignored, the rest of the server holds";
        report.warn(codes::SERVER_FIELD_IGNORED, field, why, effect, remedy);
    };
    if port.target_port.is_some_and(|target| target != 0) {
        let why = "Istio ignores targetPort; which port of a task is meant, Marathon knows";
        told(
            "port.targetPort",
            why,
            "map the port in the workload's definition",
        );
    }
    if !server.default_endpoint.is_empty() {
        let why = "Istio has never given defaultEndpoint an effect on gateways";
        told(
            "defaultEndpoint",
            why,
            "bind a virtual service to the gateway",
        );
    }
}

/// An address of the gateway's machine; `None` within for the proxy's own choice.
fn bind(server: &istio::Server, at: &str, report: &mut Report) -> Option<Option<IpAddr>> {
    if server.bind.is_empty() {
        return Some(None);
    }
    if let Ok(address) = server.bind.parse() {
        return Some(Some(address));
    }
    report.leave_out(
        codes::BAD_SERVER,
        format!("{at}.bind"),
        format!(
            "{:?} is not an IP address, and gateways bind to nothing else",
            server.bind
        ),
        LEFT_OUT,
        "name an address of the gateway's machine, or remove the field",
    );
    None
}

fn protocol(port: &istio::Port, at: &str, report: &mut Report) -> Option<Protocol> {
    match Protocol::parse(&port.protocol) {
        Some(protocol) if protocol != Protocol::Udp => Some(protocol),
        _ => {
            report.leave_out(
                codes::BAD_SERVER,
                format!("{at}.port.protocol"),
                format!("{:?} is not a protocol that gateways serve", port.protocol),
                LEFT_OUT,
                "use HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP, MONGO, REDIS or MYSQL",
            );
            None
        }
    }
}

/// All of a server's hosts, or none: a server must not serve less than it says.
fn hosts(
    server: &istio::Server,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Vec<ServerHost>> {
    if server.hosts.is_empty() {
        report.leave_out(
            codes::NO_HOSTS,
            format!("{at}.hosts"),
            "the server has no hosts",
            LEFT_OUT,
            "name the hosts it serves; \"*\" serves all",
        );
        return None;
    }
    let hosts: Vec<Option<ServerHost>> = server
        .hosts
        .iter()
        .enumerate()
        .map(|(i, text)| match parse_host(text, context) {
            Ok(host) => Some(host),
            Err(why) => {
                let field = format!("{at}.hosts[{i}]");
                report.leave_out(codes::BAD_HOST, field, why, LEFT_OUT, names::HOST_REMEDY);
                None
            }
        })
        .collect();
    hosts.into_iter().collect()
}

/// `host`, `namespace/host`, `./host` for the gateway's own namespace, or `*/host` for all.
fn parse_host(text: &str, context: &Context<'_>) -> Result<ServerHost, String> {
    let (namespace, host) = match text.split_once('/') {
        None | Some(("*", _)) => (None, text.rsplit('/').next().unwrap_or(text)),
        Some((".", host)) => (Some(context.object.key.namespace.clone()), host),
        Some(("", _)) => return Err(format!("{text:?} has no namespace before the slash")),
        Some((namespace, host)) => (Some(namespace.into()), host),
    };
    Ok(ServerHost {
        namespace,
        host: names::parse_host(host, context)?,
    })
}
