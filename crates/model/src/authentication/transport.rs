//! Which transport both sides of a service port speak, and whether that fits: the computation
//! behind the debug pages and the findings.
//!
//! The server's side is what the instances demand. The client's side is the destination rule of the
//! host, as a caller sees it that sees all rules; a policy of authentication changes it only where
//! the mesh lets callers follow what servers take.

use std::collections::BTreeSet;

use super::{Asked, Mode, Policies};
use crate::mesh::AuthPolicy;
use crate::tls::ClientTls;
use crate::{
    DestinationRule, Endpoint, Mesh, ObjectRef, Placement, Port, Resolution, Service,
    TrafficPolicy, World,
};

/// What both sides of one port of a service speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport<'a> {
    pub server: ServerSide<'a>,
    pub client: ClientSide<'a>,
}

/// What the instances of a service port take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSide<'a> {
    /// Of all instances together; never empty.
    pub modes: BTreeSet<Mode>,
    /// Of the first instance, or of the service if it has none.
    pub policy: Option<&'a ObjectRef>,
}

/// What callers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSide<'a> {
    pub sends: Sends,
    pub rule: Option<&'a ObjectRef>,
}

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sends {
    Plaintext,
    /// TLS with other certificates than those of the mesh.
    Tls,
    /// Mutual TLS of the mesh.
    Mutual,
    /// Mutual TLS of the mesh to instances that take it, plaintext to all others.
    Automatic,
}

/// Whether connections succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fit {
    Works,
    /// With some instances only.
    Partly,
    Fails,
}

// === impl Transport ===

impl<'a> Transport<'a> {
    /// Of a port of a service.
    pub fn of(
        world: &'a World,
        policies: &'a Policies,
        service: &'a Service,
        port: &'a Port,
    ) -> Transport<'a> {
        let rule = world.destination_rule(&service.host).map(|rule| &**rule);
        Transport::by(rule, world, policies, service, port)
    }

    /// The same for who knows the rule of the service already.
    pub fn by(
        rule: Option<&'a DestinationRule>,
        world: &'a World,
        policies: &'a Policies,
        service: &'a Service,
        port: &'a Port,
    ) -> Transport<'a> {
        Transport {
            server: ServerSide::of(world, policies, service, port),
            client: ClientSide::of(rule, service, port.number, None, &world.mesh),
        }
    }

    pub fn fit(&self) -> Fit {
        let works = |mode: &&Mode| self.client.sends.works_with(**mode);
        match self.server.modes.iter().filter(works).count() {
            0 => Fit::Fails,
            n if n == self.server.modes.len() => Fit::Works,
            _ => Fit::Partly,
        }
    }
}

// === impl ServerSide ===

impl<'a> ServerSide<'a> {
    fn of(
        world: &'a World,
        policies: &'a Policies,
        service: &'a Service,
        port: &'a Port,
    ) -> ServerSide<'a> {
        let endpoints = world.endpoints_of(&service.host, port.number).iter();
        let mut each = endpoints.filter_map(|e| of_instance(world, policies, e, port.number));
        let first = each.next();
        let whole = || {
            let found = policies.find(&Asked {
                namespace: &service.namespace,
                labels: None,
                hosts: std::slice::from_ref(&service.host),
                number: port.number,
                name: &port.name,
                target: port.number,
            });
            (found.demand.mode, found.policy)
        };
        let (mode, policy) = first.unwrap_or_else(whole);
        let modes = each.map(|(mode, _)| mode).chain([mode]).collect();
        ServerSide { modes, policy }
    }
}

/// What the instance behind an endpoint demands on the port that callers of a service port reach.
pub fn of_instance<'a>(
    world: &'a World,
    policies: &'a Policies,
    endpoint: &Endpoint,
    number: u16,
) -> Option<(Mode, Option<&'a ObjectRef>)> {
    let instance = world.instances.get(&endpoint.instance)?;
    let port = instance.ports.iter().find(|p| p.service_port == number)?;
    let found = policies.of_port(instance, port);
    Some((found.demand.mode, found.policy))
}

/// Whether an instance takes mutual TLS, so that callers use it of themselves. Of endpoints that are
/// no instance nothing is known.
pub fn takes_mutual(world: &World, policies: &Policies, endpoint: &Endpoint, number: u16) -> bool {
    let demanded = of_instance(world, policies, endpoint, number);
    demanded.is_some_and(|(mode, _)| mode != Mode::Disable)
}

/// Whether callers of a service choose TLS by what each endpoint takes (`enableAutoMtls`): no rule
/// speaks of TLS, and proxies are told endpoints of the mesh whose identities are known.
pub fn is_automatic(service: &Service, policy: &TrafficPolicy, mesh: &Mesh) -> bool {
    mesh.auto_mtls
        && policy.port.tls.is_none()
        && !policy.is_passthrough()
        && service.location == Placement::Mesh
        && service.resolution == Resolution::Static
        && service.named.is_empty()
        && !service.subject_alt_names.is_empty()
}

// === impl ClientSide ===

impl<'a> ClientSide<'a> {
    /// What a rule says for a port, or for a subset on it. Where no rule speaks of TLS the mesh's
    /// own settings hold.
    pub fn of(
        rule: Option<&'a DestinationRule>,
        service: &Service,
        port: u16,
        subset: Option<&str>,
        mesh: &Mesh,
    ) -> ClientSide<'a> {
        let policy = rule.map(|rule| rule.policy(port, subset));
        let policy = policy.unwrap_or_default();
        let sends = match policy.port.tls.as_deref() {
            None if rule.is_none() && mesh.auth_policy == AuthPolicy::MutualTls => Sends::Mutual,
            None if is_automatic(service, &policy, mesh) => Sends::Automatic,
            None | Some(ClientTls::Disable) => Sends::Plaintext,
            Some(ClientTls::Origin(_)) => Sends::Tls,
            Some(ClientTls::Mesh(_)) => Sends::Mutual,
        };
        ClientSide {
            sends,
            rule: rule.map(|rule| &rule.object),
        }
    }
}

// === impl Sends ===

impl Sends {
    /// Whether a port that demands this takes such a connection. TLS with foreign certificates
    /// reaches a plain port as bytes, which is what an application wants that ends TLS itself.
    pub fn works_with(self, mode: Mode) -> bool {
        match (self, mode) {
            (_, Mode::Permissive) | (Sends::Automatic, _) => true,
            (Sends::Mutual, mode) => mode == Mode::Strict,
            (Sends::Plaintext | Sends::Tls, mode) => mode == Mode::Disable,
        }
    }
}
