//! The proxy beside a workload.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use model::authentication::Mode;
use model::{Capture, Instance, InstancePort, Mesh, Protocol, Proxy};

use super::listeners::{Listeners, conflict};
use super::output::Output;
use super::ports::Asking;
use crate::built::Built;
use crate::cluster::{self, InboundKey};
use crate::filter::Handling;
use crate::finding::{self, Text, code};
use crate::listener::inbound::PortKey;
use crate::listener::{inbound, outbound, virtual_};
use crate::registry::{Registry, connect_timeout};
use crate::reporting::Told;
use crate::route::{self, Caller, SidecarKey};
use crate::tls::OwnIdentity;

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
    let address = SocketAddr::new(outbound_address(asking.capture), port);
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
        policy: registry.world.mesh.outbound,
        domain,
        caller,
    };
    (!services.http.is_empty()).then(|| route::sidecar(&key, buffer))
}

/// What a sidecar shares with no other: the ports of its workload.
pub(crate) fn own(registry: &Registry, proxy: &Proxy, output: &mut Output) {
    let mut listeners = Listeners::default();
    let told = Told::of(&registry.world, proxy);
    let identity = OwnIdentity::new(&registry.world.mesh, &proxy.identity);
    let keys = own_ports(registry, proxy, &told, &identity);
    if proxy.capture == Capture::Redirect {
        let own = (keys.as_slice(), &told, &identity);
        virtual_listeners(registry, proxy, own, &mut listeners, output);
    }
    inbound_side(registry, proxy, &keys, &mut listeners, output);
    hidden(registry, proxy, &told, &listeners, output);
}

pub(crate) fn asking<'a>(proxy: &'a Proxy, told: &'a Told) -> Asking<'a> {
    Asking {
        capture: proxy.capture,
        agent: proxy.agent,
        reporting: told.as_client(),
        caller: Caller::Workload {
            labels: &proxy.labels,
            namespace: &proxy.namespace,
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
    let outbound = outbound_address(proxy.capture);
    let asking = asking(proxy, told);
    for (address, owner) in listeners.taken() {
        if address.ip() == outbound && listener(registry, address.port(), asking).is_some() {
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
pub(crate) fn contested(mesh: &Mesh, proxy: &Proxy) -> Vec<u16> {
    let mut ports = Vec::new();
    if proxy.capture == Capture::Redirect {
        ports.extend(virtual_::ports(mesh));
    }
    let instance = proxy.instance.as_deref();
    let own = instance.filter(|i| i.address == Some(outbound_address(proxy.capture)));
    ports.extend(
        own.into_iter()
            .flat_map(|i| &i.ports)
            .map(|port| port.target),
    );
    ports
}

fn virtual_listeners(
    registry: &Registry,
    proxy: &Proxy,
    (keys, told, identity): (&[PortKey<'_>], &Told, &OwnIdentity),
    listeners: &mut Listeners,
    output: &mut Output,
) {
    let mesh = &*registry.world.mesh;
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let outbound = SocketAddr::new(any, mesh.outbound_port);
    let inbound = SocketAddr::new(any, mesh.inbound_port);
    let key = virtual_::OutboundKey {
        port: mesh.outbound_port,
        policy: mesh.outbound,
        own: proxy.instance.as_ref().and_then(|i| i.address),
        handling: Handling::new(mesh, told.as_client()),
    };
    let served = Handling::new(mesh, told.as_server());
    listeners.add(outbound, None, output, || virtual_::outbound(&key));
    let undeclared = proxy
        .instance
        .as_deref()
        .is_some_and(|instance| registry.policies().undeclared(instance).mode == Mode::Strict);
    let key = virtual_::InboundKey {
        own: mesh.inbound_port,
        ports: keys,
        undeclared: undeclared.then(|| identity.view()),
        handling: served,
    };
    listeners.add(inbound, None, output, || virtual_::inbound(&key));
}

/// The ports of the workload, each target once.
fn own_ports<'a>(
    registry: &'a Registry,
    proxy: &'a Proxy,
    told: &'a Told,
    identity: &'a OwnIdentity,
) -> Vec<PortKey<'a>> {
    let mesh = &registry.world.mesh;
    let instance = proxy.instance.as_deref();
    let ports = instance.map_or(&[][..], |instance| &instance.ports);
    let served = ports.iter().filter(|port| port.protocol != Protocol::Udp);
    let key = |port: &'a InstancePort| PortKey {
        target: port.target,
        service_port: port.service_port,
        host: instance.and_then(|instance| instance.hosts.first()),
        protocol: port.protocol,
        demand: instance
            .map(|instance| registry.policies().of_port(instance, port).demand)
            .unwrap_or_default(),
        identity: identity.view(),
        handling: Handling::new(mesh, told.as_server()),
    };
    let mut keys: Vec<_> = served.map(key).collect();
    keys.dedup_by_key(|key| key.target);
    keys
}

fn inbound_side(
    registry: &Registry,
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
        output.add(Built::cluster(&cluster::inbound(&InboundKey {
            application: SocketAddr::new(proxy.application, key.target),
            http2: key.protocol.is_http2(),
            connect_timeout: connect_timeout(&registry.world),
        })));
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
