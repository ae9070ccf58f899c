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

    /// Whether endpoints and instances are all that changed, so that nothing need wait for more.
    pub fn is_urgent(&self) -> bool {
        !self.mesh
            && self.services.is_empty()
            && self.config.is_empty()
            && !self.endpoints.is_empty()
    }

    /// Adds what `later` changed.
    pub fn merge(&mut self, later: ChangeSet) {
        self.services.extend(later.services);
        self.endpoints.extend(later.endpoints);
        self.instances.extend(later.instances);
        self.config.extend(later.config);
        self.mesh |= later.mesh;
        self.diagnostics |= later.diagnostics;
    }
}
