//! What traffic policies say of ports on which it cannot hold: tunnels of requests, keys of requests
//! for connections, and terms of a connection that no longer can be chosen.

use std::collections::BTreeMap;

use model::route::{ConnectionRoute, Destination, PortRef};
use model::traffic_policy::{HashKey, Terms};
use model::{DestinationRule, Port, Protocol, Service, TrafficPolicy, World};

use super::Known;
use crate::codes::POLICY_FIELD_IGNORED;
use crate::report::Report;

const EFFECT: &str = "the field has no effect there; the rest of the policy has";

/// The ports that a rule is for, each with its service.
type Ports<'a> = Vec<(&'a Service, &'a Port)>;

/// Fields of a rule without effect on some ports or on all.
pub(super) fn check(rule: &DestinationRule, world: &World, report: &mut Report) {
    if rule.is_plain() {
        return;
    }
    let covered: Vec<&Service> = match rule.host.is_wildcard() {
        false => world
            .services
            .get(&rule.host)
            .into_iter()
            .map(|s| &**s)
            .collect(),
        true => {
            let services = world.services.values().map(|service| &**service);
            services.filter(|s| rule.host.covers(&s.host)).collect()
        }
    };
    let ports = covered.into_iter();
    let ports = ports.flat_map(|s| s.ports.iter().map(move |port| (s, port)));
    let ports: Ports<'_> = ports
        .filter(|(_, port)| port.protocol != Protocol::Udp)
        .collect();
    check_tunnels(rule, &ports, report);
    check_level("spec", rule, None, &ports, report);
    for (i, subset) in rule.subsets.iter().enumerate() {
        if !subset.policies.is_empty() {
            let at = format!("spec.subsets[{i}]");
            check_level(&at, rule, Some(&subset.name), &ports, report);
        }
    }
}

/// Envoy tunnels connections, which requests on a port of HTTP no longer are.
fn check_tunnels(rule: &DestinationRule, ports: &Ports<'_>, report: &mut Report) {
    if ports.is_empty() || ports.iter().any(|(_, port)| !port.protocol.is_http()) {
        return;
    }
    let subsets = rule.subsets.iter().enumerate();
    let subsets = subsets.map(|(i, subset)| (format!("spec.subsets[{i}]"), &subset.policies));
    for (at, policies) in std::iter::once(("spec".to_owned(), &rule.policies)).chain(subsets) {
        if policies.all.tunnel.is_some() {
            report.warn(
                POLICY_FIELD_IGNORED,
                format!("{at}.trafficPolicy.tunnel"),
                format!(
                    "{} has ports of HTTP only, and a tunnel is for TCP and TLS",
                    rule.host
                ),
                EFFECT,
                "declare the port as TCP or TLS, or remove the tunnel",
            );
        }
    }
}

/// A connection has no header, cookie or query that could tell the endpoint.
fn check_level(
    at: &str,
    rule: &DestinationRule,
    subset: Option<&str>,
    ports: &Ports<'_>,
    report: &mut Report,
) {
    let mut blind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (service, port) in ports.iter().filter(|(_, port)| !port.protocol.is_http()) {
        let policy = rule.policy(port.number, subset);
        if let Some(field) = policy.hash_key().and_then(of_requests) {
            let named = format!("{}:{}", service.host, port.number);
            blind.entry(field).or_default().push(named);
        }
    }
    for (field, ports) in blind {
        let others = match ports.len() {
            0 | 1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        report.warn(
            POLICY_FIELD_IGNORED,
            format!("{at}.trafficPolicy.loadBalancer.consistentHash.{field}"),
            format!("{}{others} carries connections, not requests", ports[0]),
            "connections there are shared at random; requests on ports of HTTP are hashed",
            "hash connections with useSourceIp, or declare the port as HTTP",
        );
    }
}

fn of_requests(key: &HashKey) -> Option<&'static str> {
    match key {
        HashKey::Header(_) => Some("httpHeaderName"),
        HashKey::Cookie(_) => Some("httpCookie"),
        HashKey::QueryParameter(_) => Some("httpQueryParameterName"),
        HashKey::SourceIp => None,
    }
}

/// A connection is accepted before one of several destinations is drawn: the terms of the first
/// hold for all.
pub(super) fn check_terms(
    known: &Known<'_>,
    route: &ConnectionRoute,
    at: &str,
    report: &mut Report,
) {
    let terms = |to: &Destination| Terms::of(&policy(known, to));
    let Some((first, others)) = route.to.split_first() else {
        return;
    };
    let wanted = terms(&first.destination);
    for other in others {
        let own = terms(&other.destination);
        if own != wanted {
            let to = &other.destination;
            let subset = to
                .subset
                .as_deref()
                .map_or(String::new(), |s| format!(" ({s})"));
            report.warn(
                POLICY_FIELD_IGNORED,
                format!("{at}.route"),
                format!(
                    "{}{subset} has another {} than the first destination, and a connection is \
                     accepted before its destination is drawn",
                    to.host,
                    differing(&wanted, &own)
                ),
                "that of the first destination holds for all of the route",
                "give the destinations of the route the same traffic policy",
            );
        }
    }
}

fn differing(a: &Terms, b: &Terms) -> String {
    let names = [
        (a.idle != b.idle, "tcp.idleTimeout"),
        (a.lifetime != b.lifetime, "tcp.maxConnectionDuration"),
        (a.by_source != b.by_source, "consistentHash.useSourceIp"),
        (a.tunnel != b.tunnel, "tunnel"),
    ];
    let names: Vec<&str> = names
        .iter()
        .filter(|(differs, _)| *differs)
        .map(|(_, name)| *name)
        .collect();
    names.join(", ")
}

fn policy(known: &Known<'_>, to: &Destination) -> TrafficPolicy {
    let Some(service) = known.service(&to.host) else {
        return TrafficPolicy::default();
    };
    let port = match (&to.port, service.ports.as_slice()) {
        (Some(PortRef::Number(number)), _) => *number,
        (Some(PortRef::Name(name)), ports) => {
            let named = ports.iter().find(|port| port.name == *name);
            named.map_or(0, |port| port.number)
        }
        (None, [only]) => only.number,
        (None, _) => 0,
    };
    let rule = known.rules.of_service(service, known.world);
    rule.map(|rule| rule.policy(port, to.subset.as_deref()))
        .unwrap_or_default()
}
