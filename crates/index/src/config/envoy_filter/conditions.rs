//! Which of the generated things a patch applies to.

use std::sync::Arc;

use api::istio::envoy_filter as spec;
use model::envoy_filter::{
    ChainMatch, ClusterMatch, Context, ListenerMatch, RouteAction, RoutesMatch, Target,
};

use crate::codes;
use crate::report::Report;

#[derive(Default)]
pub(super) struct Conditions {
    pub(super) context: Context,
    pub(super) listener: ListenerMatch,
    pub(super) routes: RoutesMatch,
    pub(super) cluster: ClusterMatch,
}

/// `None`, and told, if the patch can never apply.
pub(super) fn read(
    conditions: spec::PatchMatch,
    target: Target,
    field: &str,
    report: &mut Report,
) -> Option<Conditions> {
    if conditions.proxy.is_some_and(|proxy| is_condition(&proxy)) {
        never(
            report,
            format!("{field}.proxy"),
            "an Envoy that is not of Istio's build tells neither Istio's version nor its metadata",
        );
        return None;
    }
    let kinds = [
        ("listener", conditions.listener.is_some()),
        (
            "routeConfiguration",
            conditions.route_configuration.is_some(),
        ),
        ("cluster", conditions.cluster.is_some()),
    ];
    let wanted = kind(target);
    if let Some((other, _)) = kinds.iter().find(|(kind, there)| *there && *kind != wanted) {
        let why = format!("a patch of this kind is not matched by {other}, but by {wanted}");
        report.refuse(
            codes::BAD_PATCH,
            format!("{field}.{other}"),
            why,
            "match it so",
        );
        return None;
    }
    let routes = conditions.route_configuration.unwrap_or_default();
    Some(Conditions {
        context: context(conditions.context.as_deref(), field, report)?,
        listener: listener(conditions.listener.unwrap_or_default(), field, report),
        routes: self::routes(routes, field, report)?,
        cluster: cluster(conditions.cluster.unwrap_or_default()),
    })
}

/// `proxy: {}` asks nothing.
fn is_condition(proxy: &serde_json::Value) -> bool {
    proxy.as_object().is_none_or(|fields| !fields.is_empty())
}

fn never(report: &mut Report, field: String, why: &str) {
    report.leave_out(
        codes::PATCH_NEVER,
        field,
        why,
        "this patch never applies; the others of the object do",
        "remove this condition",
    );
}

fn kind(target: Target) -> &'static str {
    match target {
        Target::Cluster => "cluster",
        Target::RouteConfiguration | Target::VirtualHost | Target::HttpRoute => {
            "routeConfiguration"
        }
        _ => "listener",
    }
}

fn context(name: Option<&str>, field: &str, report: &mut Report) -> Option<Context> {
    Some(match name.unwrap_or("ANY") {
        "ANY" => Context::Any,
        "SIDECAR_INBOUND" => Context::SidecarInbound,
        "SIDECAR_OUTBOUND" => Context::SidecarOutbound,
        "GATEWAY" => Context::Gateway,
        "WAYPOINT" => {
            never(report, format!("{field}.context"), "there are no waypoints");
            return None;
        }
        other => {
            let why = format!("{other:?} is no context");
            let remedy = "use ANY, SIDECAR_INBOUND, SIDECAR_OUTBOUND or GATEWAY";
            report.refuse(codes::BAD_PATCH, format!("{field}.context"), why, remedy);
            return None;
        }
    })
}

fn listener(listener: spec::ListenerMatch, field: &str, report: &mut Report) -> ListenerMatch {
    if listener.port_name.is_some() {
        report.warn(
            codes::PATCH_FIELD,
            format!("{field}.listener.portName"),
            "listeners are told apart by port number and name",
            "the field has no effect; the rest of the match has",
            "use portNumber",
        );
    }
    let chain = listener.filter_chain.unwrap_or_default();
    let filter = chain.filter.unwrap_or_default();
    let protocols = chain.application_protocols.unwrap_or_default();
    let protocols = protocols.split(',').map(str::trim);
    ListenerMatch {
        port: listener.port_number.filter(|port| *port != 0),
        addresses: Vec::new(),
        name: text(listener.name),
        listener_filter: text(listener.listener_filter),
        chain: ChainMatch {
            name: text(chain.name),
            sni: text(chain.sni),
            transport_protocol: text(chain.transport_protocol),
            application_protocols: protocols
                .filter(|protocol| !protocol.is_empty())
                .map(Into::into)
                .collect(),
            destination_port: chain.destination_port.filter(|port| *port != 0),
        },
        filter: text(filter.name),
        sub_filter: text(filter.sub_filter.and_then(|sub| sub.name)),
    }
}

fn routes(routes: spec::RoutesMatch, field: &str, report: &mut Report) -> Option<RoutesMatch> {
    let gateway = match text(routes.gateway) {
        None => None,
        Some(text) => match text.split_once('/') {
            Some((namespace, name)) => Some((namespace.into(), name.into())),
            None => {
                let field = format!("{field}.routeConfiguration.gateway");
                let why = format!("{text:?} names no namespace");
                let remedy = "write the namespace and the name: default/gateway";
                report.refuse(codes::BAD_PATCH, field, why, remedy);
                return None;
            }
        },
    };
    let host = routes.vhost.unwrap_or_default();
    let route = host.route.unwrap_or_default();
    let action = match route.action.as_deref() {
        None | Some("ANY" | "") => None,
        Some("ROUTE") => Some(RouteAction::Route),
        Some("REDIRECT") => Some(RouteAction::Redirect),
        Some("DIRECT_RESPONSE") => Some(RouteAction::DirectResponse),
        Some(other) => {
            let field = format!("{field}.routeConfiguration.vhost.route.action");
            let why = format!("{other:?} is no action of a route");
            let remedy = "use ANY, ROUTE, REDIRECT or DIRECT_RESPONSE";
            report.refuse(codes::BAD_PATCH, field, why, remedy);
            return None;
        }
    };
    Some(RoutesMatch {
        port: routes.port_number.filter(|port| *port != 0),
        port_name: text(routes.port_name),
        gateway,
        name: text(routes.name),
        virtual_host: text(host.name),
        domain: text(host.domain_name),
        route: text(route.name),
        action,
    })
}

fn cluster(cluster: spec::ClusterMatch) -> ClusterMatch {
    ClusterMatch {
        port: cluster.port_number.filter(|port| *port != 0),
        service: text(cluster.service).filter(|service| **service != *"*"),
        subset: text(cluster.subset),
        name: text(cluster.name),
    }
}

fn text(text: Option<String>) -> Option<Arc<str>> {
    text.filter(|text| !text.is_empty()).map(Into::into)
}
