//! The proxy beside a workload.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use model::{Capture, Instance, InstancePort, Mesh, Protocol, Proxy, World};

use super::listeners::Listeners;
use super::output::Output;
use super::ports::by_port;
use super::{connect_timeout, services};
use crate::cluster::{self, InboundKey};
use crate::finding::{self, Text, code};
use crate::listener::inbound::PortKey;
use crate::listener::{inbound, outbound, virtual_};
use crate::registry::Registry;
use crate::route::{self, MeshRoutes, SidecarKey};

pub(super) fn compile(world: &World, registry: &Registry<'_>, proxy: &Proxy, output: &mut Output) {
    let mesh = &world.mesh;
    output.cluster(&cluster::black_hole(connect_timeout(mesh)));
    output.cluster(&cluster::passthrough(connect_timeout(mesh)));
    output.cluster(&cluster::inbound_passthrough(connect_timeout(mesh)));
    services::clusters(registry, mesh, proxy, output);
    let mut listeners = Listeners::default();
    let keys = own_ports(mesh, proxy);
    if proxy.capture == Capture::Redirect {
        virtual_listeners(mesh, proxy, &keys, &mut listeners, output);
    }
    inbound_side(mesh, proxy, &keys, &mut listeners, output);
    outbound_side(world, registry, proxy, &mut listeners, output);
}

fn virtual_listeners(
    mesh: &Mesh,
    proxy: &Proxy,
    keys: &[PortKey<'_>],
    listeners: &mut Listeners,
    output: &mut Output,
) {
    let log = mesh.access_log.as_deref();
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let outbound = SocketAddr::new(any, virtual_::OUTBOUND_PORT);
    let inbound = SocketAddr::new(any, virtual_::INBOUND_PORT);
    let key = virtual_::OutboundKey {
        policy: mesh.outbound,
        own: proxy.instance.as_ref().and_then(|i| i.address),
        access_log: log,
    };
    listeners.add(outbound, None, output, || virtual_::outbound(&key));
    listeners.add(inbound, None, output, || virtual_::inbound(keys, log));
}

/// The ports of the workload, each target once.
fn own_ports<'a>(mesh: &'a Mesh, proxy: &'a Proxy) -> Vec<PortKey<'a>> {
    let instance = proxy.instance.as_deref();
    let ports = instance.map_or(&[][..], |instance| &instance.ports);
    let served = ports.iter().filter(|port| port.protocol != Protocol::Udp);
    let key = |port: &'a InstancePort| PortKey {
        target: port.target,
        service_port: port.service_port,
        host: instance.and_then(|instance| instance.hosts.first()),
        protocol: port.protocol,
        access_log: mesh.access_log.as_deref(),
    };
    let mut keys: Vec<_> = served.map(key).collect();
    keys.dedup_by_key(|key| key.target);
    keys
}

fn inbound_side(
    mesh: &Mesh,
    proxy: &Proxy,
    keys: &[PortKey<'_>],
    listeners: &mut Listeners,
    output: &mut Output,
) {
    let Some(instance) = proxy.instance.as_deref() else {
        return;
    };
    let bind = proxy.capture != Capture::Redirect;
    let address = instance.address.filter(|address| {
        let loops = bind && *address == proxy.application;
        if loops && !keys.is_empty() {
            output.diagnostics.push(same_address(instance, *address));
        }
        !loops
    });
    for key in keys {
        output.cluster(&cluster::inbound(&InboundKey {
            application: SocketAddr::new(proxy.application, key.target),
            http2: key.protocol.is_http2(),
            connect_timeout: connect_timeout(mesh),
        }));
        if let Some(address) = address {
            let at = SocketAddr::new(address, key.target);
            listeners.add(at, None, output, || inbound::build(key, address, bind));
        }
    }
}

fn same_address(instance: &Instance, address: IpAddr) -> model::Diagnostic {
    let text = Text {
        why: format!(
            "the application of {} listens on {address}, where its proxy would have to listen",
            instance.id
        ),
        effect: "the proxy takes no connections for it".to_owned(),
        remedy: "let the application listen on another address, such as 127.0.0.1, and name that \
                 address in the proxy's node metadata"
            .to_owned(),
    };
    finding::error(code::APPLICATION_ADDRESS, None, String::new(), text)
}

fn outbound_side(
    world: &World,
    registry: &Registry<'_>,
    proxy: &Proxy,
    listeners: &mut Listeners,
    output: &mut Output,
) {
    let address = match proxy.capture {
        Capture::Redirect => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Capture::Explicit { outbound } => outbound,
    };
    let services = world.virtual_services.iter().map(|service| &**service);
    let virtual_services = MeshRoutes::new(services, registry);
    for (port, services) in by_port(registry) {
        let at = SocketAddr::new(address, port);
        let found = &mut output.diagnostics;
        if let Some(key) = services.listener(at, &world.mesh, registry, proxy, found) {
            listeners.add(at, None, output, || outbound::build(&key));
        }
        if !services.http.is_empty() {
            let key = SidecarKey {
                port,
                services: &services.http,
                virtual_services: &virtual_services,
                registry,
                policy: world.mesh.outbound,
                domain: &proxy.domain,
                labels: &proxy.labels,
                namespace: &proxy.namespace,
            };
            let routes = route::sidecar(&key, &mut output.diagnostics);
            output.routes(routes);
        }
    }
}
