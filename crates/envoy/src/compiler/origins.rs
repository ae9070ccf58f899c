//! Which objects a resource came from.

use std::collections::BTreeSet;
use std::net::IpAddr;

use model::end_user::Keys;
use model::envoy_filter::{Context, Patch, Target};
use model::route::GatewayRef;
use model::{EnvoyFilter, Gateway, Hostname, Instance, ObjectRef, Security};

use crate::registry::Registry;
use crate::tls::Secrets;
use crate::{Kind, names};

/// Told by the name alone, for whoever asks knows no more: Envoy's rejections name resources. Where
/// a name stands for different things in different proxies, the objects of all are given, the likeliest first.
pub(super) fn origins(registry: &Registry, kind: Kind, name: &str) -> Vec<ObjectRef> {
    let mut objects = of_filters(registry, kind, name);
    let found: BTreeSet<ObjectRef> = match kind {
        Kind::Cluster | Kind::Endpoint => of_cluster(registry, name).into_iter().collect(),
        Kind::Listener => of_listener(registry, name),
        Kind::Route => of_routes(registry, name),
        Kind::Secret => of_secret(registry, name),
    };
    objects.extend(found);
    objects
}

/// The objects of kind EnvoyFilter that may have changed it. They come first: what they say is
/// Envoy's own configuration, and is the most likely to be refused.
fn of_filters(registry: &Registry, kind: Kind, name: &str) -> Vec<ObjectRef> {
    let world = &registry.world;
    let owned = owner(name).filter(|_| kind == Kind::Listener);
    let root = &world.mesh.root_namespace;
    let selected = |filter: &EnvoyFilter| {
        of_anyone(registry, owned, |of| {
            filter.selects(root, &of.namespace, &of.labels)
        })
    };
    let inbound = owned.is_some() || name == names::VIRTUAL_INBOUND;
    let changing = world.envoy_filters.iter().filter(|filter| {
        let mut patches = filter.patches.iter();
        patches.any(|patch| may_change(patch, kind, name, inbound)) && selected(filter)
    });
    changing.map(|filter| filter.object.clone()).collect()
}

/// A sidecar's listener for one of its ports bears the address of the instance.
fn owner(listener: &str) -> Option<IpAddr> {
    let address = listener.split('_').next()?.parse().ok();
    address.filter(|ip: &IpAddr| !ip.is_unspecified())
}

/// Whether it holds for an instance with the address; without one it may be anyone's.
fn of_anyone(registry: &Registry, owner: Option<IpAddr>, is: impl Fn(&Instance) -> bool) -> bool {
    let Some(ip) = owner else { return true };
    let mut instances = registry.world.instances.values();
    instances.any(|instance| instance.address == Some(ip) && is(instance))
}

/// The objects with keys of tokens that proxies were given, which is all that Envoy could refuse of
/// what guards a listener.
fn of_keys<'a>(registry: &'a Registry, name: &str) -> impl Iterator<Item = ObjectRef> + 'a {
    let world = &registry.world;
    let root = &world.mesh.root_namespace;
    let owned = owner(name);
    let giving = world.request_authentications.iter().filter(|tokens| {
        let mut issuers = tokens.issuers.iter();
        issuers.any(|issuer| matches!(issuer.keys, Keys::Given(_)))
    });
    let selected = giving.filter(move |tokens| {
        of_anyone(registry, owned, |of| {
            tokens.selects(root, &of.namespace, &of.labels)
        })
    });
    let policies = world.authentication.iter().filter(move |policy| {
        let mut origins = policy.origins.iter().flat_map(|origins| &origins.all);
        origins.any(|origin| matches!(origin.issuer.keys, Keys::Given(_)))
            && of_anyone(registry, owned, |of| policy.may_concern(of))
    });
    let policies = policies.map(|policy| policy.object.clone());
    selected.map(|tokens| tokens.object.clone()).chain(policies)
}

fn may_change(patch: &Patch, kind: Kind, name: &str, inbound: bool) -> bool {
    let (kind_of_target, wanted) = match patch.target {
        Target::Listener
        | Target::FilterChain
        | Target::ListenerFilter
        | Target::NetworkFilter
        | Target::HttpFilter => (Kind::Listener, &patch.listener.name),
        Target::RouteConfiguration | Target::VirtualHost | Target::HttpRoute => {
            (Kind::Route, &patch.routes.name)
        }
        Target::Cluster => (Kind::Cluster, &patch.cluster.name),
    };
    let in_context = match patch.context {
        Context::Any => true,
        Context::SidecarInbound => kind != Kind::Listener || inbound,
        Context::SidecarOutbound | Context::Gateway => !inbound,
    };
    kind_of_target == kind && in_context && wanted.as_deref().is_none_or(|it| it == name)
}

fn of_cluster(registry: &Registry, name: &str) -> Option<ObjectRef> {
    let (_, _, host) = names::parse_outbound_cluster(name)?;
    let host = Hostname::parse(host).ok()?;
    Some(registry.rule(&host)?.object.clone())
}

/// The rules and gateways that name the files. A proxy's own identity comes from no object.
fn of_secret(registry: &Registry, name: &str) -> BTreeSet<ObjectRef> {
    let world = &registry.world;
    let mut objects = BTreeSet::new();
    let named = |secrets: Secrets| secrets.0.iter().any(|secret| secret.name() == name);
    for rule in world.destination_rules.iter() {
        let mut secrets = Secrets::default();
        secrets.add_rule(rule);
        if named(secrets) {
            objects.insert(rule.object.clone());
        }
    }
    for gateway in world.gateways.iter() {
        let mut secrets = Secrets::default();
        for server in &gateway.servers {
            if let Security::Terminate(tls) = &server.security {
                secrets.add_server(tls);
            }
        }
        if named(secrets) {
            objects.insert(gateway.object.clone());
        }
    }
    objects
}

/// The gateways that listen on the port, or whose port an instance maps to it; and where callers are
/// let in, who gave keys.
fn of_listener(registry: &Registry, name: &str) -> BTreeSet<ObjectRef> {
    let mut objects = listening(registry, name);
    let lets_in = owner(name).is_some() || name == names::VIRTUAL_INBOUND || !objects.is_empty();
    if lets_in {
        objects.extend(of_keys(registry, name));
    }
    objects
}

fn listening(registry: &Registry, name: &str) -> BTreeSet<ObjectRef> {
    let port = name
        .rsplit_once('_')
        .and_then(|(_, port)| port.parse().ok());
    let Some(port) = port else {
        return BTreeSet::new();
    };
    let gateways = registry.world.gateways.iter();
    let listening = gateways.filter(|gateway| {
        let mut servers = gateway.servers.iter();
        servers.any(|server| server.port == port) || maps(registry, gateway, port)
    });
    listening.map(|gateway| gateway.object.clone()).collect()
}

fn maps(registry: &Registry, gateway: &Gateway, target: u16) -> bool {
    let instances = registry.world.instances.values();
    let mut selected = instances.filter(|instance| gateway.selector.selects(&instance.labels));
    selected.any(|instance| {
        let mut mapped = instance.ports.iter().filter(|port| port.target == target);
        mapped.any(|mapped| {
            gateway
                .servers
                .iter()
                .any(|s| s.port == mapped.service_port)
        })
    })
}

fn of_routes(registry: &Registry, name: &str) -> BTreeSet<ObjectRef> {
    match names::port_of_gateway_routes(name) {
        Some(port) => Ok(of_gateway_routes(registry, port)),
        None => name.parse().map(|port| {
            let used = registry.routes().on_port(port, registry);
            used.map(|service| service.object.clone()).collect()
        }),
    }
    .unwrap_or_default()
}

/// The gateways of the port and the virtual services that bind to them.
fn of_gateway_routes(registry: &Registry, port: u16) -> BTreeSet<ObjectRef> {
    let gateways = registry.world.gateways.iter();
    let serving: BTreeSet<ObjectRef> = gateways
        .filter(|gateway| gateway.servers.iter().any(|server| server.port == port))
        .map(|gateway| gateway.object.clone())
        .collect();
    let serves = |reference: &GatewayRef| match reference {
        GatewayRef::Mesh => false,
        GatewayRef::Gateway { namespace, name } => serving
            .iter()
            .any(|gateway| gateway.namespace == *namespace && gateway.name == *name),
    };
    let services = registry.world.virtual_services.iter();
    let bound = services.filter(|service| service.gateways.iter().any(serves));
    let bound: Vec<ObjectRef> = bound.map(|service| service.object.clone()).collect();
    serving.into_iter().chain(bound).collect()
}
