//! Small Worlds for tests, and compiled resources as JSON.

pub(crate) mod extensions;
pub(crate) mod policies;
pub(crate) mod rendered;
pub(crate) mod rich;
pub(crate) mod routes;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use model::reporting::{Collector, LogFormat};
use model::route::{Share, VirtualService};
use model::*;

pub(crate) use rendered::{Rendered, render};

pub(crate) const DOMAIN: &str = "marathon.slave.mesos";
pub(crate) const AGENT_A: &str = "10.0.1.91";
pub(crate) const AGENT_B: &str = "10.0.4.101";

/// A World in the making.
#[derive(Default, Clone)]
pub(crate) struct Draft {
    pub(crate) mesh: Mesh,
    services: Vec<Service>,
    endpoints: Vec<(ServicePort, Endpoint)>,
    pub(crate) virtual_services: Vec<VirtualService>,
    pub(crate) destination_rules: Vec<DestinationRule>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) telemetries: Vec<Telemetry>,
    pub(crate) envoy_filters: Vec<EnvoyFilter>,
}

/// `reviews` is completed, `reviews.example.com` and `*` are not.
pub(crate) fn host(name: &str) -> Hostname {
    let full = match name.contains('.') || name == "*" {
        true => name.to_owned(),
        false => format!("{name}.{DOMAIN}"),
    };
    Hostname::parse(&full).unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A log to this file, and spans to `zipkin.example.com`.
pub(crate) fn reporting(log: &str) -> Reporting {
    let log = AccessLog {
        path: log.into(),
        format: LogFormat::Text,
        filter: None,
    };
    Reporting {
        access_logs: vec![log],
        tracing: Some(Arc::new(tracing("zipkin.example.com"))),
    }
}

pub(crate) fn tracing(collector: &str) -> Tracing {
    Tracing {
        collector: Arc::new(Collector {
            name: "zipkin".into(),
            host: collector.into(),
            in_mesh: collector.ends_with(DOMAIN),
            port: 9411,
            max_tag_length: None,
        }),
        sampling: Share::ALL,
        tags: BTreeMap::new(),
        max_path_tag_length: None,
        report_spans: true,
        propagate: true,
        sample_by_request_id: true,
    }
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn version(version: &str) -> Labels {
    Labels::from_iter([("version", version)])
}

pub(crate) fn object(kind: &'static str, name: &str) -> ObjectRef {
    ObjectRef {
        kind,
        namespace: "default".into(),
        name: name.into(),
    }
}

/// On the bridge of an agent: the container's address there, the agent's elsewhere.
pub(crate) fn bridge(agent: &str, host_port: u16, container: &str) -> Reach {
    let agent = ip(agent);
    Reach {
        anywhere: Some(SocketAddr::new(agent, host_port)),
        also: None,
        same_bridge: Some((mesos(agent), at(container))),
    }
}

/// Mesos' bridge of an agent.
pub(crate) fn mesos(agent: IpAddr) -> Bridge {
    let kind = BridgeKind::Mesos;
    Bridge { agent, kind }
}

/// Where those on Mesos' bridge of an agent call from.
pub(crate) fn beside(agent: &str) -> Option<Spot> {
    Some(Spot::Bridge(mesos(ip(agent))))
}

impl Draft {
    pub(crate) fn service(mut self, name: &str, ports: &[(u16, &str)]) -> Draft {
        let ports = ports.iter().map(|(number, protocol)| Port {
            number: *number,
            name: (*protocol).into(),
            protocol: Protocol::parse(protocol).unwrap(),
        });
        self.services.push(Service {
            ports: ports.collect(),
            ..Service::new(host(name), "default".into())
        });
        self
    }

    pub(crate) fn alias(mut self, alias: &str) -> Draft {
        let service = self.services.last_mut().unwrap();
        service.aliases.push(host(alias));
        self
    }

    pub(crate) fn endpoint(self, name: &str, port: u16, labels: Labels, reach: Reach) -> Draft {
        self.endpoint_with(name, port, labels, reach, |_| {})
    }

    pub(crate) fn endpoint_with(
        mut self,
        name: &str,
        port: u16,
        labels: Labels,
        reach: Reach,
        change: impl FnOnce(&mut Endpoint),
    ) -> Draft {
        let id = format!("{name}.instance-{}", self.endpoints.len());
        let mut endpoint = Endpoint {
            instance: InstanceId::from(id.as_str()),
            labels,
            locality: Locality::default(),
            weight: 1,
            health: Health::Healthy,
            reach,
        };
        change(&mut endpoint);
        let host = host(name);
        self.endpoints.push((ServicePort { host, port }, endpoint));
        self
    }

    pub(crate) fn subsets(mut self, name: &str, versions: &[&str]) -> Draft {
        let subset = |name: &&str| Subset {
            name: (*name).to_owned(),
            labels: version(name),
            policies: Policies::default(),
        };
        self.destination_rules.push(DestinationRule {
            object: object("DestinationRule", name),
            host: host(name),
            policies: Policies::default(),
            subsets: versions.iter().map(subset).collect(),
            export_to: ExportTo::All,
            workload_selector: None,
        });
        self
    }

    pub(crate) fn virtual_service(mut self, service: VirtualService) -> Draft {
        self.virtual_services.push(service);
        self
    }

    /// A gateway for `istio: ingressgateway` that serves these ports for these hosts.
    pub(crate) fn gateway(mut self, name: &str, all: &[(u16, &str, &[&str])]) -> Draft {
        let servers = all.iter().enumerate();
        let first = |protocol: &str| all.iter().position(|(_, p, _)| *p == protocol);
        let server = |(position, (port, protocol, hosts)): (usize, &(u16, &str, &[&str]))| Server {
            position,
            port: *port,
            // Names are unique, as routes are named after them.
            name: match first(protocol) == Some(position) {
                true => (*protocol).into(),
                false => format!("{protocol}-{position}").into(),
            },
            protocol: Protocol::parse(protocol).unwrap(),
            hosts: hosts.iter().map(|h| server_host(h)).collect(),
            bind: None,
            security: security(protocol),
        };
        self.gateways.push(Gateway {
            object: object("Gateway", name),
            selector: Labels::from_iter([("istio", "ingressgateway")]),
            servers: servers.map(server).collect(),
        });
        self
    }

    /// Adds the services and endpoints of another draft, last first.
    pub(crate) fn take_reversed(&mut self, other: Draft) {
        self.services.extend(other.services.into_iter().rev());
        self.endpoints.extend(other.endpoints.into_iter().rev());
    }

    pub(crate) fn world(self) -> World {
        let mut endpoints: BTreeMap<ServicePort, Vec<Endpoint>> = BTreeMap::new();
        for service in &self.services {
            for port in &service.ports {
                let key = ServicePort {
                    host: service.host.clone(),
                    port: port.number,
                };
                endpoints.entry(key).or_default();
            }
        }
        for (key, endpoint) in self.endpoints {
            endpoints.entry(key).or_default().push(endpoint);
        }
        let endpoints = endpoints.into_iter().map(|(key, mut list)| {
            list.sort_by(|a, b| a.instance.cmp(&b.instance));
            (key, Arc::from(list))
        });
        let services = self.services.into_iter();
        World {
            generation: 1,
            mesh: Arc::new(self.mesh),
            services: services.map(|s| (s.host.clone(), Arc::new(s))).collect(),
            endpoints: endpoints.collect(),
            virtual_services: self.virtual_services.into_iter().map(Arc::new).collect(),
            destination_rules: self.destination_rules.into_iter().map(Arc::new).collect(),
            gateways: self.gateways.into_iter().map(Arc::new).collect(),
            telemetries: self.telemetries.into_iter().map(Arc::new).collect(),
            envoy_filters: self.envoy_filters.into_iter().map(Arc::new).collect(),
            ..World::default()
        }
    }
}

/// What a server of a protocol does with TLS, if nothing else is said: HTTPS is terminated with files.
fn security(protocol: &str) -> Security {
    match protocol {
        "https" => Security::Terminate(terminated("/etc/certs")),
        "tls" => Security::Passthrough,
        _ => Security::Plaintext,
    }
}

/// `SIMPLE`, with files of a folder.
pub(crate) fn terminated(folder: &str) -> Arc<model::tls::ServerTls> {
    use model::tls::*;
    let file = |name: &str| FilePath::parse(&format!("{folder}/{name}")).unwrap();
    Arc::new(ServerTls {
        identity: ServerIdentity::Files(vec![KeyPair {
            chain: file("tls.crt"),
            key: file("tls.key"),
        }]),
        clients: VerifyClient::Skip,
        versions: Versions::default(),
        ciphers: Vec::new(),
    })
}

/// `example.com`, or `namespace/example.com`.
fn server_host(text: &str) -> ServerHost {
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace.into()), name),
        None => (None, text),
    };
    ServerHost {
        namespace,
        host: host(name),
    }
}

/// The services of Bookinfo on two agents, reviews in three versions.
pub(crate) fn bookinfo() -> Draft {
    let mut draft = Draft::default();
    for (name, versions) in [
        ("productpage", &["v1"][..]),
        ("details", &["v1"]),
        ("reviews", &["v1", "v2", "v3"]),
        ("ratings", &["v1"]),
    ] {
        draft = draft.service(name, &[(9080, "http")]);
        for v in versions {
            let n = draft.endpoints.len() as u16;
            let agent = if n.is_multiple_of(2) {
                AGENT_A
            } else {
                AGENT_B
            };
            let reach = bridge(agent, 31000 + n, &format!("172.17.0.{}:9080", n + 2));
            draft = draft.endpoint(name, 9080, version(v), reach);
        }
    }
    draft
}

/// The proxy of an instance of `name` on agent A, which listens on these ports.
pub(crate) fn sidecar(name: &str, ports: &[(u16, u16, &str)]) -> Proxy {
    let labels = Labels::from_iter([("istio", name), ("version", "v1")]);
    let port = |(service_port, target, protocol): &(u16, u16, &str)| InstancePort {
        service_port: *service_port,
        target: *target,
        name: (*protocol).into(),
        protocol: Protocol::parse(protocol).unwrap(),
    };
    let mut ports: Vec<InstancePort> = ports.iter().map(port).collect();
    ports.sort_by_key(|port| port.target);
    let id = format!("{name}.instance-1");
    let instance = Instance {
        id: InstanceId::from(id.as_str()),
        workload: format!("/{name}").into(),
        namespace: "default".into(),
        labels: labels.clone(),
        agent: Some(ip(AGENT_A)),
        attachment: Attachment::Bridge(BridgeKind::Mesos),
        address: Some(ip("172.17.0.9")),
        locality: Locality::default(),
        hosts: [host(name)].into(),
        ports,
    };
    Proxy {
        id: format!("sidecar~172.17.0.9~{id}~{DOMAIN}").into(),
        role: Role::Sidecar,
        instance: Some(Arc::new(instance)),
        namespace: "default".into(),
        labels,
        spot: beside(AGENT_A),
        domain: DOMAIN.into(),
        capture: Capture::Redirect,
        application: ip("127.0.0.1"),
        identity: ProxyIdentity::default(),
    }
}

pub(crate) fn explicit(proxy: Proxy, outbound: &str) -> Proxy {
    Proxy {
        capture: Capture::Explicit {
            outbound: ip(outbound),
        },
        ..proxy
    }
}

pub(crate) fn ingress(ports: &[(u16, u16, &str)]) -> Proxy {
    Proxy {
        role: Role::Router,
        ..sidecar("ingressgateway", ports)
    }
}
