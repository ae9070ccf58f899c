//! What a route does: forward, redirect or respond.

use api::istio;
use model::route::Action;

use super::{answer, destination};
use crate::codes;
use crate::config::object::Context;
use crate::report::Report;

pub(super) fn convert(
    route: &istio::HttpRoute,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Action> {
    check_companions(route, at, report);
    match (
        route.route.as_slice(),
        &route.redirect,
        &route.direct_response,
    ) {
        ([], Some(redirect), None) => answer::redirect(redirect, &format!("{at}.redirect"), report),
        ([], None, Some(response)) => {
            answer::respond(response, &format!("{at}.directResponse"), report)
        }
        ([], None, None) => refuse_count("the route has no action", at, report),
        (destinations, None, None) => Some(Action::Forward(destination::forward(
            destinations,
            at,
            context,
            report,
        ))),
        _ => refuse_count("the route has several actions", at, report),
    }
}

fn refuse_count(why: &str, at: &str, report: &mut Report) -> Option<Action> {
    let remedy = "give it exactly one of route, redirect and directResponse";
    report.refuse(codes::ROUTE_ACTION, at, why, remedy);
    None
}

/// Envoy has no place for these beside a redirect or direct response; Istio refuses some, too.
fn check_companions(route: &istio::HttpRoute, at: &str, report: &mut Report) {
    let own = match (&route.redirect, &route.direct_response) {
        (Some(_), _) => "redirect",
        (None, Some(_)) => "directResponse",
        (None, None) => return,
    };
    let is_redirect = route.redirect.is_some();
    let mirrored = route.mirror.is_some() || !route.mirrors.is_empty();
    for (present, name) in [
        (route.rewrite.is_some(), "rewrite"),
        (route.fault.is_some() && is_redirect, "fault"),
        (mirrored && is_redirect, "mirror"),
    ] {
        if present {
            report.refuse(
                codes::ROUTE_ACTION,
                format!("{at}.{name}"),
                format!("{name} has no meaning beside {own}"),
                format!("remove {name}, or forward the request instead"),
            );
        }
    }
    let request = route.headers.as_ref().map(|headers| &headers.request);
    let changed = request.is_some_and(|request| *request != istio::HeaderOperations::default());
    for (present, name) in [
        (route.timeout.is_some(), "timeout"),
        (route.retries.is_some(), "retries"),
        (mirrored && !is_redirect, "mirror"),
        (changed, "headers.request"),
    ] {
        if present {
            report.warn(
                codes::NO_EFFECT,
                format!("{at}.{name}"),
                format!("{name} does nothing beside {own}, for no request is forwarded"),
                "the field has no effect; the rest of the route has",
                format!("remove {name}"),
            );
        }
    }
}
