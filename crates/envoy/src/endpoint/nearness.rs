//! Endpoints by where they are: who is used first, who takes over, and who gets which share.
//!
//! The order depends on where the caller runs. Callers of whom nothing is known that counts see
//! endpoints as if there were no preference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::locality::{Distribution, Failover, Preference};
use model::{DestinationRule, Endpoint, Labels, Locality, LocalityBalance, Proxy};

/// What rules ask of where callers are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Located {
    /// Whether any rule prefers endpoints by locality.
    any: bool,
    /// The labels of callers that count.
    labels: BTreeSet<String>,
}

/// Where a caller is, as far as rules ask. Equal callers see equal endpoints.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Standpoint {
    locality: Locality,
    labels: Labels,
}

// === impl Located ===

impl Located {
    pub(crate) fn of<'a>(
        mesh: &LocalityBalance,
        rules: impl Iterator<Item = &'a DestinationRule>,
    ) -> Located {
        let mut asked = Located {
            any: matches!(mesh, LocalityBalance::Distribute(_)),
            labels: BTreeSet::new(),
        };
        asked.add_labels(mesh);
        for rule in rules {
            let levels = rule.subsets.iter().map(|subset| &subset.policies);
            let levels = std::iter::once(&rule.policies).chain(levels);
            for policy in levels.flat_map(|policies| policies.each()) {
                let balancer = policy.load_balancer.as_ref();
                let locality = balancer.and_then(|balancer| balancer.locality.as_ref());
                asked.any |= locality.is_some() || policy.outlier_detection.is_some();
                if let Some(locality) = locality {
                    asked.add_labels(locality);
                }
            }
        }
        asked
    }

    fn add_labels(&mut self, balance: &LocalityBalance) {
        if let LocalityBalance::Priority(preferences) = balance {
            let labels = preferences.iter();
            self.labels.extend(labels.map(|one| one.label.clone()));
        }
    }

    /// Where a proxy is; `None` if that cannot matter.
    pub(crate) fn standpoint(&self, proxy: &Proxy) -> Option<Standpoint> {
        let instance = proxy.instance.as_deref();
        let locality = instance.map(|instance| instance.locality.clone());
        let labels = proxy.labels.iter();
        let labels = labels.filter(|(label, _)| self.labels.contains(*label));
        let standpoint = Standpoint {
            locality: locality.unwrap_or_default(),
            labels: labels.collect(),
        };
        let nowhere = standpoint.locality.region.is_empty() && standpoint.labels.is_empty();
        (self.any && !nowhere).then_some(standpoint)
    }
}

// === impl Standpoint ===

impl Standpoint {
    /// The order of an endpoint, the lowest first; not without gaps.
    pub(crate) fn rank(&self, balance: &LocalityBalance, endpoint: &Endpoint) -> u32 {
        let known = !self.locality.region.is_empty();
        match balance {
            LocalityBalance::Failover(failover) if known => {
                self.distance(failover, &endpoint.locality)
            }
            LocalityBalance::Priority(preferences) => self.disagreement(preferences, endpoint),
            _ => 0,
        }
    }

    /// The shares of localities; `None` if they have none of their own. A locality that is not
    /// named gets nothing. What is for several localities is shared by their weights.
    pub(crate) fn shares<'a>(
        &self,
        balance: &LocalityBalance,
        weights: &BTreeMap<&'a Locality, u64>,
    ) -> Option<BTreeMap<&'a Locality, u32>> {
        let LocalityBalance::Distribute(list) = balance else {
            return None;
        };
        if self.locality.region.is_empty() {
            return None;
        }
        let mut list = list.iter();
        let from_here: &Distribution = list.find(|one| one.from.holds(&self.locality))?;
        let mut shares = BTreeMap::new();
        for (place, share) in &from_here.to {
            let inside = weights.iter().filter(|(locality, _)| place.holds(locality));
            let inside: Vec<(&&Locality, &u64)> = inside.collect();
            let sum: u64 = inside.iter().map(|(_, weight)| **weight).sum();
            for (locality, weight) in inside {
                let part = (u64::from(*share) * weight).div_ceil(sum.max(1));
                shares.insert(*locality, u32::try_from(part).unwrap_or(u32::MAX).max(1));
            }
        }
        Some(shares)
    }

    /// Same place, same zone, same region, the region that takes over, the rest: Istio's numbers.
    fn distance(&self, failover: &[Failover], to: &Locality) -> u32 {
        let from = &self.locality;
        if from.region == to.region {
            return match (from.zone == to.zone, from.subzone == to.subzone) {
                (true, true) => 0,
                (true, false) => 1,
                (false, _) => 2,
            };
        }
        let mut failover = failover.iter();
        match failover.find(|rule| rule.from == from.region) {
            Some(rule) if rule.to != to.region => 4,
            _ => 3,
        }
    }

    /// How many labels are left from the first on that does not agree.
    fn disagreement(&self, preferences: &[Preference], endpoint: &Endpoint) -> u32 {
        let mut preferences = preferences.iter();
        let total = preferences.len();
        let agrees = |preference: &Preference| {
            let own = match &preference.value {
                Some(value) => Some(value.as_str()),
                None => preference.value_of(&self.labels, &self.locality),
            };
            own == preference.value_of(&endpoint.labels, &endpoint.locality)
        };
        let first = preferences.position(|preference| !agrees(preference));
        u32::try_from(first.map_or(0, |at| total - at)).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Standpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Locality {
            region,
            zone,
            subzone,
        } = &self.locality;
        write!(f, "[{region}/{zone}/{subzone}")?;
        let mut labels = self.labels.iter();
        labels.try_for_each(|(key, value)| write!(f, " {key}={value}"))?;
        f.write_str("]")
    }
}
