//! Hosts of virtual services that no server of their gateways lets in.

use model::route::{GatewayRef, VirtualService};
use model::{Gateway, Hostname};

use super::{Known, routes};
use crate::codes;
use crate::report::Report;

// === impl Known ===

impl Known<'_> {
    pub(super) fn check_hosts(&self, service: &VirtualService, report: &mut Report) {
        if service.gateways.contains(&GatewayRef::Mesh) {
            return;
        }
        let references = service.gateways.iter();
        let own = references.filter_map(|reference| routes::gateway(reference, self));
        let own: Vec<&Gateway> = own.collect();
        // A gateway that does not exist is another finding.
        if own.is_empty() {
            return;
        }
        for (i, host) in service.hosts.iter().enumerate() {
            if own.iter().any(|gateway| serves(gateway, host, service)) {
                continue;
            }
            report.warn(
                codes::HOST_NOT_SERVED,
                format!("spec.hosts[{i}]"),
                format!("no server of its gateways has a host that {host} is within"),
                "requests for the host do not get to these routes",
                "add the host to a server of the gateway, or correct it here",
            );
        }
    }
}

fn serves(gateway: &Gateway, host: &Hostname, service: &VirtualService) -> bool {
    let mut open = gateway.servers.iter().flat_map(|server| &server.hosts);
    open.any(|open| {
        let namespace = open.namespace.as_ref();
        let admitted = namespace.is_none_or(|name| *name == service.object.namespace);
        admitted && host.intersect(&open.host).is_some()
    })
}
