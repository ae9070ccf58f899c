//! `VirtualService` to routes.

mod action;
mod connections;
mod fault;
mod headers;
mod matches;

use api::istio;
use model::route::{GatewayRef, HttpRoute, Retries, VirtualService};
use model::{ExportTo, Hostname};

use super::object::Context;
use super::{names, reference};
use crate::codes;
use crate::report::Report;

pub(super) fn convert(
    spec: istio::VirtualService,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<VirtualService> {
    let hosts = hosts(&spec.hosts, context, report);
    let gateways = gateways(&spec.gateways, "spec.gateways", context, report);
    let gateways = match gateways.is_empty() {
        true => vec![GatewayRef::Mesh],
        false => gateways,
    };
    check_mesh_hosts(&hosts, &gateways, report);
    let tls = connections::tls(spec.tls, &hosts, context, report);
    let tcp = connections::tcp(spec.tcp, context, report);
    let http: Vec<Option<HttpRoute>> = spec
        .http
        .into_iter()
        .enumerate()
        .map(|(position, route)| convert_route(position, route, context, report))
        .collect();
    let service = VirtualService {
        object: reference(&context.object.key),
        hosts,
        gateways,
        http: http.into_iter().collect::<Option<_>>()?,
        tls: tls?,
        tcp: tcp?,
        export_to: ExportTo::All,
    };
    if connections::routes_nothing(&service) {
        without_routes(report);
    }
    Some(service)
}

fn hosts(texts: &[String], context: &Context<'_>, report: &mut Report) -> Vec<Hostname> {
    if texts.is_empty() {
        report.refuse(
            codes::NO_HOSTS,
            "spec.hosts",
            "the virtual service has no hosts",
            "name the hosts whose requests it routes",
        );
    }
    let mut hosts = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let field = format!("spec.hosts[{i}]");
        let Some(host) = names::host(text, &field, context, report) else {
            continue;
        };
        if hosts.contains(&host) {
            report.warn(
                codes::BAD_HOST,
                field,
                format!("{host} is named twice"),
                "it counts once",
                "remove it here",
            );
        } else {
            hosts.push(host);
        }
    }
    hosts
}

fn gateways(
    texts: &[String],
    field: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<GatewayRef> {
    let mut gateways = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let field = format!("{field}[{i}]");
        if let Some(gateway) = names::gateway(text, &field, context, report)
            && !gateways.contains(&gateway)
        {
            gateways.push(gateway);
        }
    }
    gateways
}

/// As Istio: on the mesh, `*` would take over the traffic of every service.
fn check_mesh_hosts(hosts: &[Hostname], gateways: &[GatewayRef], report: &mut Report) {
    if !gateways.contains(&GatewayRef::Mesh) {
        return;
    }
    if let Some(i) = hosts.iter().position(|host| host.as_str() == "*") {
        report.refuse(
            codes::BAD_HOST,
            format!("spec.hosts[{i}]"),
            "the host \"*\" is not allowed on the mesh, where it would take over every service",
            "list the gateways it is meant for in spec.gateways, or name the hosts",
        );
    }
}

fn without_routes(report: &mut Report) {
    report.refuse(
        codes::ROUTE_ACTION,
        "spec.http",
        "the virtual service has no routes",
        "add a route with a destination, under http, tls or tcp, or delete the object",
    );
}

fn convert_route(
    position: usize,
    route: istio::HttpRoute,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<HttpRoute> {
    let at = format!("spec.http[{position}]");
    let action = action::convert(&route, &at, context, report);
    let matches = route
        .r#match
        .into_iter()
        .enumerate()
        .map(|(i, block)| matches::convert(block, &format!("{at}.match[{i}]"), context, report))
        .collect();
    let (headers, response_headers) =
        headers::convert(route.headers.unwrap_or_default(), &at, report);
    let rewrite = route
        .rewrite
        .and_then(|rewrite| action::rewrite(rewrite, &format!("{at}.rewrite"), report));
    Some(HttpRoute {
        position,
        name: route.name.filter(|name| !name.is_empty()),
        matches,
        rewrite,
        // Zero switches the timeout off, like its absence.
        timeout: route.timeout.filter(|timeout| !timeout.is_zero()),
        retries: route
            .retries
            .map(|retries| convert_retries(retries, &format!("{at}.retries"), report)),
        fault: route
            .fault
            .map(|fault| fault::convert(fault, &format!("{at}.fault"), report))
            .unwrap_or_default(),
        headers,
        response_headers,
        action: action?,
    })
}

/// The conditions of Envoy's router filter; it would pass over unknown ones in silence.
const RETRY_ON: &[&str] = &[
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

fn convert_retries(retries: istio::Retries, at: &str, report: &mut Report) -> Retries {
    let text = retries.retry_on.unwrap_or_default();
    let tokens: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .collect();
    let is_known = |token: &&str| {
        RETRY_ON.contains(token) || token.parse().is_ok_and(|n: u16| (100..=599).contains(&n))
    };
    for token in tokens.iter().filter(|token| !is_known(token)) {
        report.refuse(
            codes::BAD_RETRIES,
            format!("{at}.retryOn"),
            format!("{token:?} is not a condition for retries"),
            format!("use status codes or some of {}", RETRY_ON.join(", ")),
        );
    }
    Retries {
        attempts: retries.attempts.unwrap_or(0),
        per_try_timeout: retries.per_try_timeout.filter(|t| !t.is_zero()),
        retry_on: (!tokens.is_empty()).then(|| tokens.join(",")),
    }
}
