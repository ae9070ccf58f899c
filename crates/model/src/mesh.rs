//! What holds for the whole mesh.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Protocol;

/// Settings that change what every proxy gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// The domain of the mesh's host names; short names are completed with it.
    pub domain: String,
    pub outbound: OutboundPolicy,
    pub connect_timeout: Duration,
    /// The file, on the proxy, to which access is logged.
    pub access_log: Option<String>,
    /// For ports whose name declares none.
    pub default_protocol: Protocol,
    /// Domains under which every service is known as well; `domain` stays the one in names.
    pub other_domains: Vec<String>,
    /// The domain of the names that DC/OS gives to its virtual addresses (`VIP_0: /reviews:9080`).
    pub vip_domain: String,
    pub namespaces: Namespaces,
    pub ownership: Ownership,
    pub unreachable: Unreachable,
}

/// Which namespace a workload belongs to if no label tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    pub mode: NamespaceMode,
    /// Namespaces by group: `/prod/shop`. The longest that contains the workload holds, before the mode.
    pub by_group: BTreeMap<String, String>,
}

/// How groups become namespaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NamespaceMode {
    /// Not at all: everything is in `default`.
    #[default]
    Flat,
    /// `/shop/db/mysql` is in `shop`.
    TopGroup,
    /// `/shop/db/mysql` is in `shop-db`.
    FullGroup,
}

/// Who may add instances to a service that exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ownership {
    /// Every workload of the namespace.
    #[default]
    Namespace,
    /// Only workloads of the group that had the service first.
    Group,
}

/// What becomes of instances whose agent cannot be reached by Mesos.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unreachable {
    /// They are used only while nothing else is left.
    #[default]
    Degraded,
    Drop,
}

/// What happens to requests for hosts that the mesh does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundPolicy {
    AllowAny,
    RegistryOnly,
}

impl Default for Mesh {
    /// The seed's mesh, on today's Istio defaults where the seed is silent.
    fn default() -> Mesh {
        Mesh {
            domain: "marathon.slave.mesos".into(),
            outbound: OutboundPolicy::AllowAny,
            connect_timeout: Duration::from_secs(10),
            access_log: None,
            default_protocol: Protocol::Http,
            other_domains: Vec::new(),
            vip_domain: "marathon.l4lb.thisdcos.directory".into(),
            namespaces: Namespaces::default(),
            ownership: Ownership::default(),
            unreachable: Unreachable::default(),
        }
    }
}
