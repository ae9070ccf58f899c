//! Who answered how often.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Client, Failure};

/// Requests at a time: a page asks for two sections, so this keeps two cores busy enough.
const AT_ONCE: usize = 4;

/// The outcome of some requests, by what the page showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Votes {
    /// By version and colour of reviews, for example `("v2", "black")`; no colour is `none`.
    pub by_reviews: BTreeMap<(String, String), u64>,
    /// What went wrong, in order of the requests.
    pub failures: Vec<String>,
    /// The slowest answer.
    pub slowest: Duration,
}

impl Votes {
    /// Asks so many times for the page.
    pub async fn cast(client: &Client, user: Option<&str>, requests: usize) -> Self {
        let mut votes = Self::default();
        let mut asking = JoinSet::new();
        let user: Option<Arc<str>> = user.map(Arc::from);
        for _ in 0..requests {
            if asking.len() >= AT_ONCE {
                votes.take(asking.join_next().await);
            }
            let (client, user) = (client.clone(), user.clone());
            asking.spawn(async move {
                let asked = Instant::now();
                let answer = client.whole_page(user.as_deref()).await;
                (answer, asked.elapsed())
            });
        }
        while let answer @ Some(_) = asking.join_next().await {
            votes.take(answer);
        }
        votes
    }

    /// How many were answered.
    pub fn answered(&self) -> u64 {
        self.by_reviews.values().sum()
    }

    /// How many were answered by this version of reviews.
    pub fn of(&self, version: &str) -> u64 {
        let of_version = self.by_reviews.iter().filter(|((v, _), _)| v == version);
        of_version.map(|(_, count)| count).sum()
    }

    /// True if all requests were answered by this version, in this colour.
    pub fn only(&self, version: &str, color: &str) -> bool {
        let all = self
            .by_reviews
            .keys()
            .all(|(v, c)| v == version && c == color);
        self.failures.is_empty() && !self.by_reviews.is_empty() && all
    }

    fn take(&mut self, answer: Option<Result<Answer, tokio::task::JoinError>>) {
        let (page, took) = match answer {
            None => return,
            Some(Err(error)) => return self.failures.push(error.to_string()),
            Some(Ok(answer)) => answer,
        };
        self.slowest = self.slowest.max(took);
        match page {
            Ok(page) => {
                let version = page.reviews_version().unwrap_or("none").to_owned();
                let color = page.star_color().unwrap_or("none").to_owned();
                *self.by_reviews.entry((version, color)).or_default() += 1;
            }
            Err(failure) => self.failures.push(failure.to_string()),
        }
    }
}

type Answer = (Result<crate::bookinfo::wire::Page, Failure>, Duration);

impl fmt::Display for Votes {
    /// `v1 20, v3 red 22`, and the first failure if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for ((version, color), count) in &self.by_reviews {
            let color = match color.as_str() {
                "none" => String::new(),
                color => format!(" {color}"),
            };
            write!(f, "{separator}{version}{color} {count}")?;
            separator = ", ";
        }
        if let Some(first) = self.failures.first() {
            write!(f, "{separator}{} failed: {first}", self.failures.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(counts: &[(&str, &str, u64)]) -> Votes {
        let by_reviews = counts
            .iter()
            .map(|(v, c, n)| ((v.to_string(), c.to_string()), *n));
        Votes {
            by_reviews: by_reviews.collect(),
            ..Votes::default()
        }
    }

    #[test]
    fn votes_are_shown_by_version_and_colour() {
        let mut some = votes(&[("v1", "none", 20), ("v3", "red", 22)]);
        assert_eq!(some.to_string(), "v1 20, v3 red 22");
        assert_eq!((some.answered(), some.of("v1"), some.of("v2")), (42, 20, 0));
        some.failures.push("answered 503".into());
        assert_eq!(some.to_string(), "v1 20, v3 red 22, 1 failed: answered 503");
    }

    #[test]
    fn only_means_all_of_them_and_no_failure() {
        let mut red = votes(&[("v3", "red", 5)]);
        assert!(red.only("v3", "red"));
        assert!(!red.only("v2", "black"));
        assert!(!votes(&[("v3", "none", 5)]).only("v3", "red"));
        assert!(!votes(&[("v1", "none", 1), ("v3", "red", 5)]).only("v3", "red"));
        assert!(!Votes::default().only("v3", "red"));
        red.failures.push("late".into());
        assert!(!red.only("v3", "red"));
    }
}
