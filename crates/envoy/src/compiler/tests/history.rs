//! What can happen to a mesh, and what is then true.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::route::VirtualService;
use model::*;

use crate::fixtures::*;

/// Something happens.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Service(&'static str, Option<Claim>),
    /// Where a service is, and who sees it.
    Exported(&'static str, &'static str, ExportTo),
    /// Where a rule is, who sees it, and of whom it asks something.
    RuleFor(&'static str, &'static str, ExportTo, Option<Labels>),
    RoutesFor(&'static str, ExportTo),
    Sidecar(&'static str, Option<Sidecar>),
    /// A service entry turns a service into one that proxies are not told the endpoints of.
    Resolution(&'static str, Resolution, Vec<NamedEndpoint>),
    Endpoints(&'static str, u16, Vec<Endpoint>),
    Rule(&'static str, Option<(Policies, Vec<Subset>)>),
    Routes(&'static str, Option<VirtualService>),
    Gateway(&'static str, Option<Gateway>),
    Authorization(&'static str, Option<Authorization>),
    Tokens(&'static str, Option<RequestAuthentication>),
    Telemetry(&'static str, Option<Telemetry>),
    EnvoyFilter(&'static str, Option<EnvoyFilter>),
    Mesh(Box<Mesh>),
    Instance(usize, Option<Instance>),
    /// A policy of that name.
    Authentication(&'static str, Option<Authentication>),
    /// A proxy connects, or disconnects if it is there.
    Connection(usize),
}

/// Ports with their protocols, and aliases.
pub(super) type Claim = (Vec<(u16, &'static str)>, Vec<&'static str>);

/// All that is true.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth {
    mesh: Mesh,
    services: BTreeMap<&'static str, Service>,
    endpoints: BTreeMap<(&'static str, u16), Vec<Endpoint>>,
    rules: BTreeMap<&'static str, DestinationRule>,
    sidecars: BTreeMap<&'static str, Sidecar>,
    routes: BTreeMap<&'static str, VirtualService>,
    gateways: BTreeMap<&'static str, Gateway>,
    tokens: BTreeMap<&'static str, RequestAuthentication>,
    authorizations: BTreeMap<&'static str, Authorization>,
    telemetries: BTreeMap<&'static str, Telemetry>,
    envoy_filters: BTreeMap<&'static str, EnvoyFilter>,
    instances: BTreeMap<usize, Instance>,
    authentication: BTreeMap<&'static str, Authentication>,
}

pub(super) const AGENTS: &[&str] = &[AGENT_A, AGENT_B, "10.0.7.7"];
pub(super) const ATTACHMENTS: &[Attachment] = &[
    Attachment::Bridge(BridgeKind::Mesos),
    Attachment::Bridge(BridgeKind::Docker),
    Attachment::Agent,
    Attachment::Routed,
];
pub(super) const PROXIES: usize = 9;

impl Truth {
    /// Takes in an event; `false` if it is none of the World's.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        match event.clone() {
            Event::Service(name, value) => {
                set(
                    &mut self.services,
                    name,
                    value.map(|(ports, aliases)| service(name, &ports, &aliases)),
                );
            }
            Event::Exported(name, namespace, export_to) => {
                if let Some(service) = self.services.get_mut(name) {
                    service.namespace = namespace.into();
                    service.export_to = export_to;
                }
            }
            Event::RuleFor(name, namespace, export_to, selector) => {
                if let Some(rule) = self.rules.get_mut(name) {
                    rule.object.namespace = namespace.into();
                    rule.export_to = export_to;
                    rule.workload_selector = selector;
                }
            }
            Event::RoutesFor(name, export_to) => {
                if let Some(routes) = self.routes.get_mut(name) {
                    routes.export_to = export_to;
                }
            }
            Event::Sidecar(name, sidecar) => set(&mut self.sidecars, name, sidecar),
            Event::Resolution(name, resolution, named) => {
                if let Some(service) = self.services.get_mut(name) {
                    service.resolution = resolution;
                    service.named = named;
                }
            }
            Event::Endpoints(name, port, endpoints) => {
                self.endpoints.insert((name, port), endpoints);
            }
            Event::Rule(name, said) => {
                let rule = |(policies, subsets)| DestinationRule {
                    object: object("DestinationRule", name),
                    host: host(name),
                    policies,
                    subsets,
                    export_to: ExportTo::All,
                    workload_selector: None,
                };
                set(&mut self.rules, name, said.map(rule));
            }
            Event::Routes(name, value) => set(&mut self.routes, name, value),
            Event::Gateway(name, value) => set(&mut self.gateways, name, value),
            Event::Tokens(name, value) => set(&mut self.tokens, name, value),
            Event::Authorization(name, value) => set(&mut self.authorizations, name, value),
            Event::Telemetry(name, value) => set(&mut self.telemetries, name, value),
            Event::EnvoyFilter(name, value) => set(&mut self.envoy_filters, name, value),
            Event::Mesh(mesh) => self.mesh = *mesh,
            Event::Instance(at, value) => set(&mut self.instances, at, value),
            Event::Authentication(name, value) => set(&mut self.authentication, name, value),
            Event::Connection(_) => return false,
        }
        true
    }

    pub(super) fn world(&self, generation: u64) -> World {
        let services = self.services.values();
        let mut endpoints: BTreeMap<ServicePort, Arc<[Endpoint]>> = BTreeMap::new();
        for service in services.clone() {
            for port in &service.ports {
                let key = ServicePort {
                    host: service.host.clone(),
                    port: port.number,
                };
                endpoints.insert(key, Arc::new([]));
            }
        }
        for ((name, port), list) in &self.endpoints {
            let key = ServicePort {
                host: host(name),
                port: *port,
            };
            if let Some(known) = endpoints.get_mut(&key) {
                *known = list.clone().into();
            }
        }
        let services = services.map(|s| (s.host.clone(), Arc::new(s.clone())));
        let instances = self.instances.values();
        let instances = instances.map(|i| (i.id.clone(), Arc::new(i.clone())));
        World {
            generation,
            mesh: Arc::new(self.mesh.clone()),
            services: BTreeMap::from_iter(services).into(),
            endpoints: endpoints.into(),
            instances: BTreeMap::from_iter(instances).into(),
            standings: Default::default(),
            virtual_services: self.routes.values().cloned().map(Arc::new).collect(),
            destination_rules: self.rules.values().cloned().map(Arc::new).collect(),
            gateways: self.gateways.values().cloned().map(Arc::new).collect(),
            authentication: self
                .authentication
                .values()
                .cloned()
                .map(Arc::new)
                .collect(),
            authorizations: (self.authorizations.values().cloned().map(Arc::new)).collect(),
            request_authentications: self.tokens.values().cloned().map(Arc::new).collect(),
            telemetries: self.telemetries.values().cloned().map(Arc::new).collect(),
            envoy_filters: by_priority(self.envoy_filters.values()),
            sidecars: self.sidecars.values().cloned().map(Arc::new).collect(),
            caller: None,
            diagnostics: Arc::new([]),
        }
    }

    /// Who a proxy is: of several roles, places, captures and domains.
    pub(super) fn proxy(&self, at: usize) -> Proxy {
        let instance = self.instances.get(&at).cloned().map(Arc::new);
        let claimed = Labels::from_iter([("version", ["v1", "v2"][at % 2])]);
        let known = instance.as_deref();
        Proxy {
            id: format!("proxy-{at}").into(),
            role: if at % 4 == 3 {
                Role::Router
            } else {
                Role::Sidecar
            },
            namespace: ["default", "other"][at / 2 % 2].into(),
            labels: known.map_or(claimed, |i| i.labels.clone()),
            spot: match known {
                Some(known) => known.agent.and_then(|agent| known.attachment.spot(agent)),
                None if at == 6 => None,
                None => ATTACHMENTS[at % 4].spot(ip(AGENTS[at % 3])),
            },
            domain: [DOMAIN, "slave.mesos"][usize::from(at == 5)].into(),
            capture: match at {
                2 | 7 => Capture::Explicit {
                    outbound: ip("127.0.2.9"),
                },
                8 => Capture::Explicit {
                    outbound: ip("172.17.0.8"),
                },
                _ => Capture::Redirect,
            },
            application: ip("127.0.0.1"),
            identity: super::authentication::identity(at),
            instance,
        }
    }
}

fn by_priority<'a>(filters: impl Iterator<Item = &'a EnvoyFilter>) -> Arc<[Arc<EnvoyFilter>]> {
    let mut filters: Vec<Arc<EnvoyFilter>> = filters.cloned().map(Arc::new).collect();
    filters.sort_by_key(|filter| filter.priority);
    filters.into()
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

fn service(name: &str, ports: &[(u16, &str)], aliases: &[&str]) -> Service {
    let port = |(number, protocol): &(u16, &str)| Port {
        number: *number,
        name: (*protocol).into(),
        protocol: Protocol::parse(protocol).unwrap(),
    };
    let mut ports: Vec<Port> = ports.iter().map(port).collect();
    ports.sort_by_key(|port| port.number);
    ports.dedup_by_key(|port| port.number);
    Service {
        ports,
        aliases: aliases.iter().map(|alias| host(alias)).collect(),
        subject_alt_names: vec![format!("spiffe://cluster.local/ns/default/sa/{name}")],
        ..Service::new(host(name), "default".into())
    }
}
