//! `Gateway` to the plaintext HTTP servers that can be served today.

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
    let servers: Vec<Server> = spec
        .servers
        .iter()
        .enumerate()
        .filter_map(|(i, server)| convert_server(i, server, context, report))
        .collect();
    if servers.is_empty() {
        report.refuse(
            codes::BAD_SERVER,
            "spec.servers",
            "there is no server that can be served",
            "give the gateway a server with a port, the protocol HTTP and hosts",
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
    let has_tls = server.tls.as_ref().is_some_and(says_something);
    if has_tls {
        not_supported(format!("{at}.tls"), "TLS at a gateway", report);
    }
    let hosts = hosts(server, &at, context, report);
    Some(Server {
        position,
        port: number?,
        name: port.name.as_str().into(),
        protocol: protocol.filter(|_| !has_tls)?,
        hosts: hosts?,
    })
}

fn protocol(port: &istio::Port, at: &str, report: &mut Report) -> Option<Protocol> {
    let field = format!("{at}.port.protocol");
    match Protocol::parse(&port.protocol) {
        Some(protocol) if protocol.is_http() => Some(protocol),
        Some(protocol) => {
            not_supported(field, &format!("{protocol} at a gateway"), report);
            None
        }
        None => {
            report.leave_out(
                codes::BAD_SERVER,
                field,
                format!("{:?} is not a protocol", port.protocol),
                LEFT_OUT,
                "use HTTP, HTTP2, GRPC or GRPC-WEB",
            );
            None
        }
    }
}

fn not_supported(field: String, what: &str, report: &mut Report) {
    report.leave_out(
        codes::NOT_SUPPORTED,
        field,
        format!("{what} is not supported yet"),
        LEFT_OUT,
        "use the protocol HTTP without tls, or wait for a version that supports it",
    );
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

/// `tls: {}` and `httpsRedirect: false` change nothing.
fn says_something(tls: &serde_json::Value) -> bool {
    match tls {
        serde_json::Value::Null | serde_json::Value::Bool(false) => false,
        serde_json::Value::Object(fields) => fields.values().any(says_something),
        _ => true,
    }
}
