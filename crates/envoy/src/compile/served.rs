//! The filter chains of a gateway's port: what its servers take, and where connections go.

use std::collections::BTreeSet;

use model::gateway::Security;
use model::route::{ConnectionRoute, GatewayRef, VirtualService};
use model::{Cidr, Diagnostic, Gateway, Hostname, Labels, Protocol, Proxy, Server};

use crate::dynamic;
use crate::finding::{self, Text, code};
use crate::gateway::{Bound, Layer, Servers};
use crate::listener::{Served, ServedTo};
use crate::names;
use crate::registry::Registry;
use crate::route::{Caller, connection, meeting};

/// Collects the chains of one port. Of two that match the same, the first stays: Envoy refuses a
/// listener, with all its chains, for the second.
pub(super) struct ServedChains<'a> {
    registry: &'a Registry,
    bound: Bound,
    labels: &'a Labels,
    namespace: &'a str,
    diagnostics: &'a mut Vec<Diagnostic>,
    taken: BTreeSet<(Option<Cidr>, String)>,
    chains: Vec<Served>,
}

/// A server, and who it belongs to.
type Owned<'a> = (&'a Gateway, &'a Server);

// === impl ServedChains ===

impl<'a> ServedChains<'a> {
    pub(super) fn new(
        registry: &'a Registry,
        bound: Bound,
        proxy: &'a Proxy,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> ServedChains<'a> {
        ServedChains {
            registry,
            bound,
            labels: &proxy.labels,
            namespace: &proxy.namespace,
            diagnostics,
            taken: BTreeSet::new(),
            chains: Vec::new(),
        }
    }

    pub(super) fn of(mut self, servers: &Servers<'_>) -> Vec<Served> {
        let layer = servers.first().map(|(_, server)| Layer::of(server));
        if layer == Some(Layer::Http) {
            return vec![self.requests(servers)];
        }
        for owned in servers {
            let before = self.chains.len();
            match (&owned.1.security, owned.1.protocol) {
                (Security::Terminate(_), Protocol::Https) => self.terminated_requests(*owned),
                (Security::Passthrough, _) => self.passed_through(*owned),
                _ => self.connections(*owned),
            }
            if self.chains.len() == before {
                self.diagnostics.push(idle(*owned));
            }
        }
        self.chains
    }

    /// Plaintext HTTP: the host header tells the servers apart.
    fn requests(&self, servers: &Servers<'_>) -> Served {
        let mut protocols = servers.iter().map(|(_, server)| server.protocol);
        Served {
            name: String::new(),
            destination: None,
            server_names: Vec::new(),
            terminate: None,
            to: ServedTo::Requests {
                routes: names::gateway_routes(self.bound.port, self.bound.address),
                grpc_web: protocols.any(|protocol| protocol == Protocol::GrpcWeb),
                resolving: dynamic::at_servers(self.registry, servers),
            },
        }
    }

    fn terminated_requests(&mut self, owned: Owned<'_>) {
        let routes = names::gateway_tls_routes(owned.0, owned.1);
        let to = ServedTo::Requests {
            routes: routes.clone(),
            grpc_web: false,
            resolving: dynamic::at_servers(self.registry, &[owned]),
        };
        let hosts = owned.1.hosts.iter().map(|open| open.host.clone());
        self.take(owned, routes, None, &hosts.collect(), to);
    }

    /// What is not decrypted goes by the server names of tls routes.
    fn passed_through(&mut self, owned: Owned<'_>) {
        for service in self.bound_services(owned) {
            for route in &service.tls {
                let matches = route.matches.iter();
                let place = self.place(owned);
                let matches = matches.filter(|c| place.admits(c)).collect::<Vec<_>>();
                for condition in matches {
                    let open = owned.1.hosts.iter();
                    let meeting = open.flat_map(|open| {
                        let names = condition.server_names.iter();
                        names.filter_map(|name| name.intersect(&open.host))
                    });
                    let meeting: BTreeSet<Hostname> = meeting.collect();
                    let to = self.forward(&service, route, owned.1);
                    for destination in destinations(&condition.subnets) {
                        let Some(first) = meeting.first() else {
                            continue;
                        };
                        let name = names::server_name_chain(first, self.bound.port);
                        let name = match destination {
                            Some(subnet) => names::server_name_chain_at(&name, subnet),
                            None => name,
                        };
                        self.take(owned, name, destination, &meeting, to.clone());
                    }
                }
            }
        }
    }

    /// What is no HTTP, in plaintext or decrypted, goes by tcp routes: the first that applies.
    fn connections(&mut self, owned: Owned<'_>) {
        let hosts: BTreeSet<Hostname> = match Layer::of(owned.1) {
            Layer::Tls => owned.1.hosts.iter().map(|open| open.host.clone()).collect(),
            _ => BTreeSet::from([Hostname::parse("*").expect("a star is a host")]),
        };
        for service in self.bound_services(owned) {
            for route in &service.tcp {
                let mut subnets: BTreeSet<Option<Cidr>> = BTreeSet::new();
                if route.matches.is_empty() {
                    subnets.insert(None);
                }
                let place = self.place(owned);
                for condition in route.matches.iter().filter(|c| place.admits(c)) {
                    subnets.extend(destinations(&condition.subnets));
                }
                let to = self.forward(&service, route, owned.1);
                // The narrower come first, lest the rest takes their names.
                for destination in subnets.into_iter().rev() {
                    let free = |host: &Hostname| !self.has(destination, host);
                    if !hosts.iter().any(free) {
                        continue;
                    }
                    let name = self.connection_name(owned.1, destination);
                    self.take(owned, name, destination, &hosts, to.clone());
                }
            }
        }
    }

    fn connection_name(&self, server: &Server, destination: Option<Cidr>) -> String {
        let name = match destination {
            Some(subnet) => names::destination_chain(subnet, self.bound.port),
            None => format!("0.0.0.0_{}", self.bound.port),
        };
        match Layer::of(server) {
            Layer::Tls => format!("{name}_{}", server.name),
            _ => name,
        }
    }

    /// The virtual services that are bound to a server and have a host in common with it.
    fn bound_services(&self, owned: Owned<'_>) -> Vec<std::sync::Arc<VirtualService>> {
        let services = self.registry.world.virtual_services.iter();
        let bound = services.filter(|service| !meeting(owned.0, owned.1, service).is_empty());
        bound.cloned().collect()
    }

    fn place<'p>(&'p self, owned: Owned<'_>) -> GatewayPlace<'p> {
        GatewayPlace {
            gateway: [GatewayRef::Gateway {
                namespace: owned.0.object.namespace.clone(),
                name: owned.0.object.name.clone(),
            }],
            port: self.bound.port,
            labels: self.labels,
            namespace: self.namespace,
        }
    }

    fn forward(
        &self,
        service: &VirtualService,
        route: &ConnectionRoute,
        server: &Server,
    ) -> ServedTo {
        let to = connection::forward(service, route, self.registry, self.bound.port);
        ServedTo::Connections(to.with_mongo(server.protocol == Protocol::Mongo))
    }

    fn has(&self, destination: Option<Cidr>, host: &Hostname) -> bool {
        self.taken.contains(&(destination, host.to_string()))
    }

    fn take(
        &mut self,
        owned: Owned<'_>,
        name: String,
        destination: Option<Cidr>,
        hosts: &BTreeSet<Hostname>,
        to: ServedTo,
    ) {
        let (gateway, server) = owned;
        let taken: Vec<&Hostname> = hosts.iter().filter(|h| self.has(destination, h)).collect();
        if let Some(host) = taken.first() {
            let again = self.chains.iter().any(|chain| chain.name == name);
            if !again {
                self.diagnostics.push(shared(gateway, server, host));
            }
        }
        let free: Vec<String> = hosts
            .iter()
            .filter(|host| !taken.contains(host))
            .map(Hostname::to_string)
            .collect();
        if free.is_empty() {
            return;
        }
        self.taken
            .extend(free.iter().map(|host| (destination, host.clone())));
        // The star stands for every name, which is no condition; it cannot be a name among others.
        let (every, some): (Vec<String>, Vec<String>) = free.into_iter().partition(|h| h == "*");
        let terminate = match &server.security {
            Security::Terminate(tls) => Some(tls.clone()),
            _ => None,
        };
        self.chains.push(Served {
            name,
            destination,
            server_names: if every.is_empty() { some } else { Vec::new() },
            terminate,
            to,
        });
    }
}

/// A gateway as the place of connection routes.
struct GatewayPlace<'a> {
    gateway: [GatewayRef; 1],
    port: u16,
    labels: &'a Labels,
    namespace: &'a str,
}

impl GatewayPlace<'_> {
    fn admits(&self, condition: &model::route::ConnectionMatch) -> bool {
        let place = connection::Place {
            gateways: &self.gateway,
            port: self.port,
            caller: Caller::Workload {
                labels: self.labels,
                namespace: self.namespace,
            },
        };
        place.admits(condition)
    }
}

fn destinations(subnets: &[Cidr]) -> Vec<Option<Cidr>> {
    match subnets {
        [] => vec![None],
        subnets => subnets.iter().copied().map(Some).collect(),
    }
}

fn idle((gateway, server): Owned<'_>) -> Diagnostic {
    let routes = match server.security {
        Security::Passthrough => "tls",
        _ => "tcp",
    };
    let text = Text {
        why: format!(
            "no {routes} route of a virtual service that is bound to the gateway applies to this \
             server"
        ),
        effect: "connections to it are closed".to_owned(),
        remedy: format!("bind a virtual service with {routes} routes for its hosts"),
    };
    let field = format!("spec.servers[{}]", server.position);
    finding::warning(
        code::SERVER_WITHOUT_ROUTE,
        Some(gateway.object.clone()),
        field,
        text,
    )
}

fn shared(gateway: &Gateway, server: &Server, host: &Hostname) -> Diagnostic {
    let text = Text {
        why: format!(
            "an older server or route of port {} has the server name {host}",
            server.port
        ),
        effect: "connections that ask for it go there".to_owned(),
        remedy: "name each host in one server of a port only".to_owned(),
    };
    let field = format!("spec.servers[{}].hosts", server.position);
    finding::warning(
        code::SERVER_NAME_TAKEN,
        Some(gateway.object.clone()),
        field,
        text,
    )
}
