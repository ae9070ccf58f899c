//! From what a change touches to the sets.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::route::GatewayRef;
use model::{Capture, Hostname, Labels, Spot};

use super::set::{Scope, SetKey};
use super::sets::Sets;
use super::touched::Touched;
use super::whole;
use crate::built::Built;
use crate::collector;
use crate::compile::{Asking, router, services, sidecar};
use crate::names;
use crate::registry::{Registry, Target, served};
use crate::route::Caller;

/// Builds again, with the World before at hand to know what is to go.
pub(super) struct Redo<'a> {
    pub(super) old: &'a Registry,
    pub(super) new: &'a Registry,
    pub(super) sets: &'a mut Sets,
    pub(super) buffer: &'a mut Vec<u8>,
}

// === impl Redo ===

impl<'a> Redo<'a> {
    pub(super) fn everything(&mut self) {
        for key in self.sets.keys() {
            let built = whole::whole(&key, self.new, self.buffer);
            self.sets.replace(&key, built);
        }
    }

    pub(super) fn touched(&mut self, touched: &Touched) {
        if self.sets.is_empty() {
            return;
        }
        for host in &touched.hosts {
            self.host(host);
        }
        for key in &touched.endpoints {
            self.endpoints(&key.host, key.port);
        }
        if !self.old.same_secrets(self.new) {
            let key = SetKey(Scope::Secrets);
            let built = whole::whole(&key, self.new, self.buffer);
            self.sets.replace(&key, built);
        }
        let config = !touched.gateways.is_empty() || !touched.virtual_services.is_empty();
        if config || !touched.listeners.is_empty() || !touched.routes.is_empty() {
            for key in self.sets.keys() {
                self.ports(&key, touched);
            }
        }
    }

    /// The clusters of a service and what is behind them.
    fn host(&mut self, host: &Hostname) {
        let spots = self.spots(host, None);
        let clusters = self.sets.over(&Scope::Clusters);
        let mut stale: BTreeSet<Arc<str>> = targets(self.old, host).map(services::name).collect();
        for target in targets(self.new, host) {
            let cluster = services::cluster(self.new, target, self.buffer);
            stale.remove(&cluster.name);
            self.put_into(&clusters, cluster);
            self.assignment(target, &spots);
        }
        for cluster in collector::clusters_at(self.new, host) {
            self.put_into(&clusters, cluster);
        }
        self.forget_near(host);
        for name in stale {
            for key in &clusters {
                self.sets.remove(key, &name);
            }
            self.sets.remove(&SetKey(Scope::Endpoints), &name);
            for spot in &spots {
                let key = SetKey(Scope::EndpointsFrom(*spot));
                self.sets.remove(&key, &name);
            }
        }
    }

    fn put_into(&mut self, keys: &[SetKey], built: Built) {
        let Some((last, others)) = keys.split_last() else {
            return;
        };
        for key in others {
            self.sets.put(key, built.clone());
        }
        self.sets.put(last, built);
    }

    /// What is behind one port of a service.
    fn endpoints(&mut self, host: &Hostname, port: u16) {
        let spots = self.spots(host, Some(port));
        for target in targets(self.new, host).filter(|target| target.port.number == port) {
            self.assignment(target, &spots);
        }
    }

    fn assignment(&mut self, target: Target<'_>, spots: &BTreeSet<Spot>) {
        let common = services::assignment(self.new, target, None, None, self.buffer);
        self.sets.put(&SetKey(Scope::Endpoints), common);
        for spot in spots {
            let seen = services::assignment(self.new, target, Some(*spot), None, self.buffer);
            self.sets.put(&SetKey(Scope::EndpointsFrom(*spot)), seen);
        }
        if services::is_located(self.new, target) {
            self.near(target);
        }
    }

    /// For callers of whom it is known where they are.
    fn near(&mut self, target: Target<'_>) {
        for key in self.sets.near() {
            if let Scope::EndpointsNear(spot, from) = &key.0 {
                let from = Some(&**from);
                let built = services::assignment(self.new, target, *spot, from, self.buffer);
                self.sets.put(&key, built);
            }
        }
    }

    /// Where it mattered where callers are, and no longer does.
    fn forget_near(&mut self, host: &Hostname) {
        let located = |registry: &'a Registry| {
            let located =
                targets(registry, host).filter(|target| services::is_located(registry, *target));
            located.map(services::name).collect::<BTreeSet<Arc<str>>>()
        };
        let (old, new) = (located(self.old), located(self.new));
        for name in old.difference(&new) {
            for key in self.sets.near() {
                self.sets.remove(&key, name);
            }
        }
    }

    /// The places in question that see, or saw, endpoints of a service otherwise.
    fn spots(&self, host: &Hostname, port: Option<u16>) -> BTreeSet<Spot> {
        let mut spots = BTreeSet::new();
        for registry in [self.old, self.new] {
            let service = registry.world.services.get(host).into_iter();
            let ports = service.flat_map(|service| served(service));
            for served in ports.filter(|served| port.is_none_or(|port| served.number == port)) {
                spots.extend(whole::spots(registry.endpoints(host, served.number)));
            }
        }
        spots.retain(|spot| self.sets.has(&SetKey(Scope::EndpointsFrom(*spot))));
        spots
    }

    /// What a set of listeners or routes has on the ports that are touched.
    fn ports(&mut self, key: &SetKey, touched: &Touched) {
        match key.scope() {
            Scope::Listeners(..) | Scope::ListenersFrom(..) | Scope::ListenersOf(..) => {
                for port in &touched.listeners {
                    self.listener(key, *port);
                }
            }
            Scope::Routes(_) | Scope::RoutesOf(..) => {
                for port in &touched.routes {
                    self.routes(key, *port);
                }
            }
            Scope::GatewayRoutes(labels, namespace) => {
                let ports = gateway_ports(self.old, self.new, labels, touched);
                let wanted = |port| ports.contains(&port);
                let built = router::routes(self.new, labels, namespace, wanted, self.buffer);
                let mut stale = router::route_names(&self.old.world, labels, wanted);
                for built in built {
                    stale.remove(&*built.name);
                    self.sets.put(key, built);
                }
                for name in stale {
                    self.sets.remove(key, &name);
                }
            }
            _ => {}
        }
    }

    fn listener(&mut self, key: &SetKey, port: u16) {
        let registry = self.new;
        let (asking, differs) = match key.scope() {
            Scope::Listeners(capture, reporting) => {
                (whole::from(*capture, None, reporting.as_deref()), true)
            }
            Scope::ListenersFrom(spot, reporting) => {
                let services = registry.ports().get(&port);
                let differs = services.is_some_and(|s| s.differs_from(*spot, port, registry));
                let reporting = reporting.as_deref();
                (
                    whole::from(Capture::Redirect, Some(*spot), reporting),
                    differs,
                )
            }
            Scope::ListenersOf(capture, spot, class, reporting) => {
                let asking = Asking {
                    caller: Caller::Class(class),
                    ..whole::from(*capture, *spot, reporting.as_deref())
                };
                let asks = registry.routes().connections_ask(port, class, registry);
                (asking, asks)
            }
            _ => return,
        };
        let built = differs.then(|| sidecar::listener(registry, port, asking));
        let stand = sidecar::stand(registry, asking.capture, port);
        let name = names::listener(stand.address.ip(), port);
        self.put_or_remove(key, &name, built.flatten());
    }

    fn routes(&mut self, key: &SetKey, port: u16) {
        let (domain, caller) = match key.scope() {
            Scope::Routes(domain) => (domain, Some(Caller::NOBODY)),
            Scope::RoutesOf(domain, class) => {
                let asks = whole::asks(self.new, port, class);
                (domain, asks.then_some(Caller::Class(class)))
            }
            _ => return,
        };
        let build = |caller| sidecar::routes(self.new, port, domain, caller, self.buffer);
        let built = caller.and_then(build);
        self.put_or_remove(key, &names::sidecar_routes(port), built);
    }

    fn put_or_remove(&mut self, key: &SetKey, name: &str, built: Option<Built>) {
        match built {
            Some(built) => self.sets.put(key, built),
            None => self.sets.remove(key, name),
        }
    }
}

fn targets<'a>(registry: &'a Registry, host: &Hostname) -> impl Iterator<Item = Target<'a>> {
    let service = registry.world.services.get(host).into_iter();
    service.flat_map(|service| registry.targets(service))
}

/// The ports of gateways with these labels whose routes can be others.
fn gateway_ports(
    old: &Registry,
    new: &Registry,
    labels: &Labels,
    touched: &Touched,
) -> BTreeSet<u16> {
    let named: BTreeSet<&GatewayRef> = touched
        .virtual_services
        .iter()
        .flat_map(|service| &service.gateways)
        .collect();
    let known = [old, new].into_iter().flat_map(|r| r.world.gateways.iter());
    let binding = known.filter(|gateway| {
        let reference = GatewayRef::Gateway {
            namespace: gateway.object.namespace.clone(),
            name: gateway.object.name.clone(),
        };
        named.contains(&reference)
    });
    let gateways = binding.chain(&touched.gateways);
    let servers = gateways
        .filter(|gateway| gateway.selector.selects(labels))
        .flat_map(|gateway| &gateway.servers);
    servers.map(|server| server.port).collect()
}
