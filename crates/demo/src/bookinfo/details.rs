//! details: facts about the book, calls nobody.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};

use super::App;
use super::wire::Details;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/details/{id}", get(show))
}

async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Json<Details> {
    Json(Details {
        id,
        author: "William Shakespeare".into(),
        year: 1594,
        kind: "paperback".into(),
        pages: 96,
        language: "English".into(),
        origin: app.origin(),
    })
}
