//! What a route does: forward, redirect, respond; and how it rewrites.

use api::istio;
use model::route::{Action, Destination, Redirect, Rewrite, UriRewrite, WeightedDestination};

use super::headers;
use crate::codes;
use crate::config::object::Context;
use crate::config::{names, regex};
use crate::report::Report;

/// Envoy's limit for the body of a direct response, as set in each route configuration.
const BODY_MAX: usize = 1024 * 1024;

pub(super) fn convert(
    route: &istio::HttpRoute,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Action> {
    if route
        .delegate
        .as_ref()
        .is_some_and(|value| !value.is_null())
    {
        report.refuse(
            codes::NOT_SUPPORTED,
            format!("{at}.delegate"),
            "delegation to another virtual service is not supported yet",
            "put the routes of the delegate here",
        );
        return None;
    }
    check_companions(route, at, report);
    match (
        route.route.as_slice(),
        &route.redirect,
        &route.direct_response,
    ) {
        ([], Some(redirect), None) => convert_redirect(redirect, &format!("{at}.redirect"), report),
        ([], None, Some(response)) => respond(response, &format!("{at}.directResponse"), report),
        ([], None, None) => refuse_count("the route has no action", at, report),
        (destinations, None, None) => forward(destinations, at, context, report),
        _ => refuse_count("the route has several actions", at, report),
    }
}

fn refuse_count(why: &str, at: &str, report: &mut Report) -> Option<Action> {
    let remedy = "give it exactly one of route, redirect and directResponse";
    report.refuse(codes::ROUTE_ACTION, at, why, remedy);
    None
}

/// Envoy has no place for these beside a redirect or direct response; Istio refuses them, too.
fn check_companions(route: &istio::HttpRoute, at: &str, report: &mut Report) {
    let own = match (&route.redirect, &route.direct_response) {
        (Some(_), _) => "redirect",
        (None, Some(_)) => "directResponse",
        (None, None) => return,
    };
    let is_redirect = route.redirect.is_some();
    for (present, name) in [
        (route.rewrite.is_some(), "rewrite"),
        (route.fault.is_some() && is_redirect, "fault"),
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
}

fn forward(
    destinations: &[istio::RouteDestination],
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Action> {
    let weights = weights(destinations, at, report);
    let mut forward = Vec::new();
    for (i, (destination, weight)) in destinations.iter().zip(weights).enumerate() {
        let at = format!("{at}.route[{i}]");
        let converted = convert_destination(destination, &at, context, report);
        let (headers, response_headers) =
            headers::convert(destination.headers.clone().unwrap_or_default(), &at, report);
        // A destination without any share is checked like the others, and then left out.
        if let Some(destination) = converted
            && weight > 0
        {
            forward.push(WeightedDestination {
                destination,
                weight,
                headers,
                response_headers,
            });
        }
    }
    Some(Action::Forward(forward))
}

/// A single destination gets everything, whatever its weight.
pub(super) fn weights(
    destinations: &[istio::RouteDestination],
    at: &str,
    report: &mut Report,
) -> Vec<u32> {
    let weights: Vec<u32> = destinations.iter().map(|d| d.weight.unwrap_or(0)).collect();
    if let [weight] = *weights {
        return vec![if weight == 0 { 100 } else { weight }];
    }
    let sum: u64 = weights.iter().map(|w| u64::from(*w)).sum();
    let field = format!("{at}.route");
    match sum {
        0 => report.refuse(
            codes::BAD_WEIGHTS,
            field,
            "the weights of the destinations add up to 0",
            "give each destination its share; together they should make 100",
        ),
        100 => {}
        // Envoy adds them up in 32 bits.
        sum if sum > u64::from(u32::MAX) => report.refuse(
            codes::BAD_WEIGHTS,
            field,
            format!("the weights add up to {sum}"),
            "give each destination its share of 100",
        ),
        sum => report.warn(
            codes::WEIGHT_SUM,
            field,
            format!("the weights add up to {sum}, not 100"),
            "each destination gets its part of the sum",
            "let the weights add up to 100, as Istio 1.0 demands",
        ),
    }
    weights
}

pub(super) fn convert_destination(
    route: &istio::RouteDestination,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Destination> {
    let at = format!("{at}.destination");
    let Some(destination) = &route.destination else {
        let remedy = "name the service that requests go to, in destination.host";
        report.refuse(
            codes::BAD_DESTINATION,
            at,
            "the destination is missing",
            remedy,
        );
        return None;
    };
    let field = format!("{at}.host");
    if destination.host.is_empty() {
        let remedy = "name the service that requests go to";
        report.refuse(
            codes::BAD_DESTINATION,
            field,
            "the destination has no host",
            remedy,
        );
        return None;
    }
    let host = names::host(&destination.host, &field, context, report)?;
    // A wildcard with a suffix can be the host of a service; the lone star cannot.
    if host.as_str() == "*" {
        let why = "requests cannot go to \"*\"";
        report.refuse(codes::BAD_DESTINATION, field, why, "name one service");
        return None;
    }
    let subset = destination.subset.clone().filter(|name| !name.is_empty());
    if let Some(name) = subset.as_ref().filter(|name| !names::is_subset(name)) {
        report.refuse(
            codes::BAD_SUBSET,
            format!("{at}.subset"),
            format!("{name:?} is not a name for a subset"),
            "use letters, digits and inner hyphens",
        );
    }
    let port = destination.port.as_ref().and_then(|port| port.number);
    if destination.port.is_some() && port.is_none_or(|number| number == 0) {
        report.refuse(
            codes::BAD_DESTINATION,
            format!("{at}.port.number"),
            "the port has no number",
            "set it to a number from 1 to 65535, or remove the port",
        );
    }
    Some(Destination { host, subset, port })
}

fn convert_redirect(redirect: &istio::Redirect, at: &str, report: &mut Report) -> Option<Action> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let code = redirect.redirect_code.unwrap_or(301);
    let converted = Redirect {
        path: given(&redirect.uri),
        authority: given(&redirect.authority),
        scheme: given(&redirect.scheme),
        port: redirect.port.filter(|port| *port != 0),
        code: u16::try_from(code).unwrap_or(0),
    };
    let mut refuse = |field: String, why: String, remedy| {
        report.refuse(codes::BAD_RESPONSE, field, why, remedy);
    };
    if !matches!(converted.code, 301 | 302 | 303 | 307 | 308) {
        let why = format!("{code} is not a redirect that Envoy can send");
        refuse(
            format!("{at}.redirectCode"),
            why,
            "use 301, 302, 303, 307 or 308",
        );
    }
    if let Some(scheme) = converted
        .scheme
        .as_ref()
        .filter(|s| !matches!(s.as_str(), "http" | "https"))
    {
        let why = format!("{scheme:?} is not a scheme to redirect to");
        refuse(format!("{at}.scheme"), why, "use http or https");
    }
    let unchanged = Redirect {
        code: converted.code,
        ..Redirect::default()
    };
    if converted == unchanged {
        let why = "the redirect changes nothing, so clients would come back for ever".to_owned();
        refuse(at.to_owned(), why, "set uri, authority, scheme or port");
    }
    Some(Action::Redirect(converted))
}

fn respond(response: &istio::DirectResponse, at: &str, report: &mut Report) -> Option<Action> {
    let body = response.body.as_ref().and_then(|body| body.string.clone());
    if body.as_ref().is_some_and(|body| body.len() > BODY_MAX) {
        report.refuse(
            codes::BAD_RESPONSE,
            format!("{at}.body"),
            "the body is longer than 1 MiB",
            "shorten it, or let a service answer",
        );
    }
    let status = response
        .status
        .and_then(|status| u16::try_from(status).ok());
    let Some(status) = status.filter(|status| (200..=599).contains(status)) else {
        report.refuse(
            codes::BAD_RESPONSE,
            format!("{at}.status"),
            "the response has no status between 200 and 599",
            "set the status that clients shall get, such as 503",
        );
        return None;
    };
    Some(Action::Respond { status, body })
}

pub(super) fn rewrite(rewrite: istio::Rewrite, at: &str, report: &mut Report) -> Option<Rewrite> {
    let authority = rewrite.authority.filter(|text| !text.is_empty());
    let prefix = rewrite.uri.filter(|text| !text.is_empty());
    let uri = match (prefix, rewrite.uri_regex_rewrite) {
        (Some(_), Some(_)) => {
            let why = "uri and uriRegexRewrite are both given";
            report.refuse(codes::BAD_REWRITE, at, why, "keep one of the two");
            return None;
        }
        (Some(prefix), None) => Some(UriRewrite::Prefix(prefix)),
        (None, Some(rule)) => {
            let checked = regex::check(&rule.r#match)
                .and_then(|groups| regex::check_substitution(&rule.rewrite, groups));
            if let Err(why) = checked {
                let field = format!("{at}.uriRegexRewrite");
                report.refuse(codes::BAD_REGEX, field, why, super::matches::REGEX_REMEDY);
            }
            Some(UriRewrite::Regex {
                pattern: rule.r#match,
                substitution: rule.rewrite,
            })
        }
        (None, None) => None,
    };
    if uri.is_none() && authority.is_none() {
        let why = "the rewrite changes nothing";
        report.refuse(
            codes::BAD_REWRITE,
            at,
            why,
            "set uri, uriRegexRewrite or authority",
        );
    }
    Some(Rewrite { uri, authority })
}
