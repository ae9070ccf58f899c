//! Destination rules: the named subsets of a host.

use crate::{Hostname, Labels, ObjectRef};

/// What applies to requests after they were routed to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRule {
    pub object: ObjectRef,
    pub host: Hostname,
    /// Names are unique.
    pub subsets: Vec<Subset>,
}

/// The instances of a host that carry certain labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    pub name: String,
    pub labels: Labels,
}
