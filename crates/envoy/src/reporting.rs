//! What a proxy tells of requests: the mesh's default, or what objects of kind `Telemetry` make of it.

use std::sync::Arc;

use model::{Proxy, Reporting, World};

/// What one proxy tells, where it is not what the mesh does.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Told {
    /// Of the requests that it sends, and of all that a gateway sees.
    pub(crate) client: Option<Arc<Reporting>>,
    /// Of those that it receives.
    server: Option<Arc<Reporting>>,
}

// === impl Told ===

impl Told {
    pub(crate) fn of(_world: &World, _proxy: &Proxy) -> Told {
        Told::default()
    }

    pub(crate) fn as_client(&self) -> Option<&Reporting> {
        self.client.as_deref()
    }

    pub(crate) fn as_server(&self) -> Option<&Reporting> {
        self.server.as_deref()
    }
}
