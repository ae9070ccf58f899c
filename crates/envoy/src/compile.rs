//! The walk over a World, for one proxy.

mod listeners;
mod output;
mod ports;
mod router;
mod services;
mod sidecar;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{Diagnostic, Mesh, Proxy, Role, World};

use crate::Kind;
use crate::registry::Registry;

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
pub fn compile(world: &World, proxy: &Proxy) -> Compiled {
    let registry = Registry::new(world);
    let mut output = output::Output::default();
    match proxy.role {
        Role::Sidecar => sidecar::compile(world, &registry, proxy, &mut output),
        Role::Router => router::compile(world, &registry, proxy, &mut output),
    }
    output.finish()
}

/// Envoy refuses every cluster with a connect timeout of zero.
fn connect_timeout(mesh: &Mesh) -> Duration {
    mesh.connect_timeout.max(Duration::from_millis(1))
}
