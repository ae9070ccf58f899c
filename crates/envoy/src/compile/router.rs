//! The proxy at the edge: a gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use model::authentication::Asked;
use model::end_user::Origins;
use model::{Capture, Diagnostic, Labels, Protocol, Proxy, Security, World};

use super::listeners::Listeners;
use super::output::Output;
use super::served::ServedChains;
use crate::built::Built;
use crate::filter::Handling;
use crate::gateway::{self, Bound, Layer, Servers};
use crate::guards::Guards;
use crate::listener::{self, GatewayKey};
use crate::names;
use crate::registry::Registry;
use crate::reporting::Told;
use crate::route::{self, GatewayPort};
use crate::tls::{OwnIdentity, Secrets};

/// What a gateway shares with no other: its listeners, whose ports are those of its instance.
pub(crate) fn own(registry: &Registry, proxy: &Proxy, output: &mut Output) {
    let ports = merge(&registry.world, &proxy.labels, &mut output.diagnostics);
    let mut listeners = Listeners::default();
    let mut secrets = Secrets::default();
    let told = Told::of(&registry.world, proxy);
    let guards = Guards::of(&registry.world, proxy);
    let gateway = Edge {
        registry,
        proxy,
        handling: Handling::new(&registry.world.mesh, told.as_client()).guarded(&guards),
        identity: OwnIdentity::new(&registry.world.mesh, &proxy.identity),
    };
    for (bound, servers) in &ports {
        gateway.add_listener(*bound, servers, &mut listeners, output);
        for (_, server) in servers {
            if let Security::Terminate(tls) = &server.security {
                secrets.add_server(tls);
            }
        }
    }
    for secret in &secrets.0 {
        output.add(secret.build());
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
    let configurations = configurations(&ports, wanted);
    let built = configurations.into_iter().map(|(name, port, servers)| {
        let key = GatewayPort {
            name,
            port,
            servers: &servers,
            virtual_services: &registry.world.virtual_services,
            registry,
            labels,
            namespace,
        };
        route::gateway(&key, buffer)
    });
    built.collect()
}

/// The names of these routes.
pub(crate) fn route_names(
    world: &World,
    labels: &Labels,
    wanted: impl Fn(u16) -> bool,
) -> BTreeSet<String> {
    let ports = merge(world, labels, &mut Vec::new());
    let configurations = configurations(&ports, wanted).into_iter();
    configurations.map(|(name, _, _)| name).collect()
}

/// Each route configuration with its port and its servers: one for all plaintext servers that
/// share a listener, and one for each server that decrypts.
fn configurations<'w>(
    ports: &BTreeMap<Bound, Servers<'w>>,
    wanted: impl Fn(u16) -> bool,
) -> Vec<(String, u16, Servers<'w>)> {
    let mut all = Vec::new();
    for (bound, servers) in ports.iter().filter(|(bound, _)| wanted(bound.port)) {
        match servers.first().map(|(_, server)| Layer::of(server)) {
            Some(Layer::Http) => {
                let name = names::gateway_routes(bound.port, bound.address);
                all.push((name, bound.port, servers.clone()));
            }
            Some(Layer::Tls) => {
                let decrypting = servers.iter().filter(|(_, server)| {
                    let terminates = matches!(server.security, Security::Terminate(_));
                    terminates && server.protocol == Protocol::Https
                });
                all.extend(decrypting.map(|(gateway, server)| {
                    let name = names::gateway_tls_routes(gateway, server);
                    (name, bound.port, vec![(*gateway, *server)])
                }));
            }
            Some(Layer::Tcp) | None => {}
        }
    }
    all
}

fn merge<'w>(
    world: &'w World,
    labels: &Labels,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<Bound, Servers<'w>> {
    let gateways = world.gateways.iter().map(|gateway| &**gateway);
    gateway::merge(gateways, labels, diagnostics)
}

/// One gateway.
struct Edge<'a> {
    registry: &'a Registry,
    proxy: &'a Proxy,
    handling: Handling<'a>,
    identity: OwnIdentity,
}

impl Edge<'_> {
    fn add_listener(
        &self,
        bound: Bound,
        servers: &Servers<'_>,
        listeners: &mut Listeners,
        output: &mut Output,
    ) {
        let (registry, proxy) = (self.registry, self.proxy);
        let ip = bound.address.unwrap_or_else(|| address(proxy));
        let address = SocketAddr::new(ip, target(proxy, bound.port));
        let chains = ServedChains::new(registry, bound, proxy, &mut output.diagnostics).of(servers);
        if chains.is_empty() {
            return;
        }
        if servers.first().map(|(_, server)| Layer::of(server)) == Some(Layer::Tcp) {
            let unmet = self.handling.guards.unmet(bound.port);
            output.diagnostics.extend(unmet);
        }
        let key = GatewayKey {
            address,
            chains,
            tls: servers.iter().any(|(_, s)| Layer::of(s) == Layer::Tls),
            identity: self.identity.view(),
            handling: self.handling.asking(self.origins(bound.port)),
        };
        let object = servers.first().map(|(gateway, _)| gateway.object.clone());
        listeners.add(address, object, output, || listener::gateway(&key));
    }

    /// What policies demand of requests to a port, by the services of the gateway.
    fn origins(&self, port: u16) -> Option<&Origins> {
        let proxy = self.proxy;
        let instance = proxy.instance.as_deref();
        let mapped = instance.and_then(|instance| {
            let mut ports = instance.ports.iter();
            Some((instance, ports.find(|own| own.service_port == port)?))
        });
        let asked = match mapped {
            Some((instance, own)) => Asked::of_port(instance, own),
            None => Asked {
                namespace: &proxy.namespace,
                labels: Some(&proxy.labels),
                hosts: instance.map_or(&[], |instance| &instance.hosts),
                number: port,
                name: "",
                target: port,
            },
        };
        self.registry.policies().origins(&asked)
    }
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
