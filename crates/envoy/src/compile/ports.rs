//! What the services of the mesh have on each port, as outbound listeners need it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use model::{Capture, Diagnostic, Endpoint, Hostname, Mesh, Port, Protocol, Proxy, Service};

use super::services::ports;
use crate::cluster::unknown_destination;
use crate::finding::{self, Text, code};
use crate::listener::outbound::{HttpPort, OutboundKey, TcpChain, TlsChain};
use crate::names;
use crate::registry::Registry;

/// The services on one port, by how their traffic is told apart. In order of their names.
#[derive(Default)]
pub(super) struct PortServices<'w> {
    pub(super) http: Vec<&'w Service>,
    grpc_web: bool,
    tls: Vec<(&'w Service, &'w Port)>,
    tcp: Vec<(&'w Service, &'w Port)>,
}

pub(super) fn by_port<'w>(registry: &Registry<'w>) -> BTreeMap<u16, PortServices<'w>> {
    let mut by_port: BTreeMap<u16, PortServices<'w>> = BTreeMap::new();
    for service in registry.services() {
        for port in ports(service) {
            let services = by_port.entry(port.number).or_default();
            services.add(service, port);
        }
    }
    by_port
}

// === impl PortServices ===

impl<'w> PortServices<'w> {
    fn add(&mut self, service: &'w Service, port: &'w Port) {
        match port.protocol {
            Protocol::Https | Protocol::Tls => self.tls.push((service, port)),
            protocol if protocol.is_http() => {
                self.grpc_web |= protocol == Protocol::GrpcWeb;
                self.http.push(service);
            }
            _ => self.tcp.push((service, port)),
        }
    }

    /// What the listener of this port depends on; `None` if nothing is to be taken there.
    pub(super) fn listener<'a>(
        &self,
        address: SocketAddr,
        mesh: &'a Mesh,
        registry: &Registry<'_>,
        proxy: &Proxy,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<OutboundKey<'a>> {
        let redirected = proxy.capture == Capture::Redirect;
        let http = (!self.http.is_empty()).then(|| HttpPort {
            routes: names::sidecar_routes(address.port()),
            grpc_web: self.grpc_web,
        });
        let tcp = match (&http, redirected) {
            (Some(_), _) => self.tcp_beside_http(diagnostics),
            (None, true) => self.tcp_by_address(registry, proxy, diagnostics),
            (None, false) => self.tcp_alone(diagnostics),
        };
        let mut tls = self.tls_chains(address.port(), diagnostics);
        tls.extend(beside(&tls, &tcp));
        let empty = http.is_none() && tls.is_empty() && tcp.is_empty();
        (!empty).then(|| OutboundKey {
            address,
            bind: !redirected,
            http,
            tls,
            tcp,
            // Who is called at its own address has no other destination to go to.
            unmatched: redirected.then(|| unknown_destination(mesh.outbound)),
            access_log: mesh.access_log.as_deref(),
        })
    }

    /// A service is known by the server names that callers ask for; the first keeps a name.
    fn tls_chains(&self, port: u16, diagnostics: &mut Vec<Diagnostic>) -> Vec<TlsChain> {
        let mut taken = BTreeSet::new();
        let mut chains = Vec::new();
        for (service, service_port) in &self.tls {
            let names = std::iter::once(&service.host).chain(&service.aliases);
            let free: Vec<&Hostname> = names.filter(|name| taken.insert(*name)).collect();
            if free.len() <= service.aliases.len() {
                diagnostics.push(shared_name(service, port));
            }
            if free.is_empty() {
                continue;
            }
            let every = free.iter().any(|name| name.as_str() == "*");
            chains.push(TlsChain {
                name: names::server_name_chain(&service.host, port),
                server_names: match every {
                    true => Vec::new(),
                    false => free.iter().map(|name| name.to_string()).collect(),
                },
                destination: None,
                cluster: cluster(service, service_port),
            });
        }
        chains
    }

    /// One chain for each address of each service; the first service keeps an address.
    fn tcp_by_address(
        &self,
        registry: &Registry<'_>,
        proxy: &Proxy,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<TcpChain> {
        let mut owners: BTreeMap<IpAddr, (&Service, String)> = BTreeMap::new();
        for (service, port) in &self.tcp {
            for ip in addresses(registry.endpoints(service, port), proxy.agent) {
                match owners.get(&ip) {
                    Some((owner, _)) => {
                        diagnostics.push(shared_address(service, port, owner, ip));
                    }
                    None => {
                        owners.insert(ip, (service, cluster(service, port)));
                    }
                }
            }
        }
        let chains = owners.into_iter();
        chains
            .map(|(ip, (_, cluster))| TcpChain {
                destination: Some(ip),
                cluster,
            })
            .collect()
    }

    /// Where the application calls the proxy's own address, the port is all there is to go by.
    fn tcp_alone(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<TcpChain> {
        let mut services = self.tcp.iter();
        let first = services.next();
        for (service, port) in services {
            let why = "another TCP service has the same port, and an application that calls its \
                       proxy's own address names nothing but the port";
            diagnostics.push(hidden(service, port, why.to_owned()));
        }
        let chain = first.map(|(service, port)| TcpChain {
            destination: None,
            cluster: cluster(service, port),
        });
        chain.into_iter().collect()
    }

    fn tcp_beside_http(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<TcpChain> {
        for (service, port) in &self.tcp {
            let why = "an HTTP service has the same port, and its listener takes all connections";
            diagnostics.push(hidden(service, port, why.to_owned()));
        }
        Vec::new()
    }
}

/// The TLS chains again, for each address that TCP chains have.
fn beside(tls: &[TlsChain], tcp: &[TcpChain]) -> Vec<TlsChain> {
    let addresses = tcp.iter().filter_map(|chain| chain.destination);
    let at = |ip| {
        tls.iter().map(move |chain| TlsChain {
            destination: Some(ip),
            ..chain.clone()
        })
    };
    addresses.flat_map(at).collect()
}

/// Where callers connect to for a service without an address of its own: names resolve to the
/// machines that run it, and on the caller's own machine also to the containers.
fn addresses(endpoints: &[Endpoint], agent: Option<IpAddr>) -> BTreeSet<IpAddr> {
    let each = endpoints.iter().flat_map(|endpoint| {
        let reach = &endpoint.reach;
        let machine = reach.same_agent.map(|(machine, _)| machine);
        let anywhere = reach.anywhere.map(|address| address.ip());
        let from_here = reach.from_agent(agent).map(|address| address.ip());
        [machine, anywhere, from_here].into_iter().flatten()
    });
    each.collect()
}

fn cluster(service: &Service, port: &Port) -> String {
    names::outbound_cluster(port.number, None, &service.host)
}

fn hidden(service: &Service, port: &Port, why: String) -> Diagnostic {
    let text = Text {
        why,
        effect: format!(
            "connections to port {} do not reach this service",
            port.number
        ),
        remedy: "give the service a port of its own, or declare it as HTTP or TLS".to_owned(),
    };
    conflict(service, port.number, text)
}

fn shared_address(service: &Service, port: &Port, owner: &Service, ip: IpAddr) -> Diagnostic {
    let text = Text {
        why: format!(
            "{} has the same TCP port on the same address {ip}",
            owner.host
        ),
        effect: format!("connections to {ip}:{} go to {}", port.number, owner.host),
        remedy: "give one of the services another port".to_owned(),
    };
    conflict(service, port.number, text)
}

fn shared_name(service: &Service, port: u16) -> Diagnostic {
    let text = Text {
        why: "another TLS service of the same port has a name of this one".to_owned(),
        effect: "connections for that name go to the other service".to_owned(),
        remedy: "give the name to one service only".to_owned(),
    };
    conflict(service, port, text)
}

fn conflict(service: &Service, port: u16, text: Text) -> Diagnostic {
    let object = finding::service(service);
    finding::warning(code::SERVICE_CONFLICT, object, format!("port {port}"), text)
}
