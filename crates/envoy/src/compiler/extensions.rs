//! Telemetry, authorization and patches: whose they are may change with any of their objects.
//!
//! Sets are told apart by what they say, so a change of such an object changes plans and no set.

use std::sync::Arc;

use model::{Authorization, Proxy, RequestAuthentication, Telemetry};

use crate::guards::Guards;
use crate::patch::Filters;
use crate::registry::Registry;
use crate::reporting::Told;

/// What there was in the World before.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    telemetries: Arc<[Arc<Telemetry>]>,
    authorizations: Arc<[Arc<Authorization>]>,
    request_authentications: Arc<[Arc<RequestAuthentication>]>,
    filters: Arc<Filters>,
}

// === impl Extensions ===

impl Extensions {
    pub(super) fn of(registry: &Registry) -> Extensions {
        Extensions {
            telemetries: registry.world.telemetries.clone(),
            authorizations: registry.world.authorizations.clone(),
            request_authentications: registry.world.request_authentications.clone(),
            filters: registry.filters().clone(),
        }
    }

    /// Whether the plan of a proxy can be another now, while the mesh is the same.
    pub(super) fn affect(&self, now: &Registry, proxy: &Proxy) -> bool {
        self.patches_differ(now, proxy)
            || self.told_differs(now, proxy)
            || self.guards_differ(now, proxy)
    }

    fn patches_differ(&self, now: &Registry, proxy: &Proxy) -> bool {
        let root = &now.world.mesh.root_namespace;
        !Arc::ptr_eq(&self.filters, now.filters())
            && self.filters.of(root, proxy) != now.patches(proxy)
    }

    fn guards_differ(&self, now: &Registry, proxy: &Proxy) -> bool {
        let world = &now.world;
        let same = Arc::ptr_eq(&self.authorizations, &world.authorizations)
            && Arc::ptr_eq(
                &self.request_authentications,
                &world.request_authentications,
            );
        let before = (&*self.authorizations, &*self.request_authentications);
        let root = &world.mesh.root_namespace;
        !same && Guards::by(before, root, proxy) != Guards::of(world, proxy)
    }

    fn told_differs(&self, now: &Registry, proxy: &Proxy) -> bool {
        let (before, after) = (&self.telemetries, &now.world.telemetries);
        !Arc::ptr_eq(before, after)
            && Told::by(before, &now.world.mesh, proxy) != Told::of(&now.world, proxy)
    }
}
