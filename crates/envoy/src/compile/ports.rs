//! What the services of the mesh have on each port, as outbound listeners need it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use model::{Capture, Diagnostic, Endpoint, Hostname, Protocol, Reporting, Service};

use crate::cluster::unknown_destination;
use crate::filter::Handling;
use crate::finding::{self, Text, code};
use crate::listener::outbound::{HttpPort, OutboundKey, TcpChain, TlsChain};
use crate::names;
use crate::registry::Registry;

/// The services on one port, by how their traffic is told apart. In order of their names.
#[derive(Debug, Default)]
pub(crate) struct PortServices {
    pub(crate) http: Vec<Arc<Service>>,
    grpc_web: bool,
    tls: Vec<Arc<Service>>,
    tcp: Vec<Arc<Service>>,
}

/// Who asks for a listener, as far as that matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) capture: Capture,
    /// The machine of the asking proxy.
    pub(crate) agent: Option<IpAddr>,
    /// What it tells of requests, if that is not what the mesh does.
    pub(crate) reporting: Option<&'a Reporting>,
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
        self.http.is_empty() && !self.tcp.is_empty()
    }

    /// Whether proxies on a machine see other addresses than those elsewhere.
    pub(crate) fn differs_on(&self, agent: IpAddr, port: u16, registry: &Registry) -> bool {
        let mut services = self.tcp.iter();
        self.is_by_address()
            && services.any(|service| {
                let mut endpoints = registry.endpoints(&service.host, port).iter();
                endpoints.any(|e| e.reach.same_agent.is_some_and(|(own, _)| own == agent))
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
        let http = (!self.http.is_empty()).then(|| HttpPort {
            routes: names::sidecar_routes(port),
            grpc_web: self.grpc_web,
        });
        let tcp = match (&http, redirected) {
            (Some(_), _) => self.tcp_beside_http(port, diagnostics),
            (None, true) => self.tcp_by_address(port, registry, asking.agent, diagnostics),
            (None, false) => self.tcp_alone(port, diagnostics),
        };
        let mut tls = self.tls_chains(port, diagnostics);
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
            handling: Handling::new(mesh, asking.reporting),
        })
    }

    /// A service is known by the server names that callers ask for; the first keeps a name.
    fn tls_chains(&self, port: u16, diagnostics: &mut Vec<Diagnostic>) -> Vec<TlsChain> {
        let mut taken = BTreeSet::new();
        let mut chains = Vec::new();
        for service in &self.tls {
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
                cluster: cluster(service, port),
            });
        }
        chains
    }

    /// One chain for each address of each service; the first service keeps an address.
    fn tcp_by_address(
        &self,
        port: u16,
        registry: &Registry,
        agent: Option<IpAddr>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<TcpChain> {
        let mut owners: BTreeMap<IpAddr, (&Service, String)> = BTreeMap::new();
        for service in &self.tcp {
            for ip in addresses(registry.endpoints(&service.host, port), agent) {
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
    fn tcp_alone(&self, port: u16, diagnostics: &mut Vec<Diagnostic>) -> Vec<TcpChain> {
        let mut services = self.tcp.iter();
        let first = services.next();
        for service in services {
            let why = "another TCP service has the same port, and an application that calls its \
                       proxy's own address names nothing but the port";
            diagnostics.push(hidden(service, port, why.to_owned()));
        }
        let chain = first.map(|service| TcpChain {
            destination: None,
            cluster: cluster(service, port),
        });
        chain.into_iter().collect()
    }

    fn tcp_beside_http(&self, port: u16, diagnostics: &mut Vec<Diagnostic>) -> Vec<TcpChain> {
        for service in &self.tcp {
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

fn cluster(service: &Service, port: u16) -> String {
    names::outbound_cluster(port, None, &service.host)
}

fn hidden(service: &Service, port: u16, why: String) -> Diagnostic {
    let text = Text {
        why,
        effect: format!("connections to port {port} do not reach this service"),
        remedy: "give the service a port of its own, or declare it as HTTP or TLS".to_owned(),
    };
    conflict(service, port, text)
}

fn shared_address(service: &Service, port: u16, owner: &Service, ip: IpAddr) -> Diagnostic {
    let text = Text {
        why: format!(
            "{} has the same TCP port on the same address {ip}",
            owner.host
        ),
        effect: format!("connections to {ip}:{port} go to {}", owner.host),
        remedy: "give one of the services another port".to_owned(),
    };
    conflict(service, port, text)
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
