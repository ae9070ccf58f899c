//! The ports of a workload as its proxy takes them: those that the registry knows, or in their place
//! those of a sidecar's ingress.

use std::net::{IpAddr, SocketAddr};

use model::authentication::Asked;
use model::{
    Capture, Ingress, IngressTarget, Instance, InstancePort, Mesh, ObjectRef, Protocol, Proxy,
};

use super::listeners::Listeners;
use super::output::Output;
use crate::built::Built;
use crate::cluster::{self, Application, InboundKey};
use crate::filter::Handling;
use crate::finding::{self, Text, code};
use crate::guards::Guards;
use crate::listener::inbound::{self, PortKey};
use crate::registry::{Registry, connect_timeout};
use crate::reporting::Told;
use crate::tls::OwnIdentity;

/// A port where connections arrive, and what is behind it.
#[derive(Debug, Clone)]
pub(super) struct OwnPort<'a> {
    pub(super) key: PortKey<'a>,
    application: Application,
    /// In place of the instance's address.
    address: Option<IpAddr>,
    /// Whether the listener takes connections by itself, and nothing hands them to it.
    pub(super) bound: bool,
    /// The sidecar that says so.
    object: Option<&'a ObjectRef>,
}

/// The listeners of the sidecar that is in force, if it has any.
pub(super) fn ingress<'a>(registry: &'a Registry, proxy: &Proxy) -> Option<&'a [Ingress]> {
    let sidecar = sidecar(registry)?;
    let listed = !sidecar.ingress.is_empty() && proxy.instance.is_some();
    listed.then_some(&sidecar.ingress)
}

/// What a proxy goes by when it serves.
pub(super) struct Serving {
    pub(super) told: Told,
    pub(super) identity: OwnIdentity,
    pub(super) guards: Guards,
}

// === impl Serving ===

impl Serving {
    pub(super) fn of(registry: &Registry, proxy: &Proxy) -> Serving {
        let world = &registry.world;
        Serving {
            told: Told::of(world, proxy),
            identity: OwnIdentity::new(&world.mesh, &proxy.identity),
            guards: Guards::of(world, proxy),
        }
    }

    pub(super) fn handling<'a>(&'a self, mesh: &'a Mesh) -> Handling<'a> {
        Handling::new(mesh, self.told.as_server()).guarded(&self.guards)
    }
}

/// The ports of the workload, each once.
pub(super) fn ports<'a>(
    registry: &'a Registry,
    proxy: &'a Proxy,
    serving: &'a Serving,
) -> Vec<OwnPort<'a>> {
    let Some(instance) = proxy.instance.as_deref() else {
        return Vec::new();
    };
    let handling = serving.handling(&registry.world.mesh);
    let key = |port: &InstancePort| PortKey {
        target: port.target,
        service_port: port.service_port,
        host: instance.hosts.first(),
        protocol: port.protocol,
        demand: registry.policies().of_port(instance, port).demand,
        identity: serving.identity.view(),
        handling: handling.asking(registry.policies().origins(&Asked::of_port(instance, port))),
    };
    if let Some(ingress) = ingress(registry, proxy) {
        let object = sidecar(registry).map(|sidecar| &sidecar.object);
        let listed = ingress.iter().map(|listener| OwnPort {
            key: key(&declared(listener, instance)),
            application: application(listener, instance, proxy),
            address: address(listener, proxy),
            bound: proxy.capture != Capture::Redirect || listener.binding.bound,
            object,
        });
        return listed.collect();
    }
    let served = instance.ports.iter();
    let served = served.filter(|port| port.protocol != Protocol::Udp);
    let mut ports: Vec<_> = served
        .map(|port| OwnPort {
            key: key(port),
            application: Application::At(SocketAddr::new(proxy.application, port.target)),
            address: None,
            bound: proxy.capture != Capture::Redirect,
            object: None,
        })
        .collect();
    ports.dedup_by_key(|port| port.key.target);
    ports
}

/// The clusters of ports, and the listeners at the addresses of the workload.
pub(super) fn add(
    registry: &Registry,
    proxy: &Proxy,
    ports: &[OwnPort<'_>],
    listeners: &mut Listeners,
    output: &mut Output,
) {
    let Some(instance) = proxy.instance.as_deref() else {
        return;
    };
    for OwnPort {
        key,
        application,
        address,
        bound,
        object,
    } in ports
    {
        output.add(Built::cluster(&cluster::inbound(&InboundKey {
            port: key.target,
            application: application.clone(),
            http2: key.protocol.is_http2(),
            connect_timeout: connect_timeout(&registry.world),
        })));
        let Some(address) = address.or(instance.address) else {
            continue;
        };
        let at = SocketAddr::new(address, key.target);
        if *bound && leads_back(at, application) {
            output
                .diagnostics
                .push(same_address(instance, address, *object));
            continue;
        }
        let object = object.cloned();
        listeners.add(at, object, output, || inbound::build(key, address, *bound));
    }
}

/// A view has no sidecar but the one that is in force.
fn sidecar(registry: &Registry) -> Option<&model::Sidecar> {
    registry
        .world
        .sidecars
        .iter()
        .next()
        .map(|sidecar| &**sidecar)
}

/// The port of an ingress listener as the instance has it, or as the listener says where it has
/// none: connections arrive at the port of the listener.
fn declared(listener: &Ingress, instance: &Instance) -> InstancePort {
    let mut ports = instance.ports.iter();
    let known = ports.find(|port| port.target == listener.port);
    InstancePort {
        service_port: known.map_or(listener.port, |port| port.service_port),
        target: listener.port,
        name: known.map_or_else(|| listener.name.clone(), |port| port.name.clone()),
        protocol: listener.protocol,
    }
}

fn application(listener: &Ingress, instance: &Instance, proxy: &Proxy) -> Application {
    let at = |port| SocketAddr::new(proxy.application, port);
    match (&listener.target, instance.address) {
        (IngressTarget::Port, _) => Application::At(at(listener.port)),
        (IngressTarget::Loopback(address), _) => Application::At(*address),
        (IngressTarget::Pipe(path), _) => Application::Pipe(path.clone()),
        (IngressTarget::Instance(port), None) => Application::At(at(*port)),
        (IngressTarget::Instance(port), Some(own)) => {
            let own = SocketAddr::new(own, *port);
            match proxy.capture {
                Capture::Redirect => Application::Intercepted(own),
                Capture::Explicit { .. } => Application::At(own),
            }
        }
    }
}

/// Interception hands over connections by the address that they were going to, which is not every
/// address.
fn address(listener: &Ingress, proxy: &Proxy) -> Option<IpAddr> {
    let bound = listener.binding.bound || proxy.capture != Capture::Redirect;
    let named = listener.binding.address;
    named.filter(|address| bound || !address.is_unspecified())
}

/// Whether what a listener sends to the application would come back to itself.
fn leads_back(listener: SocketAddr, application: &Application) -> bool {
    let (Application::At(to) | Application::Intercepted(to)) = application else {
        return false;
    };
    to.port() == listener.port() && (to.ip() == listener.ip() || listener.ip().is_unspecified())
}

fn same_address(
    instance: &Instance,
    address: IpAddr,
    object: Option<&ObjectRef>,
) -> model::Diagnostic {
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
    finding::error(
        code::APPLICATION_ADDRESS,
        object.cloned(),
        String::new(),
        text,
    )
}
