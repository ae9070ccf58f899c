//! reviews: opinions, and from v2 on the stars of ratings in the version's colour.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};

use super::wire::{Rating, Ratings, Review, Reviews};
use super::{App, CallError, ReviewsVersion};

/// Who wrote reviews; ratings knows the same two.
pub(super) const REVIEWERS: [&str; 2] = ["Reviewer1", "Reviewer2"];

const TEXTS: [&str; 2] = [
    "Two pairs of twins, one town, and not one calm minute. I laughed on every page.",
    "Shorter than the other comedies and all the quicker for it. Read it aloud.",
];

pub(super) fn routes(version: ReviewsVersion) -> Router<Arc<App>> {
    let show = async move |State(app): State<Arc<App>>, Path(id): Path<String>, headers| {
        Json(show(&app, version, id, headers).await)
    };
    Router::new().route("/reviews/{id}", get(show))
}

/// Always an answer: without ratings the opinions stand alone.
async fn show(app: &App, version: ReviewsVersion, id: String, headers: HeaderMap) -> Reviews {
    let rated = match version.color() {
        None => None,
        Some(color) => {
            let path = format!("/ratings/{id}");
            let limit = app.timeouts.ratings;
            Some((
                color,
                app.upstream.get("ratings", &path, &headers, limit).await,
            ))
        }
    };
    let review = |(reviewer, text): (&str, &str)| Review {
        reviewer: reviewer.into(),
        text: text.into(),
        rating: rated
            .as_ref()
            .map(|(color, ratings)| rating(reviewer, color, ratings)),
    };
    let reviews = REVIEWERS.into_iter().zip(TEXTS).map(review).collect();
    let origin = app.origin();
    Reviews {
        id,
        reviews,
        origin,
    }
}

fn rating(reviewer: &str, color: &str, ratings: &Result<Ratings, CallError>) -> Rating {
    match ratings {
        Ok(known) => match known.ratings.get(reviewer) {
            Some(&stars) => Rating::Stars {
                stars,
                color: color.into(),
            },
            None => Rating::Unavailable {
                error: format!("{reviewer} gave no stars."),
            },
        },
        Err(error) => {
            tracing::debug!(%error, "reviews without ratings");
            let error = "Ratings are currently unavailable.".into();
            Rating::Unavailable { error }
        }
    }
}
