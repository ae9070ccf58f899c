//! What one proxy runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Capture, Diagnostic, Proxy, Role};

use super::set::{Scope, SetKey};
use crate::Resource;
use crate::registry::Registry;
use crate::reporting::Told;
use crate::route::Source;

/// Which sets a proxy runs, and what it shares with no other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Later ones hide what earlier ones have under the same kind and name.
    pub sets: Vec<SetKey>,
    /// Inbound listeners and clusters, a gateway's listeners. Sorted by kind, then by name; they
    /// hide what sets have.
    pub own: Vec<Resource>,
    /// What was left out of its own part. See [`Compiler::diagnostics`](super::Compiler::diagnostics)
    /// for the whole.
    pub diagnostics: Vec<Diagnostic>,
}

/// The sets of a proxy in a World.
pub(super) fn sets(proxy: &Proxy, registry: &Registry) -> Vec<SetKey> {
    let sources = registry.routes().sources();
    let reporting = Told::of(&registry.world, proxy).client;
    let mut scopes = vec![Scope::Clusters, Scope::Endpoints];
    scopes.extend(proxy.agent.map(Scope::EndpointsFrom));
    match proxy.role {
        Role::Router => scopes.push(Scope::GatewayRoutes(
            proxy.labels.clone(),
            proxy.namespace.clone(),
        )),
        Role::Sidecar => {
            let listeners = Scope::Listeners(proxy.capture, reporting.clone());
            scopes.extend([Scope::SidecarClusters, listeners]);
            if proxy.capture == Capture::Redirect {
                let from = |agent| Scope::ListenersFrom(agent, reporting);
                scopes.extend(proxy.agent.map(from));
            }
            scopes.push(Scope::Routes(proxy.domain.clone()));
            let class = class(proxy, sources);
            if !class.is_empty() {
                scopes.push(Scope::RoutesOf(proxy.domain.clone(), Arc::new(class)));
            }
        }
    }
    scopes.into_iter().map(SetKey).collect()
}

/// What holds for a proxy, of what routes ask of callers.
pub(super) fn class(proxy: &Proxy, sources: &BTreeSet<Source>) -> BTreeSet<Source> {
    let holding = sources.iter();
    holding
        .filter(|source| source.holds(&proxy.labels, &proxy.namespace))
        .cloned()
        .collect()
}
