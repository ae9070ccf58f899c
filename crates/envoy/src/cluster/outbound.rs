//! The clusters of services: alike but for their names, so all else is encoded once.
//!
//! Most services have no policy, and share what is known before the first of them. A policy is
//! encoded when its first cluster is built, and shared by all that have it: thousands, where a rule
//! is for a wildcard. What TLS says differs from service to service, and is put in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Hostname, ObjectRef, Protocol, TrafficPolicy};
use pb::cluster::cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig};

use super::policy;
use super::socket::{self, Sockets};
use crate::built::Built;
use crate::finding::{self, Refusal, Text, code};
use crate::{Kind, canonical, lint, message, names, pb, wire};

/// Which cluster of a service: all that its content depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboundKey<'a> {
    pub(crate) host: &'a Hostname,
    pub(crate) port: u16,
    pub(crate) subset: Option<&'a str>,
    pub(crate) speaks: Speaks,
    pub(crate) policy: &'a TrafficPolicy,
    /// Whether endpoints that take mutual TLS get it, though no rule says so.
    pub(crate) automatic: bool,
    /// The identities that its instances have in the mesh.
    pub(crate) accounts: &'a [String],
    /// The rule that has the policy.
    pub(crate) rule: Option<&'a ObjectRef>,
}

/// What is spoken to endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Speaks {
    Http1,
    /// As gRPC needs.
    Http2,
    /// Anything; the proxy does not look into it.
    Bytes,
}

/// What clusters of services have in common.
#[derive(Debug)]
pub(crate) struct Outbound {
    connect_timeout: Duration,
    http1: Arc<Alike>,
    http2: Arc<Alike>,
    by_policy: Mutex<HashMap<(TrafficPolicy, Speaks), Encoded>>,
}

type Encoded = Result<Arc<Alike>, Refusal>;

/// What clusters of one policy have in common, in the order of the fields.
#[derive(Debug)]
struct Alike {
    kind: Box<[u8]>,
    /// `None` where endpoints are not discovered.
    eds_config: Option<Box<[u8]>>,
    /// What comes before the transport socket, between it and those of single endpoints, and after.
    before: Box<[u8]>,
    between: Box<[u8]>,
    after: Box<[u8]>,
}

// === impl Speaks ===

impl Speaks {
    pub(crate) fn of(protocol: Protocol) -> Speaks {
        match protocol {
            protocol if protocol.is_http2() => Speaks::Http2,
            protocol if protocol.is_http() => Speaks::Http1,
            _ => Speaks::Bytes,
        }
    }
}

// === impl Outbound ===

impl Outbound {
    pub(crate) fn new(connect_timeout: Duration) -> Outbound {
        let plain = TrafficPolicy::default();
        let alike = |speaks| {
            Arc::new(Alike::new(&policy::cluster(
                &plain,
                speaks,
                connect_timeout,
            )))
        };
        Outbound {
            connect_timeout,
            http1: alike(Speaks::Http1),
            http2: alike(Speaks::Http2),
            by_policy: Mutex::default(),
        }
    }

    /// The same, without what policies had that may be gone.
    pub(crate) fn forgetful(&self) -> Outbound {
        Outbound {
            connect_timeout: self.connect_timeout,
            http1: self.http1.clone(),
            http2: self.http2.clone(),
            by_policy: Mutex::default(),
        }
    }

    /// The endpoints of a service, discovered under the cluster's own name.
    pub(crate) fn build(&self, key: &OutboundKey<'_>, buffer: &mut Vec<u8>) -> Built {
        let name = names::outbound_cluster(key.port, key.subset, key.host);
        buffer.clear();
        if key.policy.is_empty() {
            let alike = match key.speaks {
                Speaks::Http2 => &self.http2,
                Speaks::Http1 | Speaks::Bytes => &self.http1,
            };
            let sockets = match key.automatic {
                true => socket::outbound(key),
                false => Sockets::default(),
            };
            alike.encode(&name, &sockets, buffer);
            return Built::sound(Kind::Cluster, name.into(), buffer);
        }
        match self.alike(key) {
            Ok(alike) => {
                alike.encode(&name, &socket::outbound(key), buffer);
                Built::sound(Kind::Cluster, name.into(), buffer)
            }
            Err(refusal) => Built {
                diagnostics: vec![refused(key, &name, refusal)],
                ..Built::none(Kind::Cluster, name.into())
            },
        }
    }

    /// Encoded by whoever needs it first. That others wait meanwhile costs less than to do it twice.
    fn alike(&self, key: &OutboundKey<'_>) -> Encoded {
        let known = self.by_policy.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry((key.policy.clone(), key.speaks));
        let encoded = entry.or_insert_with(|| {
            let cluster = policy::cluster(key.policy, key.speaks, self.connect_timeout);
            lint::outbound(&cluster).map(|()| Arc::new(Alike::new(&cluster)))
        });
        encoded.clone()
    }
}

fn refused(key: &OutboundKey<'_>, name: &str, refusal: Refusal) -> model::Diagnostic {
    let why = format!(
        "Envoy would refuse the cluster {name:?}: {}: {}",
        refusal.field, refusal.why
    );
    let text = Text {
        why,
        effect: "the cluster is left out; requests to it are answered with 503".to_owned(),
        remedy: "change the traffic policy of the rule, and report this as a defect".to_owned(),
    };
    let field = "spec.trafficPolicy".to_owned();
    finding::error(code::RESOURCE_REFUSED, key.rule.cloned(), field, text)
}

// === impl Alike ===

impl Alike {
    /// Of a cluster without a name, without the name of its endpoints, and without a socket.
    fn new(cluster: &pb::cluster::Cluster) -> Alike {
        use pb::cluster::cluster::LbConfig;
        let kind = cluster.cluster_discovery_type.clone();
        let discovered = kind == Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into()));
        let eds_config = EdsClusterConfig {
            eds_config: Some(message::ads()),
            ..Default::default()
        };
        let ring = matches!(cluster.lb_config, Some(LbConfig::RingHashLbConfig(_)));
        let least = matches!(cluster.lb_config, Some(LbConfig::LeastRequestLbConfig(_)));
        // The numbers of these fields are below 24, which is that of the transport socket.
        let before = pb::cluster::Cluster {
            connect_timeout: cluster.connect_timeout,
            lb_policy: cluster.lb_policy,
            circuit_breakers: cluster.circuit_breakers.clone(),
            outlier_detection: cluster.outlier_detection.clone(),
            lb_config: cluster.lb_config.clone().filter(|_| ring),
            ..Default::default()
        };
        // And these are beyond 43, which is that of the sockets of single endpoints.
        let after = pb::cluster::Cluster {
            lb_config: cluster.lb_config.clone().filter(|_| !ring && !least),
            ..Default::default()
        };
        let between = pb::cluster::Cluster {
            cluster_discovery_type: None,
            connect_timeout: None,
            lb_policy: 0,
            circuit_breakers: None,
            outlier_detection: None,
            lb_config: cluster.lb_config.clone().filter(|_| least),
            ..cluster.clone()
        };
        let kind = pb::cluster::Cluster {
            cluster_discovery_type: kind,
            ..Default::default()
        };
        Alike {
            kind: wire::constant(&kind),
            eds_config: discovered.then(|| wire::constant(&eds_config)),
            before: wire::constant(&before),
            between: canonical::encode(&between).into(),
            after: wire::constant(&after),
        }
    }

    fn encode(&self, name: &str, sockets: &Sockets, buffer: &mut Vec<u8>) {
        wire::text(buffer, 1, name);
        buffer.extend_from_slice(&self.kind);
        if let Some(eds_config) = &self.eds_config {
            wire::message(buffer, 3, |buffer| {
                buffer.extend_from_slice(eds_config);
                wire::text(buffer, 2, name);
            });
        }
        buffer.extend_from_slice(&self.before);
        if let Some(socket) = &sockets.all {
            wire::message_of(buffer, 24, socket);
        }
        buffer.extend_from_slice(&self.between);
        if let Some(of_mesh) = &sockets.of_mesh {
            wire::message_of(buffer, 43, of_mesh);
        }
        buffer.extend_from_slice(&self.after);
    }
}
