//! What the services say to each other, and the JSON form of the product page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The service's short name.
    pub service: String,
    /// Its version label.
    pub version: String,
    /// Marathon's instance id.
    pub instance: String,
}

/// Facts about the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Product number.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// Year of the first print.
    pub year: u16,
    /// Paperback and the like.
    #[serde(rename = "type")]
    pub kind: String,
    /// Number of pages.
    pub pages: u16,
    /// In which language.
    pub language: String,
    /// Who answered.
    pub origin: Origin,
}

/// Stars by reviewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratings {
    /// Product number.
    pub id: String,
    /// One to five stars.
    pub ratings: BTreeMap<String, u8>,
    /// Who answered.
    pub origin: Origin,
}

/// All opinions about one book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviews {
    /// Product number.
    pub id: String,
    /// In a fixed order.
    pub reviews: Vec<Review>,
    /// Who answered: the version tells the colour.
    pub origin: Origin,
}

/// One opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The key into the ratings.
    pub reviewer: String,
    /// The opinion.
    pub text: String,
    /// `None` from v1, which never asks for ratings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating>,
}

/// Stars, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rating {
    /// Stars in a colour.
    Stars {
        /// One to five.
        stars: u8,
        /// black or red.
        color: String,
    },
    /// Ratings did not answer in time or not well.
    Unavailable {
        /// For people.
        error: String,
    },
}

/// One part of the page: what a service answered, or what the page says instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Section<T> {
    /// The answer.
    Shown(T),
    /// The apology.
    Failed {
        /// The sentence that the page shows.
        error: String,
        /// What happened, for the person who looks for it.
        cause: String,
    },
}

impl<T> Section<T> {
    /// The answer, if there was one.
    pub fn shown(&self) -> Option<&T> {
        match self {
            Self::Shown(value) => Some(value),
            Self::Failed { .. } => None,
        }
    }

    /// The sentence shown instead.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Shown(_) => None,
            Self::Failed { error, .. } => Some(error),
        }
    }
}

/// The product page as data (`/productpage?format=json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The book's title.
    pub title: String,
    /// Who is signed in.
    pub user: Option<String>,
    /// Left column.
    pub details: Section<Details>,
    /// Right column.
    pub reviews: Section<Reviews>,
    /// How long the page waited for both.
    pub elapsed_ms: u64,
    /// The productpage itself.
    pub origin: Origin,
}

impl Page {
    /// Which reviews answered: `v1`, `v2`, `v3`; `None` if none did.
    pub fn reviews_version(&self) -> Option<&str> {
        Some(&self.reviews.shown()?.origin.version)
    }

    /// The colour of the stars on the page; `None` without stars.
    pub fn star_color(&self) -> Option<&str> {
        let reviews = &self.reviews.shown()?.reviews;
        reviews
            .iter()
            .find_map(|review| match review.rating.as_ref()? {
                Rating::Stars { color, .. } => Some(color.as_str()),
                Rating::Unavailable { .. } => None,
            })
    }
}
