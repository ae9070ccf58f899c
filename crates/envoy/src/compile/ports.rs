//! What the services of the mesh have on each port, as outbound listeners need it.

use std::net::SocketAddr;
use std::sync::Arc;

use model::{Capture, Diagnostic, Protocol, Reporting, Service, Spot};

use super::chains::Chains;
use crate::dynamic;
use crate::filter::Handling;
use crate::listener::outbound::{HttpPort, OutboundKey};
use crate::names;
use crate::registry::Registry;
use crate::route::Caller;

/// The services on one port, by how their traffic is told apart. In order of their names.
#[derive(Debug, Default)]
pub(crate) struct PortServices {
    pub(crate) http: Vec<Arc<Service>>,
    grpc_web: bool,
    pub(super) tls: Vec<Arc<Service>>,
    pub(super) tcp: Vec<Arc<Service>>,
}

/// Who asks for a listener, as far as that matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) capture: Capture,
    /// Where the asking proxy calls from.
    pub(crate) spot: Option<Spot>,
    /// What it tells of requests, if that is not what the mesh does.
    pub(crate) reporting: Option<&'a Reporting>,
    pub(crate) caller: Caller<'a>,
}

// === impl PortServices ===

impl PortServices {
    pub(crate) fn add(&mut self, service: &Arc<Service>, protocol: Protocol) {
        let list = match protocol {
            Protocol::Https | Protocol::Tls => &mut self.tls,
            protocol if protocol.is_http() => {
                self.grpc_web |= protocol == Protocol::GrpcWeb;
                &mut self.http
            }
            _ => &mut self.tcp,
        };
        list.push(service.clone());
    }

    /// Whether the listener of redirected connections depends on the addresses of endpoints.
    pub(crate) fn is_by_address(&self) -> bool {
        !self.tcp.is_empty()
    }

    /// The services whose connections are routed before any request.
    pub(crate) fn not_http(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.tls.iter().chain(&self.tcp)
    }

    /// Whether proxies there see other addresses than those elsewhere.
    pub(crate) fn differs_from(&self, spot: Spot, port: u16, registry: &Registry) -> bool {
        let mut services = self.tcp.iter();
        services.any(|service| {
            let mut endpoints = registry.endpoints(&service.host, port).iter();
            endpoints.any(|e| e.reach.differing().any(|own| own == spot))
        })
    }

    /// What the listener of this port depends on; `None` if nothing is to be taken there.
    pub(super) fn listener<'a>(
        &self,
        address: SocketAddr,
        registry: &'a Registry,
        asking: Asking<'a>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<OutboundKey<'a>> {
        let mesh = &registry.world.mesh;
        let port = address.port();
        let redirected = asking.capture == Capture::Redirect;
        let (chains, also_at) = Chains::new(registry, port, asking, diagnostics).of(self);
        let http = (!self.http.is_empty()).then(|| HttpPort {
            routes: names::sidecar_routes(port),
            grpc_web: self.grpc_web,
            resolving: dynamic::on_port(registry, port),
            also_at,
        });
        let empty = http.is_none() && chains.is_empty();
        // Where others have chains, nothing would not hide them from this caller.
        let nothing = empty && !(redirected && self.has_chains_for_others(port, registry, asking));
        (!nothing).then(|| OutboundKey {
            address,
            bind: !redirected,
            http,
            chains,
            tcp: !self.tcp.is_empty(),
            // Who is called at its own address has no other destination to go to.
            unmatched: redirected.then(|| registry.unknown_destination()),
            handling: Handling::new(mesh, asking.reporting),
        })
    }

    fn has_chains_for_others(&self, port: u16, registry: &Registry, asking: Asking<'_>) -> bool {
        let others = Asking {
            caller: Caller::NOBODY,
            ..asking
        };
        let (chains, _) = Chains::new(registry, port, others, &mut Vec::new()).of(self);
        !chains.is_empty()
    }
}
