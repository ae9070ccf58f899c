//! The World as a class of callers sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::route::{Action, VirtualService};
use model::{
    Binding, ChangeSet, DestinationRule, Egress, EgressHost, EgressNamespace, Hostname, Service,
    Sidecar, World,
};

use super::View;
use super::visibility::{Visibility, sees};
use crate::registry::kind;

/// What a view shows of a World, kept to know it of the next.
#[derive(Debug)]
pub(crate) struct Projection {
    view: View,
    shown: Shown,
    /// Nothing that was configured is hidden, nor changed on the way.
    whole: bool,
    pub(crate) world: Arc<World>,
}

/// What decides whether a service is shown.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    namespace: Option<Arc<str>>,
    /// Empty shows everything.
    egress: Vec<Egress>,
    /// Where visible routes lead, which must be there although nobody asked for them by name.
    destinations: BTreeSet<Hostname>,
}

/// The World as seen through a view.
pub(crate) fn project(world: &Arc<World>, view: &View, visibility: &Visibility) -> Arc<World> {
    Projection::new(world, view, visibility).world
}

// === impl Projection ===

impl Projection {
    pub(crate) fn new(world: &Arc<World>, view: &View, visibility: &Visibility) -> Projection {
        let sidecar = sidecar(world, view);
        let mut shown = Shown {
            namespace: view.namespace.clone(),
            egress: sidecar.as_ref().map_or_else(Vec::new, |s| s.egress.clone()),
            destinations: BTreeSet::new(),
        };
        let services = world.virtual_services.iter();
        let routes: Vec<_> = services.filter(|s| shown.routes(s)).cloned().collect();
        if !shown.egress.is_empty() {
            let to = routes.iter().flat_map(|service| destinations(service));
            let proxy = sidecar.iter().filter_map(|s| s.egress_proxy.as_ref());
            let proxy = proxy.map(|to| &to.host);
            shown.destinations = to.chain(proxy).cloned().collect();
        }
        let mut seen = Projection {
            view: view.clone(),
            shown,
            whole: false,
            world: world.clone(),
        };
        seen.hide(world, visibility, sidecar, routes);
        seen
    }

    /// The same for a later World, and how it differs.
    pub(crate) fn advance(
        &mut self,
        world: &Arc<World>,
        visibility: &Visibility,
        changes: &ChangeSet,
    ) -> ChangeSet {
        let ours = [kind::DESTINATION_RULE, kind::VIRTUAL_SERVICE, kind::SIDECAR];
        let config = changes
            .config
            .iter()
            .any(|object| ours.contains(&object.kind));
        if !config && !changes.mesh {
            self.carry(world, visibility, &changes.services);
            return changes.clone();
        }
        let next = Projection::new(world, &self.view, visibility);
        let old = std::mem::replace(self, next);
        let (old, new) = (&*old.world, &*self.world);
        let mut changes = changes.clone();
        let others = old.mesh != new.mesh || old.sidecars != new.sidecars;
        changes.mesh |= others;
        if !old.services.ptr_eq(&new.services) {
            changes.services.extend(old.differing_services(new));
        }
        changes
    }

    /// Takes over what no view changes. A World of which nothing is hidden is shared as it is.
    fn carry(&mut self, world: &Arc<World>, visibility: &Visibility, changed: &BTreeSet<Hostname>) {
        let mut hidden = visibility.hidden(self.view.namespace.as_deref());
        if self.whole && hidden.next().is_none() {
            self.world = world.clone();
            return;
        }
        let mut services = self.world.services.clone();
        for host in changed {
            match world
                .services
                .get(host)
                .filter(|service| self.shown.service(service))
            {
                Some(service) => services.insert(host.clone(), service.clone()),
                None => services.remove(host),
            };
        }
        let seen = &self.world;
        self.world = Arc::new(World {
            services,
            mesh: seen.mesh.clone(),
            virtual_services: seen.virtual_services.clone(),
            destination_rules: seen.destination_rules.clone(),
            sidecars: seen.sidecars.clone(),
            caller: seen.caller.clone(),
            ..World::clone(world)
        });
    }

    fn hide(
        &mut self,
        world: &Arc<World>,
        visibility: &Visibility,
        sidecar: Option<Sidecar>,
        routes: Vec<Arc<VirtualService>>,
    ) {
        let rules = world.destination_rules.iter();
        let rules: Vec<_> = rules.filter(|rule| self.has(rule)).cloned().collect();
        self.whole = self.is_plain()
            && rules.len() == world.destination_rules.len()
            && routes.len() == world.virtual_services.len()
            && world.sidecars.is_empty();
        let namespace = self.view.namespace.as_deref();
        let mut hidden = visibility.hidden(namespace).peekable();
        if self.whole && hidden.peek().is_none() {
            return;
        }
        let mut seen = World::clone(world);
        match self.shown.egress.is_empty() {
            true => hidden.for_each(|host| {
                seen.services.remove(host);
            }),
            false => {
                let services = world.services.iter();
                let shown = services.filter(|(_, service)| self.shown.service(service));
                seen.services = shown.map(|(host, s)| (host.clone(), s.clone())).collect();
            }
        }
        if let Some((policy, proxy)) = sidecar
            .as_ref()
            .and_then(|sidecar| Some((sidecar.outbound?, &sidecar.egress_proxy)))
            && (policy != seen.mesh.outbound || proxy.is_some())
        {
            let mesh = Arc::make_mut(&mut seen.mesh);
            mesh.outbound = policy;
            mesh.egress_proxy.clone_from(proxy);
        }
        seen.virtual_services = routes.into();
        seen.destination_rules = rules.into();
        seen.sidecars = sidecar.map(Arc::new).into_iter().collect();
        seen.caller = self.view.namespace.clone();
        self.world = Arc::new(seen);
    }

    /// Whether a rule is one of the callers'.
    fn has(&self, rule: &DestinationRule) -> bool {
        let chosen = match rule.workload_selector {
            Some(_) => self.view.rules.contains(&rule.object),
            None => true,
        };
        chosen && sees(self.view.namespace.as_deref(), &rule.export_to)
    }

    /// Whether the view is that of callers that are not apart.
    fn is_plain(&self) -> bool {
        self.view == View::default() && self.shown == Shown::default()
    }
}

// === impl Shown ===

impl Shown {
    fn service(&self, service: &Service) -> bool {
        sees(self.namespace.as_deref(), &service.export_to)
            && (self.egress.is_empty()
                || self.destinations.contains(&service.host)
                || service
                    .aliases
                    .iter()
                    .any(|alias| self.destinations.contains(alias))
                || self.hosts().any(|host| names(host, service)))
    }

    fn routes(&self, service: &VirtualService) -> bool {
        let within = |host: &EgressHost| {
            let namespace = &service.object.namespace;
            let mut hosts = service.hosts.iter();
            hosts.any(|name| {
                let common = host.host.intersect(name);
                common.is_some_and(|name| host.shows(namespace, &name, ""))
            })
        };
        sees(self.namespace.as_deref(), &service.export_to)
            && (self.egress.is_empty() || self.hosts().any(within))
    }

    fn hosts(&self) -> impl Iterator<Item = &EgressHost> {
        self.egress.iter().flat_map(|egress| &egress.hosts)
    }
}

/// Whether callers find a service on a port: by the listener of that port, else by the one for
/// all. Of a World that is seen through a view.
pub(crate) fn lists(world: &World, service: &Service, port: u16) -> bool {
    let Some(sidecar) = world.sidecars.first().filter(|s| !s.egress.is_empty()) else {
        return true;
    };
    let listener = listener(sidecar, port);
    listener.is_some_and(|listener| listener.hosts.iter().any(|host| names(host, service)))
}

/// The listener of a sidecar that has a port.
pub(crate) fn listener(sidecar: &Sidecar, port: u16) -> Option<&Egress> {
    let mut own = sidecar.egress.iter();
    let own = own.find(|egress| egress.port.is_some_and(|own| own.number == port));
    own.or_else(|| sidecar.egress.iter().find(|egress| egress.port.is_none()))
}

/// Where a sidecar wants the listener of a port. Of a World that is seen through a view.
pub(crate) fn egress_binding(world: &World, port: u16) -> Binding {
    let sidecar = world.sidecars.first();
    let egress = sidecar.and_then(|sidecar| listener(sidecar, port));
    egress.map(|egress| egress.binding).unwrap_or_default()
}

/// Own namespaces were replaced by their names before.
fn names(host: &EgressHost, service: &Service) -> bool {
    let mut known = std::iter::once(&service.host).chain(&service.aliases);
    known.any(|name| host.shows(&service.namespace, name, ""))
}

/// The sidecar of a view, with the namespace of its callers in the place of a dot.
fn sidecar(world: &World, view: &View) -> Option<Sidecar> {
    let object = view.sidecar.as_ref()?;
    let found = world
        .sidecars
        .iter()
        .find(|sidecar| sidecar.object == *object)?;
    let mut sidecar = Sidecar::clone(found);
    let hosts = sidecar
        .egress
        .iter_mut()
        .flat_map(|egress| &mut egress.hosts);
    for host in hosts.filter(|host| host.namespace == EgressNamespace::Own) {
        if let Some(own) = &view.namespace {
            host.namespace = EgressNamespace::Named(own.clone());
        }
    }
    Some(sidecar)
}

fn destinations(service: &VirtualService) -> impl Iterator<Item = &Hostname> {
    let connections = service.tls.iter().chain(&service.tcp);
    let connections = connections.flat_map(|route| &route.to);
    let requests = service.http.iter().flat_map(|rule| match &rule.action {
        Action::Forward(to) => to.as_slice(),
        Action::Redirect(_) | Action::Respond { .. } => &[],
    });
    let mirrors = service.http.iter().flat_map(|rule| &rule.mirrors);
    let mirrors = mirrors.map(|mirror| &mirror.destination.host);
    let connections = connections.map(|to| &to.destination.host);
    let requests = requests.map(|to| &to.destination.host);
    connections.chain(requests).chain(mirrors)
}
