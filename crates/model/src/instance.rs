//! Instances: the running copies of workloads, to which proxies belong.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::{Attachment, Hostname, Labels, Locality, Protocol};

/// The name of an instance: in Marathon the instance id, such as `reviews.instance-<uuid>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Arc<str>);

/// A running copy of a workload, seen from its own proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: InstanceId,
    /// The workload's absolute path, for people.
    pub workload: Arc<str>,
    pub namespace: Arc<str>,
    /// Of the version that this instance runs, which may not be the latest.
    pub labels: Labels,
    /// The address of the machine it runs on.
    pub agent: Option<IpAddr>,
    pub attachment: Attachment,
    /// Its own address, where connections to it arrive.
    pub address: Option<IpAddr>,
    pub locality: Locality,
    /// The services it belongs to.
    pub hosts: Arc<[Hostname]>,
    /// Sorted by target.
    pub ports: Vec<InstancePort>,
}

/// A port on which an instance listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstancePort {
    /// The port that callers use.
    pub service_port: u16,
    /// The port on which connections arrive at the instance.
    pub target: u16,
    pub name: Arc<str>,
    pub protocol: Protocol,
}

// === impl InstanceId ===

impl InstanceId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Arc<str>> for InstanceId {
    fn from(text: Arc<str>) -> InstanceId {
        InstanceId(text)
    }
}

impl From<&str> for InstanceId {
    fn from(text: &str) -> InstanceId {
        InstanceId(text.into())
    }
}

impl std::borrow::Borrow<str> for InstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
