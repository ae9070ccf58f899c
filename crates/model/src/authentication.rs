//! Authentication: what workloads demand of those who connect to them, and of their requests.
//!
//! Two families of objects say so. Those of Istio 1.0 (`MeshPolicy`, `Policy`) aim at services and
//! their ports, the later ones (`PeerAuthentication`) at workloads and theirs. Where one of the
//! later applies to a workload the older ones are not looked at, as in Istio 1.5, which had both.

mod policies;
pub mod transport;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::end_user::Origins;
use crate::{Hostname, Instance, Labels, ObjectRef};

pub use policies::{Asked, Effective, Policies};

/// One object that demands something of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    pub object: ObjectRef,
    pub family: Family,
    pub scope: Scope,
    /// `None` leaves it to the next wider scope; only the later family does.
    pub demand: Option<Demand>,
    /// By the port of the workload; only of the later family, and only where it selects workloads.
    pub by_port: BTreeMap<u16, Demand>,
    /// What it demands of requests; only the older family does.
    pub origins: Option<Origins>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `MeshPolicy` and `Policy`.
    Policy,
    PeerAuthentication,
}

/// Where an object applies; of several the narrowest counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Mesh,
    /// The object's own.
    Namespace,
    /// Services of the object's namespace. Never empty.
    Services(Vec<Target>),
    /// Workloads with these labels, which are not empty.
    Workloads {
        labels: Labels,
        /// In every namespace, not in the object's alone.
        everywhere: bool,
    },
}

/// A service, or some of its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub host: Hostname,
    /// Empty for all ports.
    pub ports: Vec<PortSelector>,
}

/// A port that callers use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortSelector {
    Number(u16),
    Name(Arc<str>),
}

/// What a port demands of connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Demand {
    pub mode: Mode,
    /// TLS without a certificate of the client is taken as well: `allowTls`.
    pub anonymous: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Plaintext only.
    #[default]
    Disable,
    /// Both.
    Permissive,
    /// Mutual TLS only.
    Strict,
}

// === impl Authentication ===

impl Authentication {
    /// Whether it may decide something for an instance: rather too often than too seldom.
    pub fn may_concern(&self, instance: &Instance) -> bool {
        let namespace = *self.object.namespace == *instance.namespace;
        match &self.scope {
            Scope::Mesh => true,
            Scope::Namespace => namespace,
            Scope::Services(targets) => {
                namespace && targets.iter().any(|t| instance.hosts.contains(&t.host))
            }
            Scope::Workloads { labels, everywhere } => {
                (namespace || *everywhere) && labels.selects(&instance.labels)
            }
        }
    }
}

// === impl Target ===

impl Target {
    fn aims_at(&self, number: u16, name: &str) -> bool {
        let mut ports = self.ports.iter();
        self.ports.is_empty()
            || ports.any(|port| match port {
                PortSelector::Number(wanted) => *wanted == number,
                PortSelector::Name(wanted) => **wanted == *name,
            })
    }
}

// === impl Demand ===

impl Demand {
    pub const STRICT: Demand = Demand {
        mode: Mode::Strict,
        anonymous: false,
    };

    pub fn of(mode: Mode) -> Demand {
        Demand {
            mode,
            anonymous: false,
        }
    }
}
