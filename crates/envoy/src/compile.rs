//! The walk over a World, for one proxy.

mod chains;
mod inbound;
mod listeners;
mod output;
mod ports;
pub(crate) mod router;
mod served;
pub(crate) mod services;
pub(crate) mod sidecar;

use std::sync::Arc;

use bytes::Bytes;
use model::{Diagnostic, Proxy, Role, World};

use crate::Kind;
use crate::built::Built;
use crate::registry::{Registry, connect_timeout};
use crate::reporting::Told;
use crate::tls::OwnIdentity;
use crate::view::{self, Visibility};
use crate::{cluster, collector};

pub(crate) use output::Output;
pub(crate) use ports::{Asking, PortServices};

/// One resource, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub kind: Kind,
    pub name: Arc<str>,
    /// The canonical encoding of the message: the value of an `Any` whose type is that of the kind.
    pub body: Bytes,
}

/// What a proxy should run, and what was left out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// Sorted by kind, then by name; a name is there once for each kind.
    pub resources: Vec<Resource>,
    /// Sorted, each once.
    pub diagnostics: Vec<Diagnostic>,
}

/// All resources of a proxy. Never fails: what would not be accepted is left out, and said so.
///
/// From nothing and for this proxy alone. [`Compiler`](crate::Compiler) does the same for many
/// proxies and many Worlds; it is held to what comes from here.
pub fn compile(world: &World, proxy: &Proxy) -> Compiled {
    let visibility = Visibility::of(world);
    let world = Arc::new(world.clone());
    let seen = view::project(&world, &visibility.view(proxy), &visibility);
    let registry = Registry::new(seen);
    let mut output = own(&registry, proxy);
    let buffer = &mut Vec::new();
    let standpoint = registry.located().standpoint(proxy);
    let from = standpoint.as_ref();
    output.add(black_hole(&registry));
    collector::clusters(&registry).for_each(|built| output.add(built));
    for secret in registry.secrets() {
        output.add(secret.build());
    }
    for service in registry.services() {
        for target in registry.targets(service) {
            output.add(services::cluster(&registry, target, buffer));
            let built = services::assignment(&registry, target, proxy.spot, from, buffer);
            output.add(built);
        }
    }
    match proxy.role {
        Role::Sidecar => outbound(&registry, proxy, &mut output, buffer),
        Role::Router => {
            let (labels, namespace) = (&proxy.labels, &proxy.namespace);
            let routes = router::routes(&registry, labels, namespace, |_| true, buffer);
            routes.into_iter().for_each(|built| output.add(built));
        }
    }
    output.finish()
}

/// What this proxy shares with no other. It hides what else has the same name.
pub(crate) fn own(registry: &Registry, proxy: &Proxy) -> Output {
    let mut output = Output::patched(registry.patches(proxy));
    match proxy.role {
        Role::Sidecar => sidecar::own(registry, proxy, &mut output),
        Role::Router => router::own(registry, proxy, &mut output),
    }
    for secret in OwnIdentity::secrets(&proxy.identity) {
        output.add(secret.build());
    }
    output.add_additions();
    output
}

/// The cluster that every proxy has beside those of services.
pub(crate) fn black_hole(registry: &Registry) -> Built {
    Built::cluster(&cluster::black_hole(connect_timeout(&registry.world)))
}

fn outbound(registry: &Registry, proxy: &Proxy, output: &mut Output, buffer: &mut Vec<u8>) {
    let told = Told::of(&registry.world, proxy);
    let asking = sidecar::asking(proxy, &told);
    let caller = asking.caller;
    for built in sidecar::clusters(registry) {
        output.add(built);
    }
    for port in registry.ports().keys() {
        let listener = sidecar::listener(registry, *port, asking);
        let routes = sidecar::routes(registry, *port, &proxy.domain, caller, buffer);
        listener
            .into_iter()
            .chain(routes)
            .for_each(|built| output.add(built));
    }
}
