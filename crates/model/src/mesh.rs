//! What holds for the whole mesh.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::inclusion::Inclusion;
use crate::reporting::{Provider, Reporting};
use crate::route::Retries;
use crate::sidecar::EgressProxy;
use crate::{LocalityBalance, Protocol};

/// Settings that change what every proxy gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// The domain of the mesh's host names; short names are completed with it.
    pub domain: String,
    pub outbound: OutboundPolicy,
    /// Where they go instead of their own destination, if they go anywhere. Said by sidecars.
    pub egress_proxy: Option<EgressProxy>,
    pub connect_timeout: Duration,
    /// What proxies tell of requests, where no object of kind `Telemetry` says otherwise.
    pub reporting: Reporting,
    /// What such objects may name.
    pub providers: BTreeMap<Arc<str>, Provider>,
    /// The providers of traces and of access logs where such objects name none.
    pub default_providers: DefaultProviders,
    /// For ports whose name declares none.
    pub default_protocol: Protocol,
    /// Domains under which every service is known as well; `domain` stays the one in names.
    pub other_domains: Vec<String>,
    /// The domain of the names that DC/OS gives to its virtual addresses (`VIP_0: /reviews:9080`).
    pub vip_domain: String,
    /// Of an instance that has addresses in both families, the one that callers use.
    pub ip_family: IpFamily,
    /// Which workloads are part of the mesh.
    pub inclusion: Inclusion,
    pub namespaces: Namespaces,
    pub ownership: Ownership,
    pub unreachable: Unreachable,
    /// The namespace whose policies hold for the whole mesh.
    pub root_namespace: Arc<str>,
    /// The first part of every identity: `spiffe://cluster.local/…`.
    pub trust_domain: Arc<str>,
    /// Domains whose identities count as those of the first.
    pub trust_domain_aliases: Vec<Arc<str>>,
    /// Whether clients use mutual TLS by themselves where servers take it.
    pub auto_mtls: bool,
    /// Istio 1.0's policy for services that have none.
    pub auth_policy: AuthPolicy,
    /// The folder on a gateway's machine with a folder for each credential: `tls.crt` and `tls.key`,
    /// and `ca.crt` if clients are checked.
    pub credentials: Arc<str>,
    /// The oldest TLS that is spoken inside the mesh.
    pub min_tls: TlsVersion,
    /// Whether HTTP/1.1 becomes HTTP/2 between proxies where no rule says otherwise.
    pub upgrade_h2: bool,
    pub path_normalization: PathNormalization,
    /// Where interception sends what leaves a workload.
    pub outbound_port: u16,
    /// Where interception sends what arrives at a workload.
    pub inbound_port: u16,
    /// How often names that endpoints are given by are resolved again.
    pub dns_refresh: Duration,
    /// How long a listener waits to find out a protocol; zero waits for ever.
    pub detection_timeout: Duration,
    /// How endpoints are preferred by where they are, where no rule says so.
    pub locality: LocalityBalance,
    /// The retries of routes that have none of their own; `None` is Istio's.
    pub default_retries: Option<Retries>,
    pub default_exports: DefaultExports,
    /// Whether objects of kind `EnvoyFilter` are in force.
    pub envoy_filters: bool,
}

/// Names of providers in the mesh config.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultProviders {
    pub tracing: Option<Arc<str>>,
    pub access_logging: Vec<Arc<str>>,
}

/// To whom objects are visible that do not say so themselves: `*`, `.` or names of namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultExports {
    pub services: Vec<Arc<str>>,
    pub virtual_services: Vec<Arc<str>>,
    pub destination_rules: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IpFamily {
    #[default]
    V4,
    V6,
}

/// What holds for a service without an authentication policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuthPolicy {
    #[default]
    None,
    MutualTls,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    #[default]
    V1_2,
    V1_3,
}

/// What proxies make of paths before routes are looked up. Each does what those before it do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathNormalization {
    None,
    /// RFC 3986: `/a/../b` is `/b`.
    #[default]
    Base,
    /// `//` is `/`.
    MergeSlashes,
    /// `%2F` is `/`, `%5C` is `\`.
    DecodeAndMergeSlashes,
}

/// Which namespace a workload belongs to if no label tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    pub mode: NamespaceMode,
    /// Namespaces by group: `/prod/shop`. The longest that contains the workload holds, before the mode.
    pub by_group: BTreeMap<String, String>,
    /// Namespaces by source, before the mode.
    pub by_source: BTreeMap<String, String>,
    /// The entry of that table which holds for what is being read.
    pub otherwise: Option<String>,
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
            egress_proxy: None,
            connect_timeout: Duration::from_secs(10),
            reporting: Reporting::default(),
            providers: BTreeMap::new(),
            default_providers: DefaultProviders::default(),
            default_protocol: Protocol::Http,
            other_domains: Vec::new(),
            vip_domain: "marathon.l4lb.thisdcos.directory".into(),
            ip_family: IpFamily::default(),
            inclusion: Inclusion::default(),
            namespaces: Namespaces::default(),
            ownership: Ownership::default(),
            unreachable: Unreachable::default(),
            root_namespace: "istio-system".into(),
            trust_domain: "cluster.local".into(),
            trust_domain_aliases: Vec::new(),
            // As in Istio 1.0: a policy alone breaks callers, and the rule that follows heals them.
            auto_mtls: false,
            auth_policy: AuthPolicy::default(),
            credentials: "/etc/istio/credentials".into(),
            min_tls: TlsVersion::default(),
            upgrade_h2: false,
            path_normalization: PathNormalization::default(),
            outbound_port: 15001,
            inbound_port: 15006,
            dns_refresh: Duration::from_secs(60),
            detection_timeout: Duration::ZERO,
            locality: LocalityBalance::default(),
            default_retries: None,
            default_exports: DefaultExports::default(),
            envoy_filters: false,
        }
    }
}

impl Mesh {
    /// The domains of the identities that belong to the mesh, its own first.
    pub fn trust_domains(&self) -> impl Iterator<Item = &str> {
        let aliases = self.trust_domain_aliases.iter();
        std::iter::once(&self.trust_domain)
            .chain(aliases)
            .map(|domain| &**domain)
    }
}

impl Default for DefaultExports {
    fn default() -> DefaultExports {
        let all = || vec!["*".into()];
        DefaultExports {
            services: all(),
            virtual_services: all(),
            destination_rules: all(),
        }
    }
}
