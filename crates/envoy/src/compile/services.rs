//! The clusters of services and what is behind them, as every proxy needs them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::built::Built;
use crate::cluster::{OutboundKey, Speaks};
use crate::endpoint::{self, AssignmentKey};
use crate::registry::{Registry, Target};
use crate::{Kind, names};

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
    registry.clusters.build(&key, buffer)
}

/// The endpoints of a target, as proxies on a machine can reach them.
pub(crate) fn assignment(
    registry: &Registry,
    target: Target<'_>,
    agent: Option<IpAddr>,
    buffer: &mut Vec<u8>,
) -> Built {
    if target.policy().is_passthrough() {
        // Envoy asks for none, and takes every connection where its caller addressed it.
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
