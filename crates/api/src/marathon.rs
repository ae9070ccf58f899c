//! Marathon's REST and event JSON, reduced to the fields that the mesh needs.
//!
//! Unknown fields are skipped; absent and `null` are equal (old Marathons write many nulls).

mod app;
mod event;
mod id;
mod pod;
mod probe;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use app::{
    App, Container, Discovery, DiscoveryPort, Docker, HealthCheckResult, IpAddress, Network,
    OwnAddress, PortDefinition, PortMapping, ReadinessCheck, ReadinessCheckResult, Task,
    VersionInfo,
};
pub use event::{Affected, affected};
pub use id::{TaskId, instance_of};
pub use pod::{
    Condition, ContainerSpec, ContainerStatus, EndpointSpec, EndpointStatus, NetworkStatus, Pod,
    PodInstance, PodStatus,
};
pub use probe::{Language, Probe, ProbedPort, Purpose};

/// Something that Marathon runs, with all that is known of its instances. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Hash, Serialize, Deserialize)]
pub enum Workload {
    App(Arc<AppWorkload>),
    Pod(Arc<PodWorkload>),
}

/// An app with its tasks, and the older versions that some of them still run.
#[derive(Debug, Clone, PartialEq, Hash, Serialize, Deserialize)]
pub struct AppWorkload {
    /// The latest version, with `tasks` embedded.
    pub app: App,
    /// Other versions that tasks run, by `version`.
    pub versions: Vec<Arc<App>>,
}

/// A pod with its instances, and the older versions that some of them still run.
#[derive(Debug, Clone, PartialEq, Hash, Serialize, Deserialize)]
pub struct PodWorkload {
    /// The status, whose `spec` is the latest version.
    pub status: PodStatus,
    /// Other versions that instances run, by `version`.
    pub versions: Vec<Arc<Pod>>,
}

/// Apps and pods share one tree of ids, yet they are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    App,
    Pod,
}

/// The name of a workload within one Marathon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadKey {
    pub kind: WorkloadKind,
    /// Absolute: `/shop/reviews`.
    pub id: Arc<str>,
}

// === impl Workload ===

impl Workload {
    pub fn key(&self) -> WorkloadKey {
        match self {
            Workload::App(w) => WorkloadKey {
                kind: WorkloadKind::App,
                id: w.app.id.as_str().into(),
            },
            Workload::Pod(w) => WorkloadKey {
                kind: WorkloadKind::Pod,
                id: w.status.id.as_str().into(),
            },
        }
    }
}

impl std::fmt::Display for WorkloadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            WorkloadKind::App => "app",
            WorkloadKind::Pod => "pod",
        };
        write!(f, "{kind} {}", self.id)
    }
}

/// `null`, like an absent field, is the default.
fn nullable<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de> + Default,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(d)?.unwrap_or_default())
}

/// The same for a list, which takes no more memory than its entries: there are tens of thousands, of
/// one or two entries each, and a list that grows makes room for four.
fn list<'de, D, T>(d: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    let mut list: Vec<T> = nullable(d)?;
    list.shrink_to_fit();
    Ok(list)
}
