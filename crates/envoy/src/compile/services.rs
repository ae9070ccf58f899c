//! The clusters of services and what is behind them, as every proxy needs them.

use model::{Labels, Mesh, Port, Protocol, Proxy, Service};

use super::connect_timeout;
use super::output::Output;
use crate::cluster::{self, OutboundKey};
use crate::endpoint::{self, AssignmentKey};
use crate::registry::Registry;

/// For each port of each service: one cluster, and one more for each subset.
pub(super) fn clusters(registry: &Registry<'_>, mesh: &Mesh, proxy: &Proxy, output: &mut Output) {
    for service in registry.services() {
        let rule = registry.rule(&service.host);
        let subsets = rule.map_or(&[][..], |rule| &rule.subsets);
        for port in ports(service) {
            let mut add = |subset| cluster(registry, mesh, proxy, (service, port, subset), output);
            add(None);
            for subset in subsets {
                add(Some((subset.name.as_str(), &subset.labels)));
            }
        }
    }
}

/// The ports that are served at all. Envoy's listeners for UDP need more than a port.
pub(super) fn ports(service: &Service) -> impl Iterator<Item = &Port> {
    let ports = service.ports.iter();
    ports.filter(|port| port.protocol != Protocol::Udp)
}

type Target<'a> = (&'a Service, &'a Port, Option<(&'a str, &'a Labels)>);

fn cluster(
    registry: &Registry<'_>,
    mesh: &Mesh,
    proxy: &Proxy,
    (service, port, subset): Target<'_>,
    output: &mut Output,
) {
    let cluster = cluster::outbound(&OutboundKey {
        host: &service.host,
        port: port.number,
        subset: subset.map(|(name, _)| name),
        http2: port.protocol.is_http2(),
        connect_timeout: connect_timeout(mesh),
    });
    output.cluster(&cluster);
    output.assignment(&endpoint::assignment(&AssignmentKey {
        cluster: &cluster.name,
        endpoints: registry.endpoints(service, port),
        subset: subset.map(|(_, labels)| labels),
        agent: proxy.agent,
    }));
}
