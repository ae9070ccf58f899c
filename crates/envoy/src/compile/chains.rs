//! The filter chains of a port: which connections go where before any request is read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use model::route::{ConnectionMatch, ConnectionRoute, VirtualService};
use model::{Capture, Cidr, Diagnostic, Endpoint, Hostname, Protocol, Resolution, Service, Spot};

use super::ports::{Asking, PortServices};
use crate::filter::Forward;
use crate::finding::{self, Text, code};
use crate::listener::outbound::{Chain, Hello};
use crate::names;
use crate::registry::Registry;
use crate::route::connection;

/// Collects the chains of one port. What is taken stays taken: Envoy refuses a listener, with all
/// its chains, for two that match the same.
pub(super) struct Chains<'a> {
    registry: &'a Registry,
    port: u16,
    asking: Asking<'a>,
    diagnostics: &'a mut Vec<Diagnostic>,
    tls: Vec<Chain>,
    names: BTreeMap<(Option<Cidr>, Hostname), (Hostname, Forward)>,
    destinations: BTreeMap<Option<Cidr>, (Hostname, Forward)>,
}

// === impl Chains ===

impl<'a> Chains<'a> {
    pub(super) fn new(
        registry: &'a Registry,
        port: u16,
        asking: Asking<'a>,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Chains<'a> {
        Chains {
            registry,
            port,
            asking,
            diagnostics,
            tls: Vec::new(),
            names: BTreeMap::new(),
            destinations: BTreeMap::new(),
        }
    }

    /// All chains, and the addresses at which HTTP needs chains as well.
    pub(super) fn of(mut self, services: &PortServices) -> (Vec<Chain>, Vec<Cidr>) {
        for service in &services.tls {
            if !self.server_names(service) {
                self.own_names(service);
            }
        }
        for service in &services.tcp {
            // What is TLS is found out on their ports as well.
            self.server_names(service);
        }
        self.addresses(&services.tcp);
        let others = self.destinations.into_iter();
        let tcp = others.map(|(destination, (_, to))| Chain {
            name: destination_name(destination, self.asking.capture, self.port),
            destination,
            hello: Hello::Anything,
            to,
        });
        let mut chains = self.tls;
        chains.extend(tcp);
        let mut at: BTreeSet<Cidr> = chains.iter().filter_map(|c| c.destination).collect();
        complete(&mut chains, &at, self.port);
        // A virtual address belongs to one service, whatever its connections begin with.
        for service in &services.tcp {
            service.addresses.iter().for_each(|own| {
                at.remove(own);
            });
        }
        (chains, at.into_iter().collect())
    }

    /// The tls routes of a service; `false` if none applies here.
    fn server_names(&mut self, service: &Service) -> bool {
        let Some(routes) = self.registry.routes().of(service).cloned() else {
            return false;
        };
        let mut any = false;
        for route in &routes.tls {
            for condition in self.admitted(route) {
                any = true;
                let to = self.forward(&routes, route, Protocol::Tls);
                let everywhere = condition.subnets.is_empty().then_some(None);
                let subnets = condition.subnets.iter().copied().map(Some);
                for destination in everywhere.into_iter().chain(subnets) {
                    self.take_names(service, destination, &condition.server_names, &to);
                }
            }
        }
        any
    }

    /// Without routes, a service is known by the server names that callers ask for.
    fn own_names(&mut self, service: &Service) {
        let names: Vec<Hostname> = std::iter::once(&service.host)
            .chain(&service.aliases)
            .cloned()
            .collect();
        let to = connection::own(service, self.registry, self.port);
        self.take_names(service, None, &names, &to);
    }

    fn take_names(
        &mut self,
        service: &Service,
        destination: Option<Cidr>,
        names: &[Hostname],
        to: &Forward,
    ) {
        let mut free: Vec<&Hostname> = Vec::new();
        for name in names {
            match self.names.get(&(destination, name.clone())) {
                None => {
                    let owner = (service.host.clone(), to.clone());
                    self.names.insert((destination, name.clone()), owner);
                    free.push(name);
                }
                // Envoy looks for one chain, so what comes later for a name is never reached.
                Some((owner, other)) if *owner != service.host && other != to => {
                    self.diagnostics.push(shared_name(service, self.port, name));
                }
                Some(_) => {}
            }
        }
        let Some(first) = free.first() else { return };
        let every = free.iter().find(|name| name.as_str() == "*");
        let name = names::server_name_chain(every.unwrap_or(first), self.port);
        self.tls.push(Chain {
            name: match destination {
                Some(subnet) => names::server_name_chain_at(&name, subnet),
                None => name,
            },
            destination,
            hello: Hello::Tls(match every {
                Some(_) => Vec::new(),
                None => free.iter().map(|name| name.to_string()).collect(),
            }),
            to: to.clone(),
        });
    }

    /// Where the application calls the proxy's own address, the port is all there is to go by;
    /// else each address of a service has a chain. The first service keeps an address.
    fn addresses(&mut self, services: &[std::sync::Arc<Service>]) {
        for service in services {
            let routes = self.tcp_routes(service);
            for (subnets, to) in &routes {
                for subnet in subnets {
                    self.take(Some(*subnet), service, to);
                }
            }
            for destination in self.destinations_of(service) {
                self.take(destination, service, route_at(&routes, destination));
            }
        }
    }

    /// Where callers connect to: the addresses of the service, failing these of its endpoints, and
    /// whatever address if nobody knows it beforehand.
    fn destinations_of(&self, service: &Service) -> BTreeSet<Option<Cidr>> {
        let known = service.resolution == Resolution::Static && service.named.is_empty();
        if self.asking.capture != Capture::Redirect || service.addresses.is_empty() && !known {
            return BTreeSet::from([None]);
        }
        if !service.addresses.is_empty() {
            return service.addresses.iter().copied().map(Some).collect();
        }
        let endpoints = self.registry.endpoints(&service.host, self.port);
        let mut all = addresses(endpoints, self.asking.spot);
        // Names that are addresses: those of DC/OS's load balancer.
        let aliases = service.aliases.iter();
        all.extend(aliases.filter_map(|name| name.as_str().parse::<IpAddr>().ok()));
        all.into_iter().map(|ip| Some(Cidr::from(ip))).collect()
    }

    /// The tcp routes of a service that apply here, in order. The last one takes everything.
    fn tcp_routes(&self, service: &Service) -> Vec<(Vec<Cidr>, Forward)> {
        let protocol = service.port(self.port).map(|port| port.protocol);
        let protocol = protocol.unwrap_or(Protocol::Tcp);
        let mut all = Vec::new();
        if let Some(routes) = self.registry.routes().of(service) {
            for route in &routes.tcp {
                let to = || self.forward(routes, route, protocol);
                if route.matches.is_empty() {
                    all.push((Vec::new(), to()));
                    return all;
                }
                for condition in self.admitted(route) {
                    all.push((condition.subnets.clone(), to()));
                    if condition.subnets.is_empty() {
                        return all;
                    }
                }
            }
        }
        let own = connection::own(service, self.registry, self.port);
        let own = own.with_mongo(protocol == Protocol::Mongo);
        all.push((Vec::new(), own));
        all
    }

    fn take(&mut self, destination: Option<Cidr>, service: &Service, to: &Forward) {
        match self.destinations.get(&destination) {
            None => {
                let owner = (service.host.clone(), to.clone());
                self.destinations.insert(destination, owner);
            }
            Some((owner, other)) if *owner != service.host && other != to => {
                let found = match destination {
                    Some(at) => shared_address(service, self.port, owner, at),
                    None => hidden(service, self.port),
                };
                self.diagnostics.push(found);
            }
            Some(_) => {}
        }
    }

    fn admitted<'r>(&self, route: &'r ConnectionRoute) -> Vec<&'r ConnectionMatch> {
        let place = connection::Place {
            gateways: &connection::MESH,
            port: self.port,
            caller: self.asking.caller,
        };
        let matches = route.matches.iter();
        matches.filter(|c| place.admits(c)).collect()
    }

    fn forward(
        &self,
        service: &VirtualService,
        route: &ConnectionRoute,
        protocol: Protocol,
    ) -> Forward {
        let to = connection::forward(service, route, self.registry, self.port);
        to.with_mongo(protocol == Protocol::Mongo)
    }
}

/// The first route that holds at a destination.
fn route_at(routes: &[(Vec<Cidr>, Forward)], destination: Option<Cidr>) -> &Forward {
    let holds = |subnets: &[Cidr]| {
        let mut covering = subnets.iter();
        subnets.is_empty() || covering.any(|s| destination.is_some_and(|d| s.covers(&d)))
    };
    let mut holding = routes.iter().filter(|(subnets, _)| holds(subnets));
    let (_, to) = holding.next().expect("the last route takes everything");
    to
}

/// Envoy looks at the narrowest address first and never comes back: each that is named gets all
/// chains of the wider ones that it has not itself.
fn complete(chains: &mut Vec<Chain>, at: &BTreeSet<Cidr>, port: u16) {
    let mut copies: Vec<Chain> = Vec::new();
    for subnet in at {
        let wider = |chain: &&Chain| match chain.destination {
            None => true,
            Some(wider) => wider != *subnet && wider.covers(subnet),
        };
        let mut wider: Vec<&Chain> = chains.iter().filter(wider).collect();
        wider.sort_by_key(|c| std::cmp::Reverse(c.destination.map(|d| d.length())));
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let own = chains.iter().filter(|c| c.destination == Some(*subnet));
        own.for_each(|chain| taken.extend(hellos(&chain.hello)));
        for chain in wider {
            let hello = match &chain.hello {
                Hello::Anything if !taken.insert(String::new()) => continue,
                Hello::Anything => Hello::Anything,
                Hello::Tls(names) if names.is_empty() => match taken.insert("*".to_owned()) {
                    true => Hello::Tls(Vec::new()),
                    false => continue,
                },
                Hello::Tls(names) => {
                    let free = names.iter().filter(|name| taken.insert((*name).clone()));
                    let free: Vec<String> = free.cloned().collect();
                    if free.is_empty() {
                        continue;
                    }
                    Hello::Tls(free)
                }
            };
            copies.push(Chain {
                name: copied_name(&hello, *subnet, port),
                destination: Some(*subnet),
                hello,
                to: chain.to.clone(),
            });
        }
    }
    // Before those that take anything, as operators read them.
    let end = chains.iter().position(|c| c.hello == Hello::Anything);
    let end = end.unwrap_or(chains.len());
    chains.splice(end..end, copies);
}

/// What a chain takes at its address.
fn hellos(hello: &Hello) -> Vec<String> {
    match hello {
        Hello::Anything => vec![String::new()],
        Hello::Tls(names) if names.is_empty() => vec!["*".to_owned()],
        Hello::Tls(names) => names.clone(),
    }
}

fn copied_name(hello: &Hello, at: Cidr, port: u16) -> String {
    match hello {
        Hello::Anything => names::destination_chain(at, port),
        Hello::Tls(names) => {
            let first = names.first().map_or("*", String::as_str);
            names::server_name_chain_at(&format!("{first}_{port}"), at)
        }
    }
}

fn destination_name(destination: Option<Cidr>, capture: Capture, port: u16) -> String {
    match destination {
        Some(at) => names::destination_chain(at, port),
        None => names::listener(super::sidecar::outbound_address(capture), port),
    }
}

/// Where callers connect to for a service without an address of its own: names resolve to the
/// machines that run it, and on the caller's own bridge also to the containers.
fn addresses(endpoints: &[Endpoint], caller: Option<Spot>) -> BTreeSet<IpAddr> {
    let each = endpoints.iter().flat_map(|endpoint| {
        let reach = &endpoint.reach;
        let machine = reach.same_bridge.map(|(bridge, _)| bridge.agent);
        let anywhere = reach.anywhere.map(|address| address.ip());
        let from_here = reach.from(caller).map(|address| address.ip());
        let also = reach.also.map(|address| address.ip());
        [machine, anywhere, also, from_here].into_iter().flatten()
    });
    each.collect()
}

fn hidden(service: &Service, port: u16) -> Diagnostic {
    let text = Text {
        why: "another TCP service has the same port, and an application that calls its proxy's \
              own address names nothing but the port"
            .to_owned(),
        effect: format!("connections to port {port} do not reach this service"),
        remedy: "give the service a port of its own, or declare it as HTTP or TLS".to_owned(),
    };
    conflict(service, port, text)
}

fn shared_address(service: &Service, port: u16, owner: &Hostname, at: Cidr) -> Diagnostic {
    let text = Text {
        why: format!("{owner} has the same TCP port on the same address {at}"),
        effect: format!("connections to {at}, port {port}, go to {owner}"),
        remedy: "give one of the services another port".to_owned(),
    };
    conflict(service, port, text)
}

fn shared_name(service: &Service, port: u16, name: &Hostname) -> Diagnostic {
    let text = Text {
        why: format!("another TLS service of the same port has the name {name} of this one"),
        effect: "connections for that name go to the other service".to_owned(),
        remedy: "give the name to one service only".to_owned(),
    };
    conflict(service, port, text)
}

fn conflict(service: &Service, port: u16, text: Text) -> Diagnostic {
    let object = finding::service(service);
    finding::warning(code::SERVICE_CONFLICT, object, format!("port {port}"), text)
}
