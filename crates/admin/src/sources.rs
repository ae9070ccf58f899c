//! `/debug/sources`: where the state comes from, and how fresh it is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::Inside;
use crate::router::pretty;

pub(crate) async fn page(State(inside): State<Arc<dyn Inside>>) -> Response {
    pretty(&inside.sources())
}
