//! Flags about names: namespaces, domains, and who owns a service.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use model::{IpFamily, NamespaceMode, Ownership, Unreachable};

#[derive(Debug, Clone, Args)]
#[command(rename_all = "camelCase")]
pub struct NamingArgs {
    /// How Marathon's groups become namespaces.
    #[arg(
        long,
        alias = "namespace-mode",
        default_value = "flat",
        value_name = "MODE"
    )]
    pub namespace_mode: Mode,

    /// Namespaces by group, before the mode: /prod/shop=shop. The longest group counts.
    #[arg(
        long,
        alias = "namespace-mapping",
        value_delimiter = ',',
        value_name = "GROUP=NAMESPACE"
    )]
    pub namespace_mapping: Vec<NamespaceMapping>,

    /// Who may add instances to a service: every workload of its namespace, or only those of the
    /// group that had it first.
    #[arg(
        long,
        alias = "host-ownership",
        default_value = "namespace",
        value_name = "WHO"
    )]
    pub host_ownership: Owners,

    /// What becomes of instances whose agent Mesos cannot reach.
    #[arg(long, default_value = "degraded", value_name = "WHAT")]
    pub unreachable: Lost,

    /// Of instances with addresses in both IP families, the family that callers use. The other
    /// address is tried if nobody answers.
    #[arg(long, alias = "ip-family", default_value = "v4", value_name = "FAMILY")]
    pub ip_family: Family,

    /// The domain of DC/OS's virtual addresses, which are further names of services. By default that
    /// of --frameworkName: marathon.l4lb.thisdcos.directory.
    #[arg(long = "l4lbDomain", alias = "l4lb-domain", value_name = "DOMAIN")]
    pub l4lb_domain: Option<String>,

    /// Marathon's name in Mesos (its own --framework_name), from which domains follow that are not
    /// given.
    #[arg(
        long,
        alias = "framework-name",
        default_value = "marathon",
        value_name = "NAME"
    )]
    pub framework_name: String,

    /// The folder on gateways' machines with a folder for each `credentialName`.
    #[arg(
        long,
        alias = "credentials-dir",
        default_value = "/etc/istio/credentials",
        value_name = "DIR"
    )]
    pub credentials_dir: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    Flat,
    TopGroup,
    FullGroup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Owners {
    Namespace,
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Family {
    V4,
    V6,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lost {
    Degraded,
    Drop,
}

/// `/prod/shop=shop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceMapping {
    pub group: String,
    pub namespace: String,
}

impl FromStr for NamespaceMapping {
    type Err = String;

    fn from_str(text: &str) -> Result<NamespaceMapping, String> {
        match text.split_once('=') {
            Some((group, namespace)) if group.starts_with('/') && is_namespace(namespace) => {
                Ok(NamespaceMapping {
                    group: group.to_owned(),
                    namespace: namespace.to_owned(),
                })
            }
            _ => Err(format!(
                "{text:?} is no mapping: write a group and a namespace like /prod/shop=shop"
            )),
        }
    }
}

pub(super) fn is_namespace(name: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|b| known(*b))
        && edge(bytes.first())
        && edge(bytes.last())
}

impl From<Mode> for NamespaceMode {
    fn from(mode: Mode) -> NamespaceMode {
        match mode {
            Mode::Flat => NamespaceMode::Flat,
            Mode::TopGroup => NamespaceMode::TopGroup,
            Mode::FullGroup => NamespaceMode::FullGroup,
        }
    }
}

impl From<Owners> for Ownership {
    fn from(owners: Owners) -> Ownership {
        match owners {
            Owners::Namespace => Ownership::Namespace,
            Owners::Group => Ownership::Group,
        }
    }
}

impl From<Family> for IpFamily {
    fn from(family: Family) -> IpFamily {
        match family {
            Family::V4 => IpFamily::V4,
            Family::V6 => IpFamily::V6,
        }
    }
}

impl From<Lost> for Unreachable {
    fn from(lost: Lost) -> Unreachable {
        match lost {
            Lost::Degraded => Unreachable::Degraded,
            Lost::Drop => Unreachable::Drop,
        }
    }
}
