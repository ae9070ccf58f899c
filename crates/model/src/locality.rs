//! Preference by locality: who is near, who takes over, and who gets which share.

use std::sync::Arc;

use crate::{Labels, Locality};

/// How endpoints are preferred by where they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LocalityBalance {
    /// Not at all.
    Off,
    /// Callers from the first matching place send these shares.
    Distribute(Vec<Distribution>),
    /// The nearest first; then, of the other regions, the one that is named for the caller's.
    Failover(Vec<Failover>),
    /// The more of these labels agree, in this order, the nearer. Never empty.
    Priority(Vec<Preference>),
}

/// What callers from a place send where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Distribution {
    pub from: Place,
    /// Add up to 100; none is zero.
    pub to: Vec<(Place, u32)>,
}

/// Which region takes over for which.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failover {
    pub from: Arc<str>,
    pub to: Arc<str>,
}

/// A label on which caller and endpoint should agree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Preference {
    pub label: String,
    /// In place of the caller's own.
    pub value: Option<String>,
}

/// A part of the map: `*`, `region`, `region/*`, `region/zone/subzone`. What is `None` is any.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    region: Option<Arc<str>>,
    zone: Option<Arc<str>>,
    subzone: Option<Arc<str>>,
}

/// The labels that tell where something runs.
pub const REGION_LABELS: [&str; 2] = [
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/region",
];
pub const ZONE_LABELS: [&str; 2] = [
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

pub const SUBZONE_LABEL: &str = "topology.istio.io/subzone";

// === impl LocalityBalance ===

impl Default for LocalityBalance {
    fn default() -> LocalityBalance {
        LocalityBalance::Failover(Vec::new())
    }
}

// === impl Place ===

impl Place {
    /// `None` if a part is empty, or a star is not the last part.
    pub fn parse(text: &str) -> Option<Place> {
        let mut parts: Vec<&str> = text.split('/').collect();
        if parts.len() > 3 || parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        if parts.last() == Some(&"*") {
            parts.pop();
        }
        if parts.iter().any(|part| part.contains('*')) {
            return None;
        }
        Some(Place {
            region: parts.first().map(|part| (*part).into()),
            zone: parts.get(1).map(|part| (*part).into()),
            subzone: parts.get(2).map(|part| (*part).into()),
        })
    }

    pub fn holds(&self, locality: &Locality) -> bool {
        let is = |part: &Option<Arc<str>>, known: &Arc<str>| {
            part.as_ref().is_none_or(|part| part == known)
        };
        is(&self.region, &locality.region)
            && is(&self.zone, &locality.zone)
            && is(&self.subzone, &locality.subzone)
    }

    /// Whether something can be in both.
    pub fn meets(&self, other: &Place) -> bool {
        let may = |a: &Option<Arc<str>>, b: &Option<Arc<str>>| match (a, b) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        may(&self.region, &other.region)
            && may(&self.zone, &other.zone)
            && may(&self.subzone, &other.subzone)
    }
}

// === impl Preference ===

impl Preference {
    /// The value that something has; where it runs counts like a label.
    pub fn value_of<'a>(&self, labels: &'a Labels, locality: &'a Locality) -> Option<&'a str> {
        let label = self.label.as_str();
        let known = |text: &'a Arc<str>| Some(&**text).filter(|text| !text.is_empty());
        labels.get(label).or_else(|| match label {
            label if REGION_LABELS.contains(&label) => known(&locality.region),
            label if ZONE_LABELS.contains(&label) => known(&locality.zone),
            SUBZONE_LABEL => known(&locality.subzone),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(region: &str, zone: &str) -> Locality {
        Locality {
            region: region.into(),
            zone: zone.into(),
            subzone: "s".into(),
        }
    }

    #[test]
    fn a_place_is_a_part_of_the_map() {
        let eu1 = at("eu", "eu-1");
        for (text, holds) in [
            ("*", true),
            ("eu", true),
            ("eu/*", true),
            ("eu/eu-1", true),
            ("eu/eu-1/*", true),
            ("eu/eu-1/s", true),
            ("eu/eu-1/t", false),
            ("eu/eu-2", false),
            ("us/*", false),
        ] {
            assert_eq!(Place::parse(text).unwrap().holds(&eu1), holds, "{text}");
        }
        for text in ["", "eu//x", "*/eu", "e*", "a/b/c/d", "eu/"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn places_meet_if_something_can_be_in_both() {
        let meet = |a, b| Place::parse(a).unwrap().meets(&Place::parse(b).unwrap());
        assert!(meet("*", "eu/eu-1") && meet("eu", "eu/eu-1") && meet("eu", "eu/*"));
        assert!(!meet("eu/eu-1", "eu/eu-2") && !meet("eu", "us"));
    }
}
