//! The steps as data: what is edited and what is expected then.

use crate::samples::{
    DESTINATION_RULES, GATEWAY, RATINGS_DELAY_JASON, REVIEWS_50_50, REVIEWS_JASON_V2, REVIEWS_V3,
    Sample,
};

/// One step.
#[derive(Debug)]
pub struct Step {
    /// A few words.
    pub name: &'static str,
    /// What the row of the table promises.
    pub expectation: &'static str,
    /// Edits of the configuration directory, made together.
    pub edits: &'static [Edit],
    /// How that is checked.
    pub expect: Expect,
}

/// An edit of one file.
#[derive(Debug, Clone, Copy)]
pub enum Edit {
    /// Write this sample into the file of that name.
    Apply(&'static str, Sample),
    /// Remove the file.
    Delete(&'static str),
}

/// What to look at.
#[derive(Debug, Clone, Copy)]
pub enum Expect {
    /// The gateway serves nothing.
    Closed,
    /// The gateway answers 200 to a `Host` with an arbitrary port.
    Open,
    /// Every version of reviews answers, asked at productpage's own host port.
    AllVersions,
    /// Every version is a subset with one endpoint at productpage's Envoy, and all still answer.
    Subsets,
    /// Nothing but v3 answers, with red stars.
    OnlyV3,
    /// jason sees black stars, the others red ones.
    JasonV2,
    /// jason waits about 6 s for an apology; the others notice nothing.
    JasonDelayed,
    /// About half v1, half v3.
    HalfV1HalfV3,
}

const REVIEWS: &str = "reviews.yaml";
const RATINGS: &str = "ratings.yaml";

/// The chapters in their order.
pub const STEPS: &[Step] = &[
    Step {
        name: "default routing",
        expectation: "reviews v1, v2 and v3 answer in turn",
        edits: &[],
        expect: Expect::AllVersions,
    },
    Step {
        name: "no gateway yet",
        expectation: "the ingress gateway lets nobody in",
        edits: &[],
        expect: Expect::Closed,
    },
    Step {
        name: "gateway",
        expectation: "200 at agent and host port of the gateway",
        edits: &[Edit::Apply("gateway.yaml", GATEWAY)],
        expect: Expect::Open,
    },
    Step {
        name: "subsets",
        expectation: "v1, v2, v3 of reviews have one endpoint each",
        edits: &[Edit::Apply("destination-rules.yaml", DESTINATION_RULES)],
        expect: Expect::Subsets,
    },
    Step {
        name: "all to v3",
        expectation: "every page has red stars",
        edits: &[Edit::Apply(REVIEWS, REVIEWS_V3)],
        expect: Expect::OnlyV3,
    },
    Step {
        name: "jason to v2",
        expectation: "black stars for jason, red ones for others",
        edits: &[Edit::Apply(REVIEWS, REVIEWS_JASON_V2)],
        expect: Expect::JasonV2,
    },
    Step {
        name: "7 s delay for jason",
        expectation: "no reviews for jason after 6 s, others unharmed",
        edits: &[Edit::Apply(RATINGS, RATINGS_DELAY_JASON)],
        expect: Expect::JasonDelayed,
    },
    Step {
        name: "delay deleted",
        expectation: "black stars for jason again",
        edits: &[Edit::Delete(RATINGS)],
        expect: Expect::JasonV2,
    },
    Step {
        name: "50/50",
        expectation: "about half v1, half v3",
        edits: &[Edit::Apply(REVIEWS, REVIEWS_50_50)],
        expect: Expect::HalfV1HalfV3,
    },
    Step {
        name: "100 %",
        expectation: "every page has red stars",
        edits: &[Edit::Apply(REVIEWS, REVIEWS_V3)],
        expect: Expect::OnlyV3,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn files_are_deleted_only_when_they_are_there() {
        let mut there = BTreeSet::new();
        for edit in STEPS.iter().flat_map(|step| step.edits) {
            match edit {
                Edit::Apply(name, _) => drop(there.insert(*name)),
                Edit::Delete(name) => assert!(there.remove(name), "{name}"),
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
    }
}
