//! productpage: what people see, made from details and reviews.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::wire::{Details, Page, Reviews, Section};
use super::{App, CallError, html};

/// The header that routes match on; every service passes it on.
const END_USER: &str = "end-user";
const USER_COOKIE: &str = "user";
const BOOK: &str = "0";
const TITLE: &str = "The Comedy of Errors";
const NO_REVIEWS: &str = "Sorry, product reviews are currently unavailable for this book.";
const NO_DETAILS: &str = "Sorry, product details are currently unavailable for this book.";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async || Redirect::to("/productpage")))
        .route("/productpage", get(show))
        .route("/login", get(login))
        .route("/logout", get(logout))
}

#[derive(Deserialize)]
struct Form {
    format: Option<String>,
}

async fn show(
    State(app): State<Arc<App>>,
    Query(form): Query<Form>,
    mut headers: HeaderMap,
) -> Response {
    if let Some(user) = user(&headers) {
        headers.insert(END_USER, user);
    }
    let page = page(&app, &headers).await;
    if wants_json(form.format.as_deref(), &headers) {
        Json(page).into_response()
    } else {
        Html(html::render(&page)).into_response()
    }
}

async fn page(app: &App, headers: &HeaderMap) -> Page {
    let started = Instant::now();
    let (details, reviews) = tokio::join!(details(app, headers), reviews(app, headers));
    let user = headers.get(END_USER).and_then(|user| user.to_str().ok());
    Page {
        title: TITLE.into(),
        user: user.map(str::to_owned),
        details: section(details, NO_DETAILS),
        reviews: section(reviews, NO_REVIEWS),
        elapsed_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        origin: app.origin(),
    }
}

async fn details(app: &App, headers: &HeaderMap) -> Result<Details, CallError> {
    let path = format!("/details/{BOOK}");
    app.upstream
        .get("details", &path, headers, app.timeouts.details)
        .await
}

/// Here is the bug that the walkthrough uncovers: the attempts together are shorter than what
/// reviews grants ratings, so that slow ratings cost the page all its reviews.
async fn reviews(app: &App, headers: &HeaderMap) -> Result<Reviews, CallError> {
    let path = format!("/reviews/{BOOK}");
    let limit = app.timeouts.reviews;
    let mut attempt = 1;
    loop {
        match app.upstream.get("reviews", &path, headers, limit).await {
            Err(error) if attempt < app.timeouts.reviews_attempts => {
                tracing::debug!(%error, attempt, "reviews: trying again");
                attempt += 1;
            }
            last => return last,
        }
    }
}

fn section<T>(result: Result<T, CallError>, apology: &str) -> Section<T> {
    match result {
        Ok(value) => Section::Shown(value),
        Err(cause) => Section::Failed {
            error: apology.into(),
            cause: cause.to_string(),
        },
    }
}

/// The header wins, so that curl needs no cookie; people get theirs from `/login`.
fn user(headers: &HeaderMap) -> Option<HeaderValue> {
    if let Some(user) = headers.get(END_USER) {
        return Some(user.clone());
    }
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|all| all.split(';'))
        .filter_map(|pair| pair.split_once('='));
    let (_, user) =
        pairs.find(|(name, user)| name.trim() == USER_COOKIE && is_name(user.trim()))?;
    HeaderValue::from_str(user.trim()).ok()
}

fn wants_json(format: Option<&str>, headers: &HeaderMap) -> bool {
    match format {
        Some(format) => format == "json",
        None => {
            let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
            accept.is_some_and(|kinds| kinds.starts_with("application/json"))
        }
    }
}

#[derive(Deserialize)]
struct Login {
    user: String,
}

async fn login(Query(login): Query<Login>) -> Response {
    if !is_name(&login.user) {
        let hint = "user: 1 to 32 letters, digits, '.', '_' or '-', as in /login?user=jason\n";
        return (StatusCode::BAD_REQUEST, hint).into_response();
    }
    let cookie = format!(
        "{USER_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax",
        login.user
    );
    ([(SET_COOKIE, cookie)], Redirect::to("/productpage")).into_response()
}

async fn logout() -> Response {
    let cookie = format!("{USER_COOKIE}=; Path=/; Max-Age=0");
    ([(SET_COOKIE, cookie)], Redirect::to("/productpage")).into_response()
}

/// Fits into a cookie and a header as it is.
fn is_name(user: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=32).contains(&user.len()) && user.chars().all(plain)
}
