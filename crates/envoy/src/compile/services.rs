//! The clusters of services and what is behind them, as every proxy needs them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::built::Built;
use crate::cluster::{OutboundKey, Speaks};
use crate::endpoint::{self, AssignmentKey};
use crate::registry::{Registry, Target};
use crate::{Kind, names, resolved};

pub(crate) fn cluster(registry: &Registry, target: Target<'_>, buffer: &mut Vec<u8>) -> Built {
    let subset = target.subset.map(|(name, _)| name);
    let key = OutboundKey {
        host: target.host,
        port: target.port.number,
        subset,
        speaks: Speaks::of(target.port.protocol),
        policy: &target.policy(),
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

/// The endpoints of a target, as proxies on a machine can reach them.
pub(crate) fn assignment(
    registry: &Registry,
    target: Target<'_>,
    agent: Option<IpAddr>,
    buffer: &mut Vec<u8>,
) -> Built {
    if target.policy().is_passthrough() || !resolved::is_told(target.service) {
        // Envoy asks for none: it takes connections where callers addressed them, or resolves names.
        return Built::none(Kind::Endpoint, name(target));
    }
    let key = AssignmentKey {
        cluster: &name(target),
        endpoints: registry.endpoints(target.host, target.port.number),
        subset: target.subset.map(|(_, labels)| labels),
        agent,
    };
    endpoint::assignment(&key, buffer)
}

/// The name that the cluster and its assignment have.
pub(crate) fn name(target: Target<'_>) -> Arc<str> {
    let subset = target.subset.map(|(name, _)| name);
    names::outbound_cluster(target.port.number, subset, target.host).into()
}
