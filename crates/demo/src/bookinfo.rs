//! The Bookinfo application, small enough to run inside the demo.
//!
//! Four services; who calls whom, the colours and the timeouts are those of the well-known sample,
//! including its planted bug: productpage gives reviews 6 s in all, reviews gives ratings 10 s.
//!
//! ```text
//! productpage ──► details
//!      └────────► reviews v1 (no stars)
//!                 reviews v2 (black stars) ──► ratings
//!                 reviews v3 (red stars)   ──► ratings
//! ```
//!
//! A service calls `http://reviews.marathon.slave.mesos:9080/...` like any program on the mesh;
//! only the connection goes to the outbound address of its own Envoy (`upstream`).

use std::time::Duration;

mod details;
mod html;
mod productpage;
mod ratings;
mod reviews;
mod server;
#[cfg(test)]
mod tests;
mod upstream;
pub mod wire;

pub use server::{App, Running};
pub use upstream::{CallError, FORWARDED, Upstream};

/// The port of every Bookinfo service.
pub const PORT: u16 = 9080;

/// The versions of reviews, which differ in what they do with ratings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReviewsVersion {
    /// Does not call ratings.
    V1,
    /// Black stars.
    V2,
    /// Red stars.
    V3,
}

impl ReviewsVersion {
    /// The value of the `version` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }

    /// The colour of the stars; `None` means no stars at all.
    pub fn color(self) -> Option<&'static str> {
        match self {
            Self::V1 => None,
            Self::V2 => Some("black"),
            Self::V3 => Some("red"),
        }
    }
}

/// Which program a workload runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The page for people; calls details and reviews.
    Productpage,
    /// Facts about the book.
    Details,
    /// Stars by reviewer.
    Ratings,
    /// Opinions, with or without stars.
    Reviews(ReviewsVersion),
}

impl Service {
    /// From the labels `istio` and `version` of a pod; `None` if Bookinfo has no such program.
    pub fn from_labels(istio: &str, version: &str) -> Option<Self> {
        match (istio, version) {
            ("productpage", "v1") => Some(Self::Productpage),
            ("details", "v1") => Some(Self::Details),
            ("ratings", "v1") => Some(Self::Ratings),
            ("reviews", "v1") => Some(Self::Reviews(ReviewsVersion::V1)),
            ("reviews", "v2") => Some(Self::Reviews(ReviewsVersion::V2)),
            ("reviews", "v3") => Some(Self::Reviews(ReviewsVersion::V3)),
            _ => None,
        }
    }

    /// The first part of its host name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Productpage => "productpage",
            Self::Details => "details",
            Self::Ratings => "ratings",
            Self::Reviews(_) => "reviews",
        }
    }

    /// Its version label.
    pub fn version(self) -> &'static str {
        match self {
            Self::Reviews(version) => version.as_str(),
            _ => "v1",
        }
    }
}

/// How long callers wait. The default is what the sample hard-codes; tests of the logic shrink it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// productpage to details.
    pub details: Duration,
    /// productpage to reviews, for each attempt.
    pub reviews: Duration,
    /// Attempts of productpage to reach reviews: one, and one retry.
    pub reviews_attempts: u32,
    /// reviews to ratings. Longer than all that productpage grants: the planted bug.
    pub ratings: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            details: Duration::from_secs(3),
            reviews: Duration::from_secs(3),
            reviews_attempts: 2,
            ratings: Duration::from_secs(10),
        }
    }
}
