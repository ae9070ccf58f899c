//! What an Envoy must know before it can ask the control plane for everything else.
//!
//! The document holds the node's identity, the way to the control plane, and the few limits that
//! xDS cannot set. It is the same one that an operator puts beside a sidecar on Mesos; without
//! iptables it has the address entries of interception mode NONE in addition.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::TaskAddresses;

/// Envoy's admin port in every mesh of Istio's kind.
pub const ADMIN_PORT: u16 = 15000;

/// What the metadata calls the files of a proxy's identity, and their names.
const CERTIFICATES: [(&str, &str); 3] = [
    ("CERT_CHAIN", "cert-chain.pem"),
    ("KEY", "key.pem"),
    ("ROOT_CERT", "root-cert.pem"),
];

/// The static cluster that leads to the control plane.
pub const XDS_CLUSTER: &str = "xds-grpc";

/// What the proxy is, the first part of its node id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Stands beside an application, has inbound and outbound listeners.
    Sidecar,
    /// A gateway: listeners come from Gateway objects.
    Router,
}

impl Role {
    /// As written in the node id.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Router => "router",
        }
    }
}

/// Which of the two protocols the proxy speaks on its aggregated stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdsMode {
    /// State of the world: each response carries all resources of its type.
    Sotw,
    /// Incremental: each response carries what changed.
    #[default]
    Delta,
}

impl AdsMode {
    fn api_type(self) -> &'static str {
        match self {
            Self::Sotw => "GRPC",
            Self::Delta => "DELTA_GRPC",
        }
    }
}

/// How connections of and to the application come into its Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interception {
    /// By addresses: the application calls, and listens, where its Envoy expects it.
    Addresses(TaskAddresses),
    /// By iptables, which redirect to 15001 and 15006.
    Redirect,
}

/// Everything that differs from one Envoy to the next.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// Sidecar or gateway.
    pub role: Role,
    /// Where the network of the agent shows the task.
    pub address: Ipv4Addr,
    /// How connections come into the Envoy.
    pub interception: Interception,
    /// Marathon's instance id, by which the control plane finds the workload.
    pub instance_id: String,
    /// Mesos' task id, `<instance>.<container>.<incarnation>` since Marathon 1.8.
    pub task_id: String,
    /// The app or pod id, with its leading slash.
    pub app_id: String,
    /// `node.cluster`; shown in logs, never matched on.
    pub cluster: String,
    /// The agent's address, `HOST` in a Marathon task.
    pub agent: Ipv4Addr,
    /// The service domain, last part of the node id.
    pub domain: String,
    /// gRPC addresses of the control plane, at least one.
    pub discovery: Vec<SocketAddr>,
    /// State of the world or delta.
    pub ads: AdsMode,
    /// The folder of its certificates; `None` where Istio has them, in `/etc/certs`.
    pub certificates: Option<PathBuf>,
}

impl Bootstrap {
    /// `sidecar~<ip>~<instance id>~<domain>`, the form that Istio's Pilot defined.
    pub fn node_id(&self) -> String {
        let (role, ip) = (self.role.as_str(), self.address);
        format!("{role}~{ip}~{}~{}", self.instance_id, self.domain)
    }

    /// Where Envoy's admin interface will listen.
    pub fn admin(&self) -> SocketAddr {
        let ip = match self.interception {
            Interception::Addresses(own) => own.container,
            Interception::Redirect => Ipv4Addr::LOCALHOST,
        };
        (ip, ADMIN_PORT).into()
    }

    /// The document, ready for `envoy -c file.json`.
    pub fn document(&self) -> Value {
        json!({
            "node": {
                "id": self.node_id(),
                "cluster": self.cluster,
                "metadata": self.metadata(),
            },
            "admin": { "address": socket_address(self.admin()) },
            "dynamic_resources": dynamic_resources(self.ads),
            // First in the list: Envoy starts ADS as soon as this cluster is there.
            "static_resources": { "clusters": [self.xds_cluster()] },
            "layered_runtime": { "layers": [{
                "name": "static",
                // Envoy 1.40 refuses regexes above program size 100 otherwise, and a refused
                // route is a NACK of the whole configuration.
                "static_layer": { "re2.max_program_size.error_level": 32768 },
            }]},
        })
    }

    fn metadata(&self) -> Map<String, Value> {
        let mut metadata = Map::new();
        let mut set = |key: &str, value: String| metadata.insert(key.into(), value.into());
        set("HOST", self.agent.to_string());
        set("MARATHON_APP_ID", self.app_id.clone());
        set("MESOS_TASK_ID", self.task_id.clone());
        if let Interception::Addresses(own) = self.interception {
            set("INTERCEPTION_MODE", "NONE".into());
            if self.role == Role::Sidecar {
                set("OUTBOUND_ADDRESS", own.outbound.to_string());
                set("APP_ADDRESS", own.app.to_string());
            }
        }
        if let Some(folder) = &self.certificates {
            for side in ["CLIENT", "SERVER"] {
                for (what, file) in CERTIFICATES {
                    let path = folder.join(file).display().to_string();
                    set(&format!("TLS_{side}_{what}"), path);
                }
            }
        }
        metadata
    }

    fn xds_cluster(&self) -> Value {
        let hosts: Vec<Value> = self.discovery.iter().map(|at| lb_endpoint(*at)).collect();
        json!({
            "name": XDS_CLUSTER,
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": XDS_CLUSTER,
                "endpoints": [{ "lb_endpoints": hosts }],
            },
            "upstream_connection_options": {
                "tcp_keepalive": { "keepalive_time": 30 },
            },
            "typed_extension_protocol_options": { HTTP_OPTIONS: {
                "@type": format!("type.googleapis.com/{HTTP_OPTIONS}"),
                // A new stream takes a new connection, hence maybe another control plane.
                "common_http_protocol_options": { "max_requests_per_connection": 1 },
                "explicit_http_config": { "http2_protocol_options": {
                    "connection_keepalive": { "interval": "30s", "timeout": "10s" },
                }},
            }},
        })
    }
}

const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

fn dynamic_resources(ads: AdsMode) -> Value {
    // 0s waits for ever: a proxy without configuration must not report itself ready, not even
    // after the 15 s that are Envoy's default.
    let over_ads = json!({
        "ads": {},
        "resource_api_version": "V3",
        "initial_fetch_timeout": "0s",
    });
    json!({
        "ads_config": {
            "api_type": ads.api_type(),
            "transport_api_version": "V3",
            // The node is 60 kB with its extension list: once per stream is enough.
            "set_node_on_first_message_only": true,
            "grpc_services": [{ "envoy_grpc": { "cluster_name": XDS_CLUSTER } }],
        },
        "cds_config": over_ads,
        "lds_config": over_ads,
    })
}

fn lb_endpoint(at: SocketAddr) -> Value {
    json!({ "endpoint": { "address": socket_address(at) } })
}

fn socket_address(at: SocketAddr) -> Value {
    json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Binary, Block};
    use std::process::Command;

    /// The bootstrap of a reviews sidecar (or of a gateway) in this block.
    pub(crate) fn sample(block: &Block, role: Role, ads: AdsMode) -> Bootstrap {
        let instance = "reviews.instance-0f0e9a3c-1111-4222-8333-444455556666";
        let address = block.container(1, 0);
        Bootstrap {
            role,
            address,
            interception: Interception::Addresses(TaskAddresses::of(address).unwrap()),
            instance_id: instance.into(),
            task_id: format!("{instance}.proxy.1"),
            app_id: "/reviews".into(),
            cluster: "reviews-v1".into(),
            agent: block.agent(1),
            domain: "marathon.slave.mesos".into(),
            // Nothing listens there: the block is ours.
            discovery: vec![(block.agent(1), 15010).into()],
            ads,
            certificates: None,
        }
    }

    #[test]
    fn node_id_and_metadata_name_the_workload() {
        let block = Block::claim().unwrap();
        let sidecar = sample(&block, Role::Sidecar, AdsMode::Delta);
        let document = sidecar.document();
        let own = TaskAddresses::of(sidecar.address).unwrap();
        let (ip, node) = (block.container(1, 0), &document["node"]);
        let id = format!("sidecar~{ip}~{}~marathon.slave.mesos", sidecar.instance_id);
        assert_eq!(node["id"], id);
        let expected = json!({
            "APP_ADDRESS": own.app.to_string(),
            "HOST": block.agent(1).to_string(),
            "INTERCEPTION_MODE": "NONE",
            "MARATHON_APP_ID": "/reviews",
            "MESOS_TASK_ID": sidecar.task_id,
            "OUTBOUND_ADDRESS": own.outbound.to_string(),
        });
        assert_eq!(node["metadata"], expected);
    }

    #[test]
    fn a_gateway_has_neither_outbound_nor_application() {
        let block = Block::claim().unwrap();
        let document = sample(&block, Role::Router, AdsMode::Sotw).document();
        let node = &document["node"];
        assert!(node["id"].as_str().unwrap().starts_with("router~127."));
        assert_eq!(node["metadata"].get("OUTBOUND_ADDRESS"), None);
        assert_eq!(node["metadata"].get("APP_ADDRESS"), None);
        let ads = &document["dynamic_resources"]["ads_config"];
        assert_eq!(ads["api_type"], "GRPC");
    }

    #[test]
    fn redirected_connections_need_no_addresses() {
        let block = Block::claim().unwrap();
        let mut redirected = sample(&block, Role::Sidecar, AdsMode::Delta);
        redirected.interception = Interception::Redirect;
        let metadata = &redirected.document()["node"]["metadata"];
        for key in ["INTERCEPTION_MODE", "OUTBOUND_ADDRESS", "APP_ADDRESS"] {
            assert_eq!(metadata.get(key), None, "{key}");
        }
        assert_eq!(redirected.admin().to_string(), "127.0.0.1:15000");
    }

    #[test]
    fn envoy_accepts_every_variant_without_a_warning() {
        let binary = Binary::find().unwrap();
        let (block, dir) = (Block::claim().unwrap(), tempfile::tempdir().unwrap());
        for role in [Role::Sidecar, Role::Router] {
            for ads in [AdsMode::Sotw, AdsMode::Delta] {
                let file = dir.path().join(format!("{}-{ads:?}.json", role.as_str()));
                let document = sample(&block, role, ads).document();
                std::fs::write(&file, document.to_string()).unwrap();
                let output = Command::new(binary.path())
                    .args(["--mode", "validate", "--log-level", "warning", "-c"])
                    .arg(&file)
                    .output()
                    .unwrap();
                let log = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{}: {log}", file.display());
                assert!(!log.contains("[warning]"), "{}: {log}", file.display());
            }
        }
    }
}
