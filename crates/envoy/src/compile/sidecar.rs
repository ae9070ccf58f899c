//! The proxy beside a workload.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use model::authentication::Mode;
use model::{Capture, Ingress, Proxy};

use super::inbound::{self, Serving};
use super::listeners::{Listeners, conflict};
use super::output::Output;
use super::ports::Asking;
use crate::built::Built;
use crate::cluster;
use crate::filter::Handling;
use crate::listener::inbound::PortKey;
use crate::listener::{outbound, virtual_};
use crate::registry::{Registry, connect_timeout};
use crate::reporting::Told;
use crate::route::{self, Caller, SidecarKey};
use crate::view::egress_binding;

/// The clusters that every sidecar has beside those of services.
pub(crate) fn clusters(registry: &Registry) -> [Built; 2] {
    let timeout = connect_timeout(&registry.world);
    [
        cluster::passthrough(timeout),
        cluster::inbound_passthrough(timeout),
    ]
    .map(|cluster| Built::cluster(&cluster))
}

/// The outbound listener of a port; `None` if nothing is to be taken there.
pub(crate) fn listener(registry: &Registry, port: u16, asking: Asking<'_>) -> Option<Built> {
    let services = registry.ports().get(&port)?;
    let Stand { address, capture } = stand(registry, asking.capture, port);
    let asking = Asking { capture, ..asking };
    let mut diagnostics = Vec::new();
    let key = services.listener(address, registry, asking, &mut diagnostics)?;
    let mut built = Built::listener(&outbound::build(&key));
    built.diagnostics.append(&mut diagnostics);
    if asking.capture == Capture::Redirect && virtual_::ports(&registry.world.mesh).contains(&port)
    {
        // The listeners of interception have the address in every such proxy.
        built.body = None;
    }
    Some(built)
}

/// The routes of a port; `None` without HTTP.
pub(crate) fn routes(
    registry: &Registry,
    port: u16,
    domain: &str,
    caller: Caller<'_>,
    buffer: &mut Vec<u8>,
) -> Option<Built> {
    let services = registry.ports().get(&port)?;
    let key = SidecarKey {
        port,
        services: &services.http,
        registry,
        domain,
        caller,
    };
    (!services.http.is_empty()).then(|| route::sidecar(&key, buffer))
}

/// What a sidecar shares with no other: the ports of its workload.
pub(crate) fn own(registry: &Registry, proxy: &Proxy, output: &mut Output) {
    let mut listeners = Listeners::default();
    let serving = Serving::of(registry, proxy);
    let ports = inbound::ports(registry, proxy, &serving);
    for port in ports.iter().filter(|port| !port.key.protocol.is_http()) {
        let unmet = serving.guards.unmet(port.key.target);
        output.diagnostics.extend(unmet);
    }
    if proxy.capture == Capture::Redirect {
        let handed = ports.iter().filter(|port| !port.bound);
        let keys: Vec<_> = handed.map(|port| port.key.clone()).collect();
        virtual_listeners(registry, proxy, (&keys, &serving), &mut listeners, output);
    }
    inbound::add(registry, proxy, &ports, &mut listeners, output);
    hidden(registry, proxy, &serving.told, &listeners, output);
}

pub(crate) fn asking<'a>(proxy: &'a Proxy, told: &'a Told) -> Asking<'a> {
    Asking {
        capture: proxy.capture,
        spot: proxy.spot,
        reporting: told.as_client(),
        caller: Caller::Workload {
            labels: &proxy.labels,
            namespace: &proxy.namespace,
        },
    }
}

/// Where an outbound listener stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) address: SocketAddr,
    /// How connections come to it.
    pub(crate) capture: Capture,
}

/// What the egress listener of the caller's sidecar says of a port, else where all of the workload's
/// connections are taken. One that is bound and names no address is for the workload alone.
pub(crate) fn stand(registry: &Registry, capture: Capture, port: u16) -> Stand {
    let binding = egress_binding(&registry.world, port);
    let usual = match (binding.bound, capture) {
        (true, Capture::Redirect) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => outbound_address(capture),
    };
    let outbound = binding.address.unwrap_or(usual);
    let bound = binding.bound || capture != Capture::Redirect;
    Stand {
        address: SocketAddr::new(outbound, port),
        capture: match bound {
            true => Capture::Explicit { outbound },
            false => Capture::Redirect,
        },
    }
}

/// Outbound listeners give way to the proxy's own.
fn hidden(
    registry: &Registry,
    proxy: &Proxy,
    told: &Told,
    listeners: &Listeners,
    output: &mut Output,
) {
    let asking = asking(proxy, told);
    for (address, owner) in listeners.taken() {
        let stand = stand(registry, proxy.capture, address.port());
        if stand.address == *address && listener(registry, address.port(), asking).is_some() {
            output.diagnostics.push(conflict(*address, owner, None));
        }
    }
}

/// Where connections from the workload are taken.
pub(crate) fn outbound_address(capture: Capture) -> IpAddr {
    match capture {
        Capture::Redirect => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Capture::Explicit { outbound } => outbound,
    }
}

/// The ports of outbound listeners that the proxy's own may hide.
pub(crate) fn contested(registry: &Registry, proxy: &Proxy) -> Vec<u16> {
    let mut ports = Vec::new();
    if proxy.capture == Capture::Redirect {
        ports.extend(virtual_::ports(&registry.world.mesh));
    }
    let at = |port: u16| Some(stand(registry, proxy.capture, port).address.ip());
    let instance = proxy.instance.as_deref();
    let own = instance.and_then(|instance| instance.address);
    let declared = instance.into_iter().flat_map(|instance| &instance.ports);
    let declared = declared.map(|port| port.target);
    ports.extend(declared.filter(|port| own.is_some() && own == at(*port)));
    let ingress = inbound::ingress(registry, proxy).unwrap_or_default();
    let there = |listener: &&Ingress| {
        let outbound = at(listener.port);
        own == outbound || listener.binding.address == outbound
    };
    ports.extend(ingress.iter().filter(there).map(|listener| listener.port));
    ports
}

fn virtual_listeners(
    registry: &Registry,
    proxy: &Proxy,
    (keys, serving): (&[PortKey<'_>], &Serving),
    listeners: &mut Listeners,
    output: &mut Output,
) {
    let mesh = &*registry.world.mesh;
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let outbound = SocketAddr::new(any, mesh.outbound_port);
    let inbound = SocketAddr::new(any, mesh.inbound_port);
    let key = virtual_::OutboundKey {
        port: mesh.outbound_port,
        unmatched: registry.unknown_destination(),
        own: proxy.instance.as_ref().and_then(|i| i.address),
        handling: Handling::new(mesh, serving.told.as_client()),
    };
    listeners.add(outbound, None, output, || virtual_::outbound(&key));
    let undeclared = proxy
        .instance
        .as_deref()
        .is_some_and(|instance| registry.policies().undeclared(instance).mode == Mode::Strict);
    let key = virtual_::InboundKey {
        own: mesh.inbound_port,
        ports: keys,
        undeclared: undeclared.then(|| serving.identity.view()),
        handling: serving.handling(mesh),
    };
    listeners.add(inbound, None, output, || virtual_::inbound(&key));
}
