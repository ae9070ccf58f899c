//! The clusters of services and what is behind them, as every proxy needs them.

use std::sync::Arc;

use model::authentication::transport::is_automatic;
use model::tls::{ClientTls, MeshTls, VerifyServer};
use model::traffic_policy::Upstream;
use model::{AuthPolicy, LocalityBalance, Mesh, Placement, Spot, TrafficPolicy};

use crate::built::Built;
use crate::cluster::{OutboundKey, Speaks};
use crate::endpoint::{self, AssignmentKey, Mutual, Standpoint};
use crate::registry::{Registry, Target};
use crate::{Kind, names, resolved};

pub(crate) fn cluster(registry: &Registry, target: Target<'_>, buffer: &mut Vec<u8>) -> Built {
    let subset = target.subset.map(|(name, _)| name);
    let policy = policy(registry, target);
    let key = OutboundKey {
        host: target.host,
        port: target.port.number,
        subset,
        speaks: Speaks::of(target.port.protocol),
        policy: &policy,
        automatic: is_automatic(target.service, &policy, &registry.world.mesh),
        accounts: accounts(target, &policy, &registry.world.mesh),
        rule: target.rule.map(|rule| &rule.object),
    };
    let told = registry.clusters.build(&key, buffer);
    if resolved::is_told(target.service) {
        return told;
    }
    let labels = target.subset.map(|(_, labels)| labels);
    let refresh = registry.world.mesh.dns_refresh;
    resolved::cluster(told, target.service, target.port.number, labels, refresh)
}

/// What applies to a target. Where no rule does, Istio 1.0's `authPolicy` speaks for clients, too.
fn policy(registry: &Registry, target: Target<'_>) -> TrafficPolicy {
    let mut policy = balanced(registry, target);
    let mesh = &registry.world.mesh;
    let internal = target.service.location == Placement::Mesh;
    if mesh.auth_policy == AuthPolicy::MutualTls && target.rule.is_none() && internal {
        policy.port.tls = Some(Arc::new(ClientTls::Mesh(MeshTls::default())));
    }
    if mesh.upgrade_h2 && internal && Speaks::of(target.port.protocol) == Speaks::Http1 {
        upgrade(&mut policy);
    }
    if let Some(tls) = policy.port.tls.as_deref() {
        let verifying = verifying(tls, &target.service.named_subjects);
        policy.port.tls = verifying.map(Arc::new).or(policy.port.tls);
    }
    policy
}

/// To proxies of the mesh HTTP/2 is spoken if the mesh says so and no rule does. Others may not know it.
fn upgrade(policy: &mut TrafficPolicy) {
    let pool = policy.port.connection_pool.get_or_insert_default();
    if pool.upstream == Upstream::Declared {
        Arc::make_mut(pool).upstream = Upstream::Upgrade;
    }
}

/// What rules say, with the mesh's preference of localities where they have none.
fn balanced(registry: &Registry, target: Target<'_>) -> TrafficPolicy {
    let mut policy = target.policy();
    let mesh = &registry.world.mesh.locality;
    let distributes = matches!(mesh, LocalityBalance::Distribute(_));
    let counts = distributes || policy.port.outlier_detection.is_some();
    if counts && *mesh != LocalityBalance::default() {
        let balancer = policy.port.load_balancer.get_or_insert_default();
        if balancer.locality.is_none() {
            Arc::make_mut(balancer).locality = Some(mesh.clone());
        }
    }
    policy
}

/// Settings that name nobody take the names of the service entry, as in Istio; `None` if nothing
/// changes. Between workloads of the mesh the accounts do that.
fn verifying(tls: &ClientTls, named: &[Arc<str>]) -> Option<ClientTls> {
    let ClientTls::Origin(tls) = tls else {
        return None;
    };
    let mut tls = tls.clone();
    match &mut tls.verify {
        VerifyServer::Check {
            subject_alt_names, ..
        } if subject_alt_names.is_empty() && !named.is_empty() => {
            *subject_alt_names = named.to_vec();
            Some(ClientTls::Origin(tls))
        }
        _ => None,
    }
}

/// The identities that instances of a service have. Only mutual TLS asks.
fn accounts<'a>(target: Target<'a>, policy: &TrafficPolicy, mesh: &Mesh) -> &'a [String] {
    match policy.port.tls.as_deref() {
        Some(ClientTls::Mesh(_)) => &target.service.subject_alt_names,
        None if is_automatic(target.service, policy, mesh) => &target.service.subject_alt_names,
        _ => &[],
    }
}

/// Whether it matters where callers of a target are.
pub(crate) fn is_located(registry: &Registry, target: Target<'_>) -> bool {
    balanced(registry, target).locality().is_some()
}

/// The endpoints of a target, as proxies at a place can reach them, and prefer them from there.
pub(crate) fn assignment(
    registry: &Registry,
    target: Target<'_>,
    spot: Option<Spot>,
    from: Option<&Standpoint>,
    buffer: &mut Vec<u8>,
) -> Built {
    let policy = policy(registry, target);
    if policy.is_passthrough() || !resolved::is_told(target.service) {
        // Envoy asks for none: it takes connections where callers addressed them, or resolves names.
        return Built::none(Kind::Endpoint, name(target));
    }
    let balance = from.and_then(|_| policy.locality());
    let key = AssignmentKey {
        near: balance.as_ref().zip(from),
        cluster: &name(target),
        endpoints: registry.endpoints(target.host, target.port.number),
        subset: target.subset.map(|(_, labels)| labels),
        spot,
        mutual: is_automatic(target.service, &policy, &registry.world.mesh).then_some(Mutual {
            registry,
            port: target.port.number,
        }),
    };
    endpoint::assignment(&key, buffer)
}

/// The name that the cluster and its assignment have.
pub(crate) fn name(target: Target<'_>) -> Arc<str> {
    let subset = target.subset.map(|(name, _)| name);
    names::outbound_cluster(target.port.number, subset, target.host).into()
}
