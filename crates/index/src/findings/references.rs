//! Whether what virtual services refer to exists.

use model::route::{Destination, GatewayRef, PortRef, VirtualService};
use model::{Hostname, Service};

use super::{Known, nearest, policies, routes};
use crate::codes;
use crate::report::Report;

// === impl Known ===

impl<'a> Known<'a> {
    /// The service that has a name, be it an alias.
    pub(super) fn service(&self, host: &Hostname) -> Option<&'a Service> {
        let named = self.world.services.get(host).map(|service| &**service);
        named.or_else(|| self.aliases.get(host, self.world))
    }

    pub(super) fn check_gateways(&self, gateways: &[GatewayRef], field: &str, report: &mut Report) {
        for gateway in gateways {
            let GatewayRef::Gateway { namespace, name } = gateway else {
                continue;
            };
            if routes::gateway(gateway, self).is_none() {
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

    pub(super) fn check_connections(&self, service: &VirtualService, report: &mut Report) {
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
            policies::check_terms(self, route, &at, report);
        }
    }

    pub(super) fn check_destination(
        &self,
        destination: &Destination,
        at: &str,
        report: &mut Report,
    ) {
        let host = &destination.host;
        if self.service(host).is_none() {
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
        // In each namespace another rule can be the one of the host.
        let closest = self.rules.closest(host);
        let rules = || closest.into_iter().flat_map(|host| self.rules.of(host));
        let names = || {
            rules()
                .flat_map(|rule| &rule.subsets)
                .map(|s| s.name.as_str())
        };
        if names().any(|name| name == subset) {
            return;
        }
        let defined = match rules().next_back() {
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
    pub(super) fn check_port(
        &self,
        by: &VirtualService,
        destination: &Destination,
        at: &str,
        report: &mut Report,
    ) {
        let Some(service) = self.service(&destination.host) else {
            return;
        };
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
