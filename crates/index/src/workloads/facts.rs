//! What the mesh needs to know about one workload, taken out of Marathon's documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::event::SourceId;
use api::marathon::{Workload, WorkloadKey, WorkloadKind};
use jiff::Timestamp;
use model::{Diagnostic, Endpoint, ExportTo, Hostname, Instance, Mesh, ObjectRef, Port, Standing};

use super::probes::Probed;
use super::{app, pod};
use crate::NAMESPACE;

/// The name of a workload among all Marathons; ordered by id first, as precedence is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) id: Arc<str>,
    pub(crate) kind: WorkloadKind,
    pub(crate) source: SourceId,
}

/// One workload, reduced.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// The services it belongs to.
    pub(crate) claims: BTreeMap<Hostname, Claim>,
    /// Of the oldest version that is told; the workload may be older.
    pub(crate) since: Option<Timestamp>,
    /// The namespace and the group that it follows from, if it follows from one.
    pub(crate) derived: Option<(Arc<str>, Arc<str>)>,
    /// Sorted by id, each id once.
    pub(crate) instances: Vec<Running>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Of all that is told, running or not; none for a workload that is in no service.
    pub(crate) standings: Arc<[Standing]>,
    /// Of an app whose health Marathon checks itself.
    pub(crate) probed: Option<Arc<Probed>>,
}

/// What a workload declares for one of its services, in all versions in use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    pub(crate) namespace: Arc<str>,
    /// Numbers are unique.
    pub(crate) ports: Vec<Port>,
    pub(crate) aliases: BTreeSet<Hostname>,
    /// `None` leaves it to the mesh.
    pub(crate) export_to: Option<ExportTo>,
}

/// One instance and what it offers to its services.
#[derive(Debug, PartialEq)]
pub(crate) struct Running {
    pub(crate) instance: Arc<Instance>,
    /// Of each of the instance's hosts.
    pub(crate) endpoints: Vec<Candidate>,
    pub(crate) incarnation: u64,
    pub(crate) since: Option<Timestamp>,
}

/// An endpoint, before it is compared with those of other instances.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) service_port: u16,
    pub(crate) endpoint: Endpoint,
}

/// Reads a workload.
pub(super) fn read(workload: &Workload, mesh: &Mesh) -> Facts {
    match workload {
        Workload::App(app) => app::read(app, mesh),
        Workload::Pod(pod) => pod::read(pod, mesh),
    }
}

// === impl Who ===

impl Who {
    pub(crate) fn new(key: &WorkloadKey, source: &SourceId) -> Who {
        Who {
            id: key.id.clone(),
            kind: key.kind,
            source: source.clone(),
        }
    }

    /// Its key among the standings of the World.
    pub(crate) fn label(&self) -> Arc<str> {
        format!("{} {:?} {}", self.id, self.kind, self.source).into()
    }

    pub(crate) fn object(&self, namespace: &Arc<str>) -> ObjectRef {
        ObjectRef {
            namespace: namespace.clone(),
            ..object(self.kind, &self.id)
        }
    }
}

/// The name of a workload in diagnostics, until its namespace is known.
pub(super) fn object(kind: WorkloadKind, id: &str) -> ObjectRef {
    ObjectRef {
        kind: match kind {
            WorkloadKind::App => "App",
            WorkloadKind::Pod => "Pod",
        },
        namespace: NAMESPACE.into(),
        name: id.into(),
    }
}
