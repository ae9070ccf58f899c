//! ratings: stars by reviewer, calls nobody. Where the fault of the walkthrough is injected.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};

use super::App;
use super::reviews::REVIEWERS;
use super::wire::Ratings;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/ratings/{id}", get(show))
}

async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Json<Ratings> {
    let stars = [5, 4];
    let ratings = REVIEWERS
        .map(str::to_owned)
        .into_iter()
        .zip(stars)
        .collect();
    let origin = app.origin();
    Json(Ratings {
        id,
        ratings,
        origin,
    })
}
