//! What is done with a connection whose bytes are no requests to us.

use model::traffic_policy::Terms;
use pb::tcp_proxy::tcp_proxy::{
    ClusterSpecifier, WeightedCluster, weighted_cluster::ClusterWeight,
};

use super::{Handling, access_log, network, terms};
use crate::dynamic::{self, Resolving};
use crate::pb;

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Forward {
    /// Clusters with their weights. Never empty, no weight is zero: Envoy refuses both.
    clusters: Vec<(String, u32)>,
    /// Names statistics where there are several clusters.
    title: String,
    /// Whether the bytes are MongoDB's, which Envoy can count by operation.
    mongo: bool,
    terms: Terms,
    /// Whether the server name that a connection asks for is resolved, and how.
    resolving: Option<Resolving>,
}

/// The filters of a filter chain.
pub(crate) fn connection(to: &Forward, handling: Handling<'_>) -> Vec<pb::listener::Filter> {
    let mongo = to.mongo.then(|| {
        let config = pb::mongo_proxy::MongoProxy {
            stat_prefix: to.title.clone(),
            ..Default::default()
        };
        network("envoy.filters.network.mongo_proxy", &config)
    });
    let proxy = pb::tcp_proxy::TcpProxy {
        stat_prefix: to.title.clone(),
        access_log: access_log::to(handling.reporting),
        cluster_specifier: Some(to.specifier()),
        ..Default::default()
    };
    let proxy = terms::with(&to.terms, proxy);
    let proxy = network("envoy.filters.network.tcp_proxy", &proxy);
    let guards = handling.guards.network().into_iter();
    let resolving = to.resolving.map(dynamic::network_filter);
    let before = guards.chain(mongo).chain(resolving);
    before.chain([proxy]).collect()
}

// === impl Forward ===

impl Forward {
    pub(crate) fn to(cluster: String) -> Forward {
        Forward {
            title: cluster.clone(),
            clusters: vec![(cluster, 1)],
            mongo: false,
            terms: Terms::default(),
            resolving: None,
        }
    }

    /// `None` without any weight. A single cluster gets everything, whatever its weight.
    pub(crate) fn weighted(title: String, mut clusters: Vec<(String, u32)>) -> Option<Forward> {
        clusters.retain(|(_, weight)| *weight > 0);
        match clusters.as_slice() {
            [] => None,
            [(only, _)] => Some(Forward::to(only.clone())),
            _ => Some(Forward {
                clusters,
                title,
                mongo: false,
                terms: Terms::default(),
                resolving: None,
            }),
        }
    }

    pub(crate) fn with_mongo(self, mongo: bool) -> Forward {
        Forward { mongo, ..self }
    }

    pub(crate) fn resolving(self, resolving: Option<Resolving>) -> Forward {
        Forward { resolving, ..self }
    }

    pub(crate) fn on(self, terms: Terms) -> Forward {
        Forward { terms, ..self }
    }

    fn specifier(&self) -> ClusterSpecifier {
        if let [(only, _)] = self.clusters.as_slice() {
            return ClusterSpecifier::Cluster(only.clone());
        }
        let weigh = |(name, weight): &(String, u32)| ClusterWeight {
            name: name.clone(),
            weight: *weight,
            ..Default::default()
        };
        ClusterSpecifier::WeightedClusters(WeightedCluster {
            clusters: self.clusters.iter().map(weigh).collect(),
        })
    }
}
