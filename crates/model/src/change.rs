//! What differs between two Worlds.

use std::collections::BTreeSet;

use crate::{Hostname, InstanceId, ObjectRef, ServicePort};

/// The things whose value changed, appeared or went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    pub services: BTreeSet<Hostname>,
    pub endpoints: BTreeSet<ServicePort>,
    pub instances: BTreeSet<InstanceId>,
    pub config: BTreeSet<ObjectRef>,
    pub mesh: bool,
    /// Findings changed; no proxy is concerned.
    pub diagnostics: bool,
}

// === impl ChangeSet ===

impl ChangeSet {
    pub fn is_empty(&self) -> bool {
        !self.concerns_proxies() && !self.diagnostics
    }

    /// Whether any proxy can be concerned.
    pub fn concerns_proxies(&self) -> bool {
        self.mesh
            || !(self.services.is_empty()
                && self.endpoints.is_empty()
                && self.instances.is_empty()
                && self.config.is_empty())
    }
}
