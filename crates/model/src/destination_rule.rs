//! Destination rules: the named subsets of a host, and the policies of both.

use crate::traffic_policy::{Policies, PortPolicy, TrafficPolicy};
use crate::{ExportTo, Hostname, Labels, ObjectRef};

/// What applies to requests after they were routed to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRule {
    pub object: ObjectRef,
    pub host: Hostname,
    pub policies: Policies,
    /// Names are unique.
    pub subsets: Vec<Subset>,
    pub export_to: ExportTo,
    /// Callers that it is for, of its own namespace; `None` is for all.
    pub workload_selector: Option<Labels>,
}

/// The instances of a host that carry certain labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    pub name: String,
    pub labels: Labels,
    /// Refine those of the rule.
    pub policies: Policies,
}

// === impl DestinationRule ===

impl DestinationRule {
    /// What applies to a port, or to a subset of the instances on it. A subset's own settings for
    /// the port count most, then the subset's, then the rule's for the port, then the rule's.
    pub fn policy(&self, port: u16, subset: Option<&str>) -> TrafficPolicy {
        let own = self.policies.of_port(port);
        match subset.and_then(|name| self.subset(name)) {
            Some(subset) => own.refined(&subset.policies, port),
            None => own,
        }
    }

    /// Whether it says nothing beyond subsets.
    pub fn is_plain(&self) -> bool {
        let mut subsets = self.subsets.iter();
        self.policies.is_empty() && subsets.all(|subset| subset.policies.is_empty())
    }

    /// Whether any of its policies chooses endpoints by a hash.
    pub fn hashes(&self) -> bool {
        let subsets = self.subsets.iter().flat_map(|s| s.policies.each());
        let mut levels = self.policies.each().chain(subsets);
        levels.any(PortPolicy::hashes)
    }

    pub fn subset(&self, name: &str) -> Option<&Subset> {
        self.subsets.iter().find(|subset| subset.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::traffic_policy::{ConnectionPool, LoadBalancer, OutlierDetection};

    fn pool(seconds: u64) -> Option<Arc<ConnectionPool>> {
        Some(Arc::new(ConnectionPool {
            connect_timeout: Some(Duration::from_secs(seconds)),
            ..ConnectionPool::default()
        }))
    }

    fn level(seconds: u64) -> PortPolicy {
        PortPolicy {
            connection_pool: pool(seconds),
            ..PortPolicy::default()
        }
    }

    fn policies(all: Option<u64>, port_80: Option<u64>) -> Policies {
        Policies {
            all: TrafficPolicy {
                port: all.map(level).unwrap_or_default(),
                ..TrafficPolicy::default()
            },
            by_port: port_80
                .map(|seconds| (80, level(seconds)))
                .into_iter()
                .collect(),
        }
    }

    fn rule(own: Policies, subset: Policies) -> DestinationRule {
        DestinationRule {
            object: ObjectRef {
                kind: "DestinationRule",
                namespace: "default".into(),
                name: "r".into(),
            },
            host: Hostname::parse("r.example.com").unwrap(),
            policies: own,
            subsets: vec![Subset {
                name: "v1".to_owned(),
                labels: Labels::default(),
                policies: subset,
            }],
            export_to: ExportTo::All,
            workload_selector: None,
        }
    }

    #[test]
    fn the_nearest_level_holds() {
        let (rule_all, rule_port, subset_all, subset_port) = (Some(1), Some(2), Some(3), Some(4));
        for (own, subset, expected) in [
            ((None, None), (None, None), None),
            ((rule_all, None), (None, None), pool(1)),
            ((rule_all, rule_port), (None, None), pool(2)),
            ((rule_all, rule_port), (subset_all, None), pool(3)),
            ((rule_all, rule_port), (subset_all, subset_port), pool(4)),
            ((rule_all, rule_port), (None, subset_port), pool(4)),
        ] {
            let rule = rule(policies(own.0, own.1), policies(subset.0, subset.1));
            let policy = rule.policy(80, Some("v1"));
            assert_eq!(policy.port.connection_pool, expected, "{own:?} {subset:?}");
        }
    }

    #[test]
    fn a_port_replaces_blocks_that_it_does_not_give_and_a_subset_does_not() {
        let mut own = policies(Some(1), Some(2));
        own.all.port.outlier_detection = Some(Arc::new(OutlierDetection::default()));
        let mut subset = policies(None, None);
        subset.all.port.load_balancer = Some(Arc::new(LoadBalancer::default()));
        let rule = rule(own, subset);
        // The port of the rule gives no outlier detection, so there is none.
        let on_80 = rule.policy(80, Some("v1")).port;
        assert_eq!(on_80.outlier_detection, None);
        assert!(on_80.load_balancer.is_some() && on_80.connection_pool == pool(2));
        let on_90 = rule.policy(90, Some("v1")).port;
        assert!(on_90.outlier_detection.is_some() && on_90.load_balancer.is_some());
        assert_eq!(on_90.connection_pool, pool(1));
        assert_eq!(rule.policy(90, None).port.load_balancer, None);
    }

    #[test]
    fn an_unknown_subset_has_the_policy_of_the_rule() {
        let rule = rule(policies(Some(1), None), policies(Some(3), None));
        assert_eq!(rule.policy(80, Some("v9")).port.connection_pool, pool(1));
    }
}
