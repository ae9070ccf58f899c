//! Where requests are forwarded to, and in which shares.

use api::istio;
use model::route::{Destination, PortRef, WeightedDestination};

use super::headers;
use crate::codes;
use crate::config::names;
use crate::config::object::Context;
use crate::report::Report;

/// The destinations with a share.
pub(super) fn forward(
    destinations: &[istio::RouteDestination],
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<WeightedDestination> {
    let weights = weights(destinations, at, report);
    let mut forward = Vec::new();
    for (i, (destination, weight)) in destinations.iter().zip(weights).enumerate() {
        let at = format!("{at}.route[{i}]");
        let field = format!("{at}.destination");
        let converted = convert(destination.destination.as_ref(), &field, context, report);
        let (headers, response_headers) = headers::of_destination(destination, &at, report);
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
    forward
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

/// One destination, of a route or of a mirror.
pub(super) fn convert(
    destination: Option<&istio::Destination>,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Destination> {
    let mut refuse = |field: String, why: &str, remedy: &str| {
        report.refuse(codes::BAD_DESTINATION, field, why, remedy);
    };
    let host = format!("{at}.host");
    let Some(destination) = destination else {
        let remedy = "name the service that requests go to, in destination.host";
        refuse(at.to_owned(), "the destination is missing", remedy);
        return None;
    };
    if destination.host.is_empty() {
        let remedy = "name the service that requests go to";
        refuse(host, "the destination has no host", remedy);
        return None;
    }
    // A wildcard with a suffix can be the host of a service; the lone star cannot.
    if destination.host == "*" {
        refuse(host, "requests cannot go to \"*\"", "name one service");
        return None;
    }
    let host = names::host(&destination.host, &host, context, report)?;
    let subset = destination.subset.clone().filter(|name| !name.is_empty());
    if let Some(name) = subset.as_ref().filter(|name| !names::is_subset(name)) {
        report.refuse(
            codes::BAD_SUBSET,
            format!("{at}.subset"),
            format!("{name:?} is not a name for a subset"),
            "use letters, digits and inner hyphens",
        );
    }
    let port = destination.port.as_ref();
    let port = port.and_then(|port| convert_port(port, &format!("{at}.port"), report));
    Some(Destination { host, subset, port })
}

/// A number, or the name that Istio knew until 1.3.
fn convert_port(port: &istio::PortSelector, at: &str, report: &mut Report) -> Option<PortRef> {
    let name = port.name.as_ref().filter(|name| !name.is_empty());
    let (why, remedy) = match (port.number, name) {
        (Some(number), None) if number > 0 => return Some(PortRef::Number(number)),
        (None, Some(name)) => return Some(PortRef::Name(name.as_str().into())),
        (Some(_), Some(_)) => ("the port has a number and a name", "keep the number"),
        _ => (
            "the port has no number",
            "set it to a number from 1 to 65535, or remove the port",
        ),
    };
    report.refuse(codes::BAD_DESTINATION, format!("{at}.number"), why, remedy);
    None
}
