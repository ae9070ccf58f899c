//! `tls` and `tcp`: routes of connections.

use api::istio;
use model::route::{ConnectionDestination, ConnectionMatch, ConnectionRoute, VirtualService};
use model::{Cidr, Hostname, Labels};

use super::destination;
use crate::codes;
use crate::config::names;
use crate::config::object::Context;
use crate::report::Report;

/// Of both kinds, as far as they are alike.
type Converted = Option<Vec<ConnectionRoute>>;

/// The hosts are those of the virtual service, which the server names must be among.
pub(super) fn tls(
    routes: Vec<istio::TlsRoute>,
    hosts: &[Hostname],
    context: &Context<'_>,
    report: &mut Report,
) -> Converted {
    let convert = |(position, route): (usize, istio::TlsRoute)| {
        let at = format!("spec.tls[{position}]");
        if route.r#match.is_empty() {
            let remedy = "name the server names that it is for, in match[0].sniHosts";
            let why = "a tls route needs a condition";
            report.refuse(
                codes::BAD_CONNECTION_MATCH,
                format!("{at}.match"),
                why,
                remedy,
            );
        }
        let mut matches = Vec::new();
        for (i, block) in route.r#match.into_iter().enumerate() {
            let at = format!("{at}.match[{i}]");
            let server_names = server_names(&block.sni_hosts, hosts, &at, context, report);
            matches.push(ConnectionMatch {
                server_names,
                ..condition(shared(block), &at, context, report)
            });
        }
        convert_route(position, matches, route.route, &at, context, report)
    };
    let routes: Vec<_> = routes.into_iter().enumerate().map(convert).collect();
    routes.into_iter().collect()
}

pub(super) fn tcp(
    routes: Vec<istio::TcpRoute>,
    context: &Context<'_>,
    report: &mut Report,
) -> Converted {
    let convert = |(position, route): (usize, istio::TcpRoute)| {
        let at = format!("spec.tcp[{position}]");
        let mut matches = Vec::new();
        for (i, block) in route.r#match.into_iter().enumerate() {
            matches.push(condition(
                block,
                &format!("{at}.match[{i}]"),
                context,
                report,
            ));
        }
        convert_route(position, matches, route.route, &at, context, report)
    };
    let routes: Vec<_> = routes.into_iter().enumerate().map(convert).collect();
    routes.into_iter().collect()
}

/// What both kinds of conditions have.
fn shared(block: istio::TlsMatch) -> istio::TcpMatch {
    istio::TcpMatch {
        destination_subnets: block.destination_subnets,
        port: block.port,
        source_labels: block.source_labels,
        source_namespace: block.source_namespace,
        source_subnet: block.source_subnet,
        gateways: block.gateways,
    }
}

/// Each must be one that a host of the virtual service stands for, as Istio demands: a virtual
/// service has no say in other names.
fn server_names(
    texts: &[String],
    hosts: &[Hostname],
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<Hostname> {
    if texts.is_empty() {
        report.refuse(
            codes::BAD_CONNECTION_MATCH,
            format!("{at}.sniHosts"),
            "the condition names no server name",
            "list the names that clients ask for in their TLS hello",
        );
    }
    let mut converted = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let field = format!("{at}.sniHosts[{i}]");
        let Some(name) = names::host(text, &field, context, report) else {
            continue;
        };
        if !hosts.iter().any(|host| host.covers(&name)) {
            report.refuse(
                codes::BAD_CONNECTION_MATCH,
                field,
                format!("no host of the virtual service stands for {name}"),
                "add the name to spec.hosts, or correct it",
            );
        }
        converted.push(name);
    }
    converted
}

fn condition(
    block: istio::TcpMatch,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> ConnectionMatch {
    if block.source_subnet.is_some_and(|subnet| !subnet.is_empty()) {
        report.warn(
            codes::CONNECTION_FIELD_IGNORED,
            format!("{at}.sourceSubnet"),
            "Istio has no effect for sourceSubnet, and neither has Pilothouse",
            "the condition holds wherever connections come from",
            "remove it; sourceLabels and sourceNamespace tell callers apart",
        );
    }
    if block.port == Some(0) {
        report.refuse(
            codes::BAD_CONNECTION_MATCH,
            format!("{at}.port"),
            "0 is not a port",
            "use a number from 1 to 65535, or remove the port",
        );
    }
    ConnectionMatch {
        server_names: Vec::new(),
        subnets: subnets(&block.destination_subnets, at, report),
        port: block.port,
        source_labels: Labels::from(block.source_labels),
        source_namespace: block
            .source_namespace
            .filter(|namespace| !namespace.is_empty())
            .map(Into::into),
        gateways: super::gateways(&block.gateways, &format!("{at}.gateways"), context, report),
    }
}

fn subnets(texts: &[String], at: &str, report: &mut Report) -> Vec<Cidr> {
    let mut subnets = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        match text.parse::<Cidr>() {
            Ok(subnet) if !subnets.contains(&subnet) => subnets.push(subnet),
            Ok(_) => {}
            Err(error) => report.refuse(
                codes::BAD_CONNECTION_MATCH,
                format!("{at}.destinationSubnets[{i}]"),
                error.to_string(),
                "write an address, or a subnet like 10.0.0.0/8",
            ),
        }
    }
    subnets
}

fn convert_route(
    position: usize,
    matches: Vec<ConnectionMatch>,
    to: Vec<istio::ConnectionDestination>,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<ConnectionRoute> {
    if to.is_empty() {
        report.refuse(
            codes::BAD_DESTINATION,
            format!("{at}.route"),
            "the route has no destination",
            "name the service that connections go to",
        );
        return None;
    }
    let to: Vec<istio::RouteDestination> = to.into_iter().map(destination).collect();
    let weights = destination::weights(&to, at, report);
    let mut converted = Vec::new();
    for (i, (to, weight)) in to.iter().zip(weights).enumerate() {
        let at = format!("{at}.route[{i}]");
        // One without a share is checked like the others: Envoy refuses a weight of 0.
        let field = format!("{at}.destination");
        let destination = destination::convert(to.destination.as_ref(), &field, context, report);
        if let Some(destination) = destination
            && weight > 0
        {
            converted.push(ConnectionDestination {
                destination,
                weight,
            });
        }
    }
    Some(ConnectionRoute {
        position,
        matches,
        to: converted,
    })
}

fn destination(to: istio::ConnectionDestination) -> istio::RouteDestination {
    istio::RouteDestination {
        destination: to.destination,
        weight: to.weight,
        ..Default::default()
    }
}

/// Whether there is anything to route.
pub(super) fn routes_nothing(service: &VirtualService) -> bool {
    service.http.is_empty() && service.tls.is_empty() && service.tcp.is_empty()
}
