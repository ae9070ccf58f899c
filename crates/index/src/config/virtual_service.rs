//! `VirtualService` to routes.

mod action;
mod answer;
mod connections;
mod cors;
mod destination;
mod duration;
mod fault;
mod headers;
mod matches;
mod mirror;
mod outline;
mod retries;

pub(crate) use retries::is_condition as is_retry_condition;

mod rewrite;
mod share;

use api::istio;
use model::Hostname;
use model::route::{GatewayRef, VirtualService};

use super::object::Context;
use super::{export, names, reference};
use crate::codes;
use crate::delegation::{Root, Step};
use crate::report::Report;

/// What a document became.
pub(super) enum Converted {
    Whole(VirtualService),
    /// It delegates; its routes are known once those of the others are.
    Root(Root),
    /// It has no hosts and is for others to delegate to.
    Delegate(VirtualService),
}

pub(super) fn convert(
    spec: istio::VirtualService,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Converted> {
    let is_delegate = spec.hosts.is_empty()
        && spec.gateways.is_empty()
        && spec.tls.is_empty()
        && spec.tcp.is_empty()
        && !spec.http.is_empty();
    let hosts = match is_delegate {
        true => Vec::new(),
        false => hosts(&spec.hosts, context, report),
    };
    let gateways = gateways(&spec.gateways, "spec.gateways", context, report);
    let gateways = match gateways.is_empty() {
        true => vec![GatewayRef::Mesh],
        false => gateways,
    };
    check_mesh_hosts(&hosts, &gateways, report);
    let tls = connections::tls(spec.tls, &hosts, context, report);
    let tcp = connections::tcp(spec.tcp, context, report);
    check_gateways(&spec.http, &gateways, is_delegate, context, report);
    let steps: Vec<Option<Step>> = spec
        .http
        .into_iter()
        .enumerate()
        .map(|(position, route)| outline::step(position, route, is_delegate, context, report))
        .collect();
    let steps: Vec<Step> = steps.into_iter().collect::<Option<_>>()?;
    let default = &context.mesh.default_exports.virtual_services;
    let export_to = export::read(&spec.export_to, default, context, report);
    let service = VirtualService {
        object: reference(&context.object.key),
        hosts,
        gateways,
        http: Vec::new(),
        tls: tls?,
        tcp: tcp?,
        export_to,
    };
    if steps.is_empty() && connections::routes_nothing(&service) {
        without_routes(report);
    }
    Some(Root { service, steps }.settle(is_delegate, report))
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
            tell_overlap(&host, &hosts, field, report);
            hosts.push(host);
        }
    }
    hosts
}

/// Both are routed alike, so the narrower name says nothing. Istio refuses such a list.
fn tell_overlap(host: &Hostname, others: &[Hostname], field: String, report: &mut Report) {
    let meets = |other: &&Hostname| host.covers(other) || other.covers(host);
    if let Some(other) = others.iter().find(meets) {
        report.warn(
            codes::BAD_HOST,
            field,
            format!("{host} and {other} stand for the same names"),
            "the wider of the two counts; both have the same routes",
            "keep the wider one",
        );
    }
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

/// A condition for a gateway that the object as a whole is not for.
fn check_gateways(
    routes: &[istio::HttpRoute],
    own: &[GatewayRef],
    is_delegate: bool,
    context: &Context<'_>,
    report: &mut Report,
) {
    if is_delegate {
        return;
    }
    for (position, route) in routes.iter().enumerate() {
        for (i, block) in route.r#match.iter().enumerate() {
            let at = format!("spec.http[{position}].match[{i}].gateways");
            let named = gateways(&block.gateways, &at, context, report);
            if !named.is_empty() && !named.iter().any(|gateway| own.contains(gateway)) {
                report.warn(
                    codes::NO_EFFECT,
                    at,
                    "the virtual service as a whole is not for these gateways",
                    "the condition holds nowhere",
                    "name the gateways in spec.gateways as well; mesh stands for all sidecars",
                );
            }
        }
    }
}

// === impl Root ===

impl Root {
    fn settle(self, is_delegate: bool, report: &mut Report) -> Converted {
        let Root { mut service, steps } = self;
        if steps.iter().any(|step| matches!(step, Step::Delegate(_))) {
            return Converted::Root(Root { service, steps });
        }
        let routes = steps.into_iter().filter_map(|step| match step {
            Step::Route(route) => Some(*route),
            Step::Delegate(_) => None,
        });
        service.http = routes.collect();
        crate::shadow::check(&service.http, report);
        match is_delegate {
            true => Converted::Delegate(service),
            false => Converted::Whole(service),
        }
    }
}
