//! The proxy at the edge: a gateway.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use model::route::VirtualService;
use model::{Capture, Protocol, Proxy, World};

use super::listeners::Listeners;
use super::output::Output;
use super::{connect_timeout, services};
use crate::gateway::{self, Servers};
use crate::listener::{self, GatewayKey};
use crate::registry::Registry;
use crate::route::{self, GatewayPort};
use crate::{cluster, names};

pub(super) fn compile(world: &World, registry: &Registry<'_>, proxy: &Proxy, output: &mut Output) {
    output.cluster(&cluster::black_hole(connect_timeout(&world.mesh)));
    services::clusters(registry, &world.mesh, proxy, output);
    let gateways = world.gateways.iter().map(|gateway| &**gateway);
    let ports = gateway::merge(gateways, &proxy.labels, &mut output.diagnostics);
    let virtual_services: Vec<&VirtualService> = world
        .virtual_services
        .iter()
        .map(|service| &**service)
        .collect();
    let mut listeners = Listeners::default();
    for (port, servers) in &ports {
        add_listener(world, proxy, *port, servers, &mut listeners, output);
        let key = GatewayPort {
            port: *port,
            servers,
            virtual_services: &virtual_services,
            registry,
            labels: &proxy.labels,
            namespace: &proxy.namespace,
        };
        let routes = route::gateway(&key, &mut output.diagnostics);
        output.routes(routes);
    }
}

fn add_listener(
    world: &World,
    proxy: &Proxy,
    port: u16,
    servers: &Servers<'_>,
    listeners: &mut Listeners,
    output: &mut Output,
) {
    let address = SocketAddr::new(address(proxy), target(proxy, port));
    let key = GatewayKey {
        address,
        routes: names::gateway_routes(port),
        grpc_web: servers.iter().any(|(_, s)| s.protocol == Protocol::GrpcWeb),
        access_log: world.mesh.access_log.as_deref(),
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
