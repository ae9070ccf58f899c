//! What is looked up again and again: services by name and by port, rules by host.
//!
//! The World has lists in order of precedence; here they are maps. A registry goes from one World
//! to the next and makes anew only what depends on what changed: endpoints change nothing of it.

mod by_host;
mod nearby;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::authentication::Policies;
use model::route::{Destination, PortRef};
use model::{
    ChangeSet, DestinationRule, Endpoint, Hostname, Labels, Proxy, Service, Spot, TrafficPolicy,
    World,
};

use crate::cluster::{Outbound, unknown_destination};
use crate::compile::PortServices;
use crate::dynamic;
use crate::endpoint::Located;
use crate::patch::{Filters, Patches};
use crate::route::{Alike, MeshRoutes};
use crate::tls::{Secret, Secrets};
use crate::view::{Rules, lists};

pub(crate) use self::by_host::ByHost;
use self::nearby::Nearby;

/// A World, indexed.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    pub(crate) world: Arc<World>,
    names: Arc<Names>,
    rules: Arc<Rules>,
    located: Arc<Located>,
    routes: Arc<MeshRoutes>,
    policies: Arc<Policies>,
    secrets: Arc<Secrets>,
    pub(crate) clusters: Arc<Outbound>,
    filters: Arc<Filters>,
    unknown: Arc<str>,
    default_routes: Arc<Alike>,
    sticky_routes: Arc<Alike>,
    nearby: Arc<Nearby>,
}

/// The services, by what else than their own name they are found by.
#[derive(Debug, Default)]
struct Names {
    /// All that have an alias, in order of their names.
    aliases: HashMap<Hostname, Vec<Arc<Service>>>,
    wildcards: Vec<Arc<Service>>,
    ports: BTreeMap<u16, PortServices>,
    /// Whether proxies resolve names of any of them as they are asked for.
    dynamic: bool,
}

/// A cluster to be: the service, the port with its protocol, the subset with its labels, and the
/// rule of the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) service: &'a Service,
    pub(crate) host: &'a Hostname,
    pub(crate) port: &'a model::Port,
    pub(crate) subset: Option<(&'a str, &'a Labels)>,
    pub(crate) rule: Option<&'a DestinationRule>,
}

// === impl Registry ===

impl Registry {
    pub(crate) fn new(world: Arc<World>) -> Registry {
        let rules = Rules::of(&world);
        let mut registry = Registry {
            names: Arc::new(Names::new(&world)),
            rules: Arc::new(rules),
            located: located(&world),
            routes: Arc::default(),
            policies: Arc::new(Policies::new(&world.authentication, &world.mesh)),
            secrets: Arc::new(Secrets::of(&world)),
            clusters: Arc::new(Outbound::new(connect_timeout(&world))),
            filters: Arc::new(Filters::new(&world, None)),
            unknown: unknown_destination(&world.mesh),
            default_routes: Arc::new(Alike::new(false, &world.mesh)),
            sticky_routes: Arc::new(Alike::new(true, &world.mesh)),
            nearby: Arc::default(),
            world,
        };
        registry.routes = Arc::new(MeshRoutes::new(&registry));
        registry
    }

    /// The same for a later World that differs by `changes`.
    pub(crate) fn advance(&self, world: &Arc<World>, changes: &ChangeSet) -> Registry {
        let mut next = Registry {
            world: world.clone(),
            nearby: Arc::default(),
            ..self.clone()
        };
        let services = !changes.services.is_empty();
        let config = |kind: &str| changes.config.iter().any(|object| object.kind == kind);
        if changes.mesh {
            next.clusters = Arc::new(Outbound::new(connect_timeout(world)));
        }
        if services {
            next.names = Arc::new(Names::new(world));
        }
        if config(kind::DESTINATION_RULE) {
            next.rules = Arc::new(Rules::of(world));
            next.located = located(world);
            next.clusters = Arc::new(next.clusters.forgetful());
        }
        if config(kind::DESTINATION_RULE) || config(kind::GATEWAY) {
            let secrets = Secrets::of(world);
            if secrets != *next.secrets {
                next.secrets = Arc::new(secrets);
            }
        }
        if kind::AUTHENTICATION.into_iter().any(config) {
            next.policies = Arc::new(Policies::new(&world.authentication, &world.mesh));
        }
        if config(kind::ENVOY_FILTER) {
            next.filters = Arc::new(Filters::new(world, Some(&self.filters)));
        }
        if services || config(kind::VIRTUAL_SERVICE) {
            next.routes = Arc::new(MeshRoutes::new(&next));
        }
        next
    }

    /// Every service, in order of the names.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.world.services.values()
    }

    /// The services that have an endpoint with another address from there, in order of the names.
    pub(crate) fn services_otherwise_from(&self, spot: Spot) -> &[Arc<Service>] {
        self.nearby.of(spot, self)
    }

    /// The services of each port that is served.
    pub(crate) fn ports(&self) -> &BTreeMap<u16, PortServices> {
        &self.names.ports
    }

    /// Whether proxies resolve names of any service as they are asked for.
    pub(crate) fn has_dynamic(&self) -> bool {
        self.names.dynamic
    }

    pub(crate) fn filters(&self) -> &Arc<Filters> {
        &self.filters
    }

    /// The patches of a proxy; `None` for nearly all.
    pub(crate) fn patches(&self, proxy: &Proxy) -> Option<Patches> {
        self.filters.of(&self.world.mesh.root_namespace, proxy)
    }

    /// What rules ask of where callers are.
    pub(crate) fn located(&self) -> &Arc<Located> {
        &self.located
    }

    /// The virtual services that apply to sidecars.
    pub(crate) fn routes(&self) -> &MeshRoutes {
        &self.routes
    }

    /// What workloads demand of those who connect.
    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }

    /// The secrets that any proxy may ask for, in order.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.0.iter()
    }

    /// Whether both have the same secrets.
    pub(crate) fn same_secrets(&self, other: &Registry) -> bool {
        Arc::ptr_eq(&self.secrets, &other.secrets)
    }

    /// Services that stand for all hosts under a suffix.
    pub(crate) fn wildcards(&self) -> &[Arc<Service>] {
        &self.names.wildcards
    }

    /// The service that callers know under this name, be it an alias.
    pub(crate) fn service(&self, host: &Hostname) -> Option<&Arc<Service>> {
        match self.world.services.get(host) {
            Some(service) => Some(service),
            None => self.names.aliases.get(host)?.first(),
        }
    }

    /// All services that have a name which `host` covers, be it an alias that another has as well.
    pub(crate) fn known_as<'a>(&'a self, host: &'a Hostname) -> Vec<&'a Arc<Service>> {
        if host.is_wildcard() {
            let covered = |service: &&Arc<Service>| {
                let mut names = std::iter::once(&service.host).chain(&service.aliases);
                names.any(|name| host.covers(name))
            };
            return self.services().filter(covered).collect();
        }
        let named = self.world.services.get(host).into_iter();
        named
            .chain(self.names.aliases.get(host).into_iter().flatten())
            .collect()
    }

    /// The rule of a host: the most specific alone, without inheritance from wider ones.
    pub(crate) fn rule(&self, host: &Hostname) -> Option<&Arc<DestinationRule>> {
        let service = self.world.services.get(host);
        self.rules
            .get(host, service.map_or("", |service| &service.namespace))
    }

    /// What applies to the connections to a cluster of a host: nothing if no service has it.
    pub(crate) fn policy(&self, host: &Hostname, port: u16, subset: Option<&str>) -> TrafficPolicy {
        let service = self.world.services.get(host);
        let rule = service.and_then(|service| self.rule(&service.host));
        let rule = rule.filter(|rule| !rule.is_plain());
        rule.map(|rule| rule.policy(port, subset))
            .unwrap_or_default()
    }

    /// The cluster of what goes to hosts that the mesh does not know.
    pub(crate) fn unknown_destination(&self) -> &str {
        &self.unknown
    }

    /// Whether a cluster chooses endpoints by a hash.
    pub(crate) fn is_sticky(&self, host: &Hostname, port: u16, subset: Option<&str>) -> bool {
        let service = self.world.services.get(host);
        let rule = service.and_then(|service| self.rule(&service.host));
        let rule = rule.filter(|rule| rule.hashes());
        rule.is_some_and(|rule| rule.policy(port, subset).hash_key().is_some())
    }

    /// The route to a service that no virtual service describes.
    pub(crate) fn default_route(&self, host: &Hostname, port: u16) -> &Alike {
        match self.is_sticky(host, port, None) {
            true => &self.sticky_routes,
            false => &self.default_routes,
        }
    }

    pub(crate) fn endpoints(&self, host: &Hostname, port: u16) -> &[Endpoint] {
        self.world.endpoints_of(host, port)
    }

    /// The clusters of a service: for each port one, and one more for each subset.
    pub(crate) fn targets<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = Target<'a>> {
        let rule = self.rules.get(&service.host, &service.namespace);
        let rule = rule.map(|rule| &**rule);
        let subsets = rule.map_or(&[][..], |rule| &rule.subsets);
        // A subset without a name would have the name of the whole service.
        let named = move || subsets.iter().filter(|subset| !subset.name.is_empty());
        served(service).flat_map(move |port| {
            let named = named().map(|subset| Some((subset.name.as_str(), &subset.labels)));
            std::iter::once(None)
                .chain(named)
                .map(move |subset| Target {
                    service,
                    host: &service.host,
                    port,
                    subset,
                    rule,
                })
        })
    }

    /// The host and port of a destination: the port that is named, else the only one that the
    /// service has, else that of the listener. An unknown host keeps its name, so that requests
    /// are answered with 503 instead of going elsewhere.
    pub(crate) fn resolve<'a>(&'a self, to: &'a Destination, listener: u16) -> (&'a Hostname, u16) {
        let service = self.service(&to.host);
        let only = service.and_then(|service| match service.ports.as_slice() {
            [only] => Some(only.number),
            _ => None,
        });
        let host = service.map_or(&to.host, |service| &service.host);
        let port = match &to.port {
            Some(PortRef::Number(number)) => Some(*number),
            Some(PortRef::Name(name)) => Some(port_named(service, name)),
            None => only,
        };
        (host, port.unwrap_or(listener))
    }
}

impl Target<'_> {
    /// What applies to the requests that go there.
    pub(crate) fn policy(&self) -> TrafficPolicy {
        let rule = self.rule.filter(|rule| !rule.is_plain());
        let subset = self.subset.map(|(name, _)| name);
        rule.map(|rule| rule.policy(self.port.number, subset))
            .unwrap_or_default()
    }
}

/// A name that the service does not have becomes port 0, which no cluster has: requests are answered
/// with 503 instead of going elsewhere.
fn port_named(service: Option<&Arc<Service>>, name: &str) -> u16 {
    let mut ports = service.into_iter().flat_map(|service| &service.ports);
    ports
        .find(|port| &*port.name == name)
        .map_or(0, |port| port.number)
}

/// The kinds of objects that change what is compiled.
pub(crate) mod kind {
    pub(crate) const ENVOY_FILTER: &str = "EnvoyFilter";
    pub(crate) const DESTINATION_RULE: &str = "DestinationRule";
    pub(crate) const VIRTUAL_SERVICE: &str = "VirtualService";
    pub(crate) const GATEWAY: &str = "Gateway";
    pub(crate) const SIDECAR: &str = "Sidecar";
    pub(crate) const AUTHENTICATION: [&str; 3] = ["MeshPolicy", "Policy", "PeerAuthentication"];
}

/// The ports that are served at all. Envoy's listeners for UDP need more than a port.
pub(crate) fn served(service: &Service) -> impl Iterator<Item = &model::Port> {
    let ports = service.ports.iter();
    ports.filter(|port| port.protocol != model::Protocol::Udp)
}

/// Envoy refuses every cluster with a connect timeout of zero.
pub(crate) fn connect_timeout(world: &World) -> Duration {
    world.mesh.connect_timeout.max(Duration::from_millis(1))
}

fn located(world: &World) -> Arc<Located> {
    let rules = world.destination_rules.iter().map(|rule| &**rule);
    Arc::new(Located::of(&world.mesh.locality, rules))
}

// === impl Names ===

impl Names {
    fn new(world: &World) -> Names {
        let mut names = Names::default();
        for service in world.services.values() {
            for alias in &service.aliases {
                let having = names.aliases.entry(alias.clone()).or_default();
                having.push(service.clone());
            }
            names.dynamic |= dynamic::is(service);
            if service.host.is_wildcard() {
                names.wildcards.push(service.clone());
            }
            for port in served(service).filter(|port| lists(world, service, port.number)) {
                let services = names.ports.entry(port.number).or_default();
                services.add(service, port.protocol);
            }
        }
        names
    }
}
