//! Findings that concern several objects: references that lead nowhere, hosts that are taken.
//!
//! They are warnings. The objects are in force as they are: what is missing may come later, and
//! then no object needs to change for it.

mod authentication;
mod edge;
mod gateways;
mod policies;
mod rules;
mod sidecars;
mod transport;

use std::collections::BTreeMap;

use model::route::{Destination, GatewayRef, PortRef, VirtualService};
use model::{DestinationRule, Diagnostic, Gateway, Hostname, Service, World};

use crate::codes;
use crate::report::Report;
use crate::ruling::{Placed, Ruling};

pub(crate) use authentication::of_policies;
pub(crate) use rules::RuleFindings;
pub(crate) use sidecars::of_views;
pub(crate) use transport::TransportFindings;

/// What virtual services refer to, and what they compete for.
pub(crate) fn of_routes(ruling: &Ruling, world: &World) -> Vec<Diagnostic> {
    let gateways = ruling.gateways.iter().map(|g| &*g.value);
    let known = Known {
        world,
        aliases: aliases(world),
        rules: &ruling.destination_rules,
        gateways: gateways
            .map(|g| ((&*g.object.namespace, &*g.object.name), g))
            .collect(),
    };
    let mut owner_by_host = BTreeMap::new();
    let mut all = Vec::new();
    for placed in &ruling.virtual_services {
        let service = &placed.value;
        let mut report = Report::new(service.object.clone(), placed.location.clone(), "");
        check_owners(service, &mut owner_by_host, &mut report);
        known.check_gateways(&service.gateways, "spec.gateways", &mut report);
        known.check_hosts(service, &mut report);
        for route in &service.http {
            // What comes from a delegate stands in another document.
            let of_delegate = |delegate| format!("{delegate} spec.http[{}]", route.position);
            let own = || format!("spec.http[{}]", route.position);
            let at = route.delegate.as_ref().map_or_else(own, of_delegate);
            for (i, block) in route.matches.iter().enumerate() {
                let field = format!("{at}.match[{i}].gateways");
                known.check_gateways(&block.gateways, &field, &mut report);
            }
            for destination in route.destinations() {
                known.check_port(service, destination, &at, &mut report);
                known.check_destination(destination, &at, &mut report);
            }
        }
        known.check_connections(service, &mut report);
        all.extend(report.into_diagnostics());
    }
    all
}

/// Gateways that no instance would serve.
pub(crate) fn of_gateways(gateways: &[Placed<Gateway>], world: &World) -> Vec<Diagnostic> {
    let mut all = gateways::together(gateways);
    for placed in gateways {
        let gateway = &placed.value;
        if world
            .instances
            .values()
            .any(|i| gateway.selector.selects(&i.labels))
        {
            let mut report = Report::new(gateway.object.clone(), placed.location.clone(), "");
            gateways::exposed(gateway, world, &mut report);
            all.extend(report.into_diagnostics());
            continue;
        }
        let selector: Vec<String> = gateway
            .selector
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let mut report = Report::new(gateway.object.clone(), placed.location.clone(), "");
        report.warn(
            codes::IDLE_GATEWAY,
            "spec.selector",
            format!(
                "no instance in the mesh has the labels {}",
                selector.join(", ")
            ),
            "nothing listens for this gateway",
            "start a gateway workload with these labels, or correct the selector",
        );
        all.extend(report.into_diagnostics());
    }
    all
}

struct Known<'a> {
    world: &'a World,
    aliases: BTreeMap<&'a Hostname, &'a Service>,
    rules: &'a [Placed<DestinationRule>],
    gateways: BTreeMap<(&'a str, &'a str), &'a Gateway>,
}

fn aliases(world: &World) -> BTreeMap<&Hostname, &Service> {
    let services = world.services.values();
    let pairs =
        services.flat_map(|service| service.aliases.iter().map(|alias| (alias, &**service)));
    pairs.collect()
}

// === impl Known ===

impl Known<'_> {
    fn check_gateways(&self, gateways: &[GatewayRef], field: &str, report: &mut Report) {
        for gateway in gateways {
            let GatewayRef::Gateway { namespace, name } = gateway else {
                continue;
            };
            if !self.gateways.contains_key(&(&**namespace, &**name)) {
                report.warn(
                    codes::UNKNOWN_GATEWAY,
                    field,
                    format!("there is no gateway {namespace}/{name}"),
                    "the routes do not apply there until it exists",
                    "create the gateway, or correct its name",
                );
            }
        }
    }

    fn check_connections(&self, service: &VirtualService, report: &mut Report) {
        let tls = service.tls.iter().map(|route| ("tls", route));
        let tcp = service.tcp.iter().map(|route| ("tcp", route));
        for (key, route) in tls.chain(tcp) {
            let at = format!("spec.{key}[{}]", route.position);
            for (i, condition) in route.matches.iter().enumerate() {
                let field = format!("{at}.match[{i}].gateways");
                self.check_gateways(&condition.gateways, &field, report);
            }
            for to in &route.to {
                self.check_destination(&to.destination, &at, report);
            }
            policies::check_terms(self.world, &self.aliases, route, &at, report);
        }
    }

    fn check_destination(&self, destination: &Destination, at: &str, report: &mut Report) {
        let host = &destination.host;
        if !self.world.services.contains_key(host) && !self.aliases.contains_key(host) {
            let near = nearest(
                host.as_str(),
                self.world.services.keys().map(Hostname::as_str),
            );
            report.warn(
                codes::UNKNOWN_HOST,
                format!("{at}.route.destination.host"),
                format!("no workload of the mesh provides {host}"),
                "requests that are routed there are answered with 503",
                match near {
                    Some(near) => format!("did you mean {near}?"),
                    None => "deploy a workload with that name in its label istio".to_owned(),
                },
            );
        }
        let Some(subset) = &destination.subset else {
            return;
        };
        let rule = self.rule(host);
        // In each namespace another rule can be the one of the host.
        let names = || {
            let rules = self.rules.iter().map(|placed| &*placed.value);
            rules
                .filter(|other| rule.is_some_and(|rule| rule.host == other.host))
                .flat_map(|rule| &rule.subsets)
                .map(|s| s.name.as_str())
        };
        if names().any(|name| name == subset) {
            return;
        }
        let defined = match rule {
            Some(rule) => format!(
                "{} defines {}",
                rule.object,
                names().collect::<Vec<_>>().join(", ")
            ),
            None => format!("no DestinationRule has the host {host}"),
        };
        report.warn(
            codes::UNKNOWN_SUBSET,
            format!("{at}.route.destination.subset"),
            format!("the subset {subset:?} of {host} is not defined: {defined}"),
            "requests that are routed there are answered with 503",
            match nearest(subset, names()) {
                Some(near) => {
                    format!("did you mean {near}? Otherwise add the subset to a DestinationRule")
                }
                None => "add the subset to a DestinationRule of the host".to_owned(),
            },
        );
    }

    /// The port is one that the service has; without one, there is no choice.
    fn check_port(
        &self,
        by: &VirtualService,
        destination: &Destination,
        at: &str,
        report: &mut Report,
    ) {
        let named = self.world.services.get(&destination.host).map(|s| &**s);
        let found = named.or_else(|| self.aliases.get(&destination.host).copied());
        let Some(service) = found else { return };
        // Requests for the service itself, which keep their port.
        let mut names = std::iter::once(&service.host).chain(&service.aliases);
        let own = by.gateways == [GatewayRef::Mesh]
            && names.any(|name| by.hosts.iter().any(|host| host.covers(name)));
        let numbers: Vec<String> = service.ports.iter().map(|p| p.number.to_string()).collect();
        let (has, told) = match &destination.port {
            None if service.ports.len() > 1 && !own => {
                return open(destination, &numbers, at, report);
            }
            None => return,
            Some(PortRef::Number(n)) => {
                (service.ports.iter().any(|p| p.number == *n), n.to_string())
            }
            Some(PortRef::Name(name)) => (
                service.ports.iter().any(|p| p.name == *name),
                name.to_string(),
            ),
        };
        if !has {
            report.warn(
                codes::UNKNOWN_PORT,
                format!("{at}.route.destination.port"),
                format!("{} has no port {told}", destination.host),
                "requests that are routed there are answered with 503",
                format!("use one of {}", numbers.join(", ")),
            );
        }
    }

    fn rule(&self, host: &Hostname) -> Option<&DestinationRule> {
        let rules = self.rules.iter().map(|placed| &*placed.value);
        rules
            .filter(|rule| rule.host.covers(host))
            .max_by_key(|rule| rule.host.specificity())
    }
}

fn open(destination: &Destination, ports: &[String], at: &str, report: &mut Report) {
    report.warn(
        codes::PORT_OPEN,
        format!("{at}.route.destination"),
        format!(
            "{} has the ports {}, and the destination names none",
            destination.host,
            ports.join(", ")
        ),
        "requests go to the port on which they came, and get 503 where the service has not that one",
        "name the port in destination.port.number",
    );
}

fn check_owners<'a>(
    service: &'a VirtualService,
    owner_by_host: &mut BTreeMap<&'a Hostname, &'a VirtualService>,
    report: &mut Report,
) {
    if !service.gateways.contains(&GatewayRef::Mesh) {
        return;
    }
    for (i, host) in service.hosts.iter().enumerate() {
        let owner = *owner_by_host.entry(host).or_insert(service);
        if owner.object != service.object {
            report.warn(
                codes::HOST_TAKEN,
                format!("spec.hosts[{i}]"),
                format!(
                    "{} is older and already routes {host} on the mesh",
                    owner.object
                ),
                "these routes do not apply to the host on the mesh",
                "put all routes of a host into one virtual service",
            );
        }
    }
}

pub(crate) fn replace(old: &mut Vec<Diagnostic>, new: Vec<Diagnostic>) -> bool {
    let changed = *old != new;
    *old = new;
    changed
}

/// How many edits still make two names alike.
const NEAR: usize = 2;

/// The known name that is at most two edits away.
fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.filter_map(|name| Some((distance(text, name)?, name)));
    scored.min().map(|(_, name)| name)
}

/// The number of insertions, deletions and substitutions between two texts; `None` if there are
/// more than [`NEAR`], which for most names is plain after a few letters.
fn distance(a: &str, b: &str) -> Option<usize> {
    if a.len().abs_diff(b.len()) > NEAR {
        return None;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
        if row.iter().all(|d| *d > NEAR) {
            return None;
        }
    }
    Some(row[b.len()]).filter(|d| *d <= NEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_at_most_two_edits_away() {
        let known = ["reviews", "ratings", "details"];
        assert_eq!(nearest("reviwes", known.into_iter()), Some("reviews"));
        assert_eq!(nearest("rating", known.into_iter()), Some("ratings"));
        assert_eq!(nearest("productpage", known.into_iter()), None);
    }
}
