//! The proxy at the edge: a gateway.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use model::{Capture, Diagnostic, Labels, Protocol, Proxy, World};

use super::listeners::Listeners;
use super::output::Output;
use crate::built::Built;
use crate::filter::Handling;
use crate::gateway::{self, Servers};
use crate::listener::{self, GatewayKey};
use crate::names;
use crate::registry::Registry;
use crate::reporting::Told;
use crate::route::{self, GatewayPort};

/// What a gateway shares with no other: its listeners, whose ports are those of its instance.
pub(crate) fn own(registry: &Registry, proxy: &Proxy, output: &mut Output) {
    let world = &*registry.world;
    let ports = merge(world, &proxy.labels, &mut output.diagnostics);
    let mut listeners = Listeners::default();
    let told = Told::of(world, proxy);
    for (port, servers) in &ports {
        let servers = (*port, servers);
        add_listener(world, proxy, &told, servers, &mut listeners, output);
    }
}

/// The routes of the given ports, or of all, for gateways with these labels.
pub(crate) fn routes(
    registry: &Registry,
    labels: &Labels,
    namespace: &str,
    wanted: impl Fn(u16) -> bool,
    buffer: &mut Vec<u8>,
) -> Vec<Built> {
    let ports = merge(&registry.world, labels, &mut Vec::new());
    let wanted = ports.iter().filter(|(port, _)| wanted(**port));
    let key = |port, servers| GatewayPort {
        port,
        servers,
        virtual_services: &registry.world.virtual_services,
        registry,
        labels,
        namespace,
    };
    wanted
        .map(|(port, servers)| route::gateway(&key(*port, servers), buffer))
        .collect()
}

fn merge<'w>(
    world: &'w World,
    labels: &Labels,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<u16, Servers<'w>> {
    let gateways = world.gateways.iter().map(|gateway| &**gateway);
    gateway::merge(gateways, labels, diagnostics)
}

fn add_listener(
    world: &World,
    proxy: &Proxy,
    told: &Told,
    (port, servers): (u16, &Servers<'_>),
    listeners: &mut Listeners,
    output: &mut Output,
) {
    let address = SocketAddr::new(address(proxy), target(proxy, port));
    let key = GatewayKey {
        address,
        routes: names::gateway_routes(port),
        grpc_web: servers.iter().any(|(_, s)| s.protocol == Protocol::GrpcWeb),
        handling: Handling::new(&world.mesh, told.as_client()),
    };
    let object = servers.first().map(|(gateway, _)| gateway.object.clone());
    listeners.add(address, object, output, || listener::gateway(&key));
}

/// Where a gateway listens. Without interception it shares the machine with others, and takes its
/// own address only.
fn address(proxy: &Proxy) -> IpAddr {
    let own = proxy
        .instance
        .as_ref()
        .and_then(|instance| instance.address);
    match proxy.capture {
        Capture::Redirect => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Capture::Explicit { outbound } => own.unwrap_or(outbound),
    }
}

/// The port on which connections to a server's port arrive at this instance.
fn target(proxy: &Proxy, port: u16) -> u16 {
    let ports = proxy.instance.as_ref().map_or(&[][..], |i| &i.ports);
    let mapped = ports.iter().find(|mapped| mapped.service_port == port);
    mapped.map_or(port, |mapped| mapped.target)
}
