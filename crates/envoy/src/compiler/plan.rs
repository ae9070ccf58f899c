//! What one proxy runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Capture, Diagnostic, Proxy, Role};

use super::set::{Scope, SetKey};
use crate::Resource;
use crate::patch::Patches;
use crate::registry::Registry;
use crate::reporting::Told;
use crate::route::Source;

/// Which sets a proxy runs, and what it shares with no other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Later ones hide what earlier ones have under the same kind and name.
    pub(crate) sets: Vec<SetKey>,
    /// Inbound listeners and clusters, a gateway's listeners. Sorted by kind, then by name; they
    /// hide what sets have.
    pub(crate) own: Vec<Resource>,
    /// What was left out of its own part. See [`Compiler::diagnostics`](super::Compiler::diagnostics)
    /// for the whole.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What holds for a proxy, of what routes ask of callers.
#[derive(Debug, PartialEq)]
struct Classes {
    requests: BTreeSet<Source>,
    connections: BTreeSet<Source>,
}

/// What routes asked of callers before they asked something else.
#[derive(Debug)]
pub(super) struct Asked {
    requests: BTreeSet<Source>,
    connections: BTreeSet<Source>,
}

/// The sets of a proxy in a World.
pub(super) fn sets(proxy: &Proxy, registry: &Registry) -> Vec<SetKey> {
    let classes = Classes::of(registry, proxy);
    let reporting = Told::of(&registry.world, proxy).client;
    let mut scopes = vec![Scope::Clusters, Scope::Secrets, Scope::Endpoints];
    scopes.extend(proxy.spot.map(Scope::EndpointsFrom));
    let standpoint = registry.located().standpoint(proxy).map(Arc::new);
    scopes.extend(standpoint.map(|from| Scope::EndpointsNear(proxy.spot, from)));
    match proxy.role {
        Role::Router => scopes.push(Scope::GatewayRoutes(
            proxy.labels.clone(),
            proxy.namespace.clone(),
        )),
        Role::Sidecar => {
            let listeners = Scope::Listeners(proxy.capture, reporting.clone());
            scopes.extend([Scope::SidecarClusters, listeners]);
            if proxy.capture == Capture::Redirect {
                let from = |spot| Scope::ListenersFrom(spot, reporting.clone());
                scopes.extend(proxy.spot.map(from));
            }
            if !classes.connections.is_empty() {
                let spot = proxy.spot.filter(|_| proxy.capture == Capture::Redirect);
                let class = Arc::new(classes.connections);
                let of = Scope::ListenersOf(proxy.capture, spot, class, reporting);
                scopes.push(of);
            }
            scopes.push(Scope::Routes(proxy.domain.clone()));
            if !classes.requests.is_empty() {
                let class = Arc::new(classes.requests);
                scopes.push(Scope::RoutesOf(proxy.domain.clone(), class));
            }
        }
    }
    let scopes = scopes.into_iter();
    match registry.patches(proxy) {
        Some(patches) => scopes.map(|scope| patched(scope, &patches)).collect(),
        None => scopes.map(SetKey).collect(),
    }
}

/// The set as it is if patches change nothing of its kind.
fn patched(scope: Scope, patches: &Patches) -> SetKey {
    let plain = SetKey(scope);
    match patches.concern(plain.kind()) {
        true => SetKey(Scope::Patched(Box::new(plain.0), patches.clone())),
        false => plain,
    }
}

// === impl Asked ===

impl Asked {
    /// `None` if routes still ask the same, as after nearly every change.
    pub(super) fn differing(before: &Registry, now: &Registry) -> Option<Asked> {
        let (before, now) = (before.routes(), now.routes());
        let same = std::ptr::eq(before, now)
            || before.sources() == now.sources()
                && before.connection_sources() == now.connection_sources();
        (!same).then(|| Asked {
            requests: before.sources().clone(),
            connections: before.connection_sources().clone(),
        })
    }

    /// Whether they ask something else of this proxy now.
    pub(super) fn differs(&self, now: &Registry, proxy: &Proxy) -> bool {
        let before = Classes {
            requests: class(proxy, &self.requests),
            connections: class(proxy, &self.connections),
        };
        before != Classes::of(now, proxy)
    }
}

// === impl Classes ===

impl Classes {
    fn of(registry: &Registry, proxy: &Proxy) -> Classes {
        let routes = registry.routes();
        Classes {
            requests: class(proxy, routes.sources()),
            connections: class(proxy, routes.connection_sources()),
        }
    }
}

fn class(proxy: &Proxy, sources: &BTreeSet<Source>) -> BTreeSet<Source> {
    let holding = sources.iter();
    holding
        .filter(|source| source.holds(&proxy.labels, &proxy.namespace))
        .cloned()
        .collect()
}
