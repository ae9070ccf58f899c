//! Patches of route configurations, virtual hosts and routes.

use model::envoy_filter::{Patch, RouteAction, RoutesMatch, Target};
use prost_reflect::{DynamicMessage, Value};

use super::list::{End, edit};
use super::merge::{Lists, merge};
use super::value::{list, text};
use super::{Applied, Outcome};

/// Whether a patch is for routes, which inbound listeners hold themselves.
pub(super) fn is_inline(patch: &Patch) -> bool {
    matches!(
        patch.target,
        Target::RouteConfiguration | Target::VirtualHost | Target::HttpRoute
    )
}

/// The port is that of the listener, where the routes are part of one.
pub(super) fn change(
    routes: &mut DynamicMessage,
    port: Option<u32>,
    applied: Applied<'_>,
) -> Outcome {
    let wanted = &applied.patch.routes;
    if !named(wanted, routes, port) {
        return Outcome::Nothing;
    }
    match applied.patch.target {
        Target::RouteConfiguration => {
            let value = applied.value.into_iter();
            value
                .map(|value| merge(routes, value, Lists::of(applied.patch.operation)))
                .count()
                > 0
        }
        Target::VirtualHost => list(routes, "virtual_hosts")
            .is_some_and(|hosts| edit(hosts, applied, End::Last, |host| host_fits(wanted, host))),
        _ => in_hosts(routes, applied),
    }
    .into()
}

fn named(wanted: &RoutesMatch, routes: &DynamicMessage, port: Option<u32>) -> bool {
    let name = text(routes, "name");
    let port = port.or_else(|| port_of(&name));
    let by_port = |wanted: u16| port == Some(u32::from(wanted));
    wanted.name.as_ref().is_none_or(|wanted| **wanted == *name)
        && wanted.port.is_none_or(by_port)
        && decrypted(wanted, &name)
}

/// Only routes behind TLS have the names of a port and of a gateway in their own, as in Istio; others
/// have neither.
fn decrypted(wanted: &RoutesMatch, name: &str) -> bool {
    if wanted.port_name.is_none() && wanted.gateway.is_none() {
        return true;
    }
    let Some((_, owner)) = name
        .strip_prefix("https.")
        .and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    let port = wanted.port_name.as_ref();
    let gateway = wanted
        .gateway
        .as_ref()
        .map(|(ns, name)| format!("{name}.{ns}"));
    match (port, gateway) {
        (Some(port), Some(gateway)) => owner == format!("{port}.{gateway}"),
        (Some(port), None) => owner.starts_with(&format!("{port}.")),
        (None, Some(gateway)) => owner.ends_with(&format!(".{gateway}")),
        (None, None) => true,
    }
}

/// `9080`, `http.80`, `https.443.…`
fn port_of(name: &str) -> Option<u32> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        [port] | ["http" | "https", port, ..] => port.parse().ok(),
        _ => None,
    }
}

fn host_fits(wanted: &RoutesMatch, host: &DynamicMessage) -> bool {
    let name = text(host, "name");
    let domains = host.get_field_by_name("domains");
    let domains = domains.as_ref().and_then(|value| value.as_list());
    let has = |wanted: &str| {
        let mut domains = domains.into_iter().flatten().filter_map(Value::as_str);
        domains.any(|domain| domain == wanted)
    };
    wanted
        .virtual_host
        .as_ref()
        .is_none_or(|wanted| **wanted == *name)
        && wanted.domain.as_ref().is_none_or(|domain| has(domain))
}

fn in_hosts(routes: &mut DynamicMessage, applied: Applied<'_>) -> bool {
    let wanted = &applied.patch.routes;
    let mut changed = false;
    let hosts = list(routes, "virtual_hosts").into_iter().flatten();
    for host in hosts.filter_map(Value::as_message_mut) {
        if host_fits(wanted, host)
            && let Some(list) = list(host, "routes")
        {
            changed |= edit(list, applied, End::Last, |route| route_fits(wanted, route));
        }
    }
    changed
}

fn route_fits(wanted: &RoutesMatch, route: &DynamicMessage) -> bool {
    let name = text(route, "name");
    let action = wanted.action.is_none_or(|action| {
        route.has_field_by_name(match action {
            RouteAction::Route => "route",
            RouteAction::Redirect => "redirect",
            RouteAction::DirectResponse => "direct_response",
        })
    });
    action && wanted.route.as_ref().is_none_or(|wanted| **wanted == *name)
}
