//! Destination rules: the named subsets of a host.

use crate::{ExportTo, Hostname, Labels, ObjectRef};

/// What applies to requests after they were routed to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRule {
    pub object: ObjectRef,
    pub host: Hostname,
    /// Names are unique.
    pub subsets: Vec<Subset>,
    pub export_to: ExportTo,
    /// Callers that it is for, of its own namespace; `None` is for all.
    pub workload_selector: Option<Labels>,
}

/// The instances of a host that carry certain labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    pub name: String,
    pub labels: Labels,
}
