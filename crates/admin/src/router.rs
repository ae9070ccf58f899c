//! Paths and the pages behind them.

use std::sync::Arc;

use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::{
    Inside, authentication, config_dump, diagnostics, endpoints, health, metrics, mtls, registry,
    sources, sync,
};

type View = Arc<dyn Inside>;

/// Path and one line of help, for the index page.
const PAGES: &[(&str, &str)] = &[
    (
        "/ready",
        "200 when proxies are served, else 503 with what is pending",
    ),
    ("/healthz/live", "200 while the process runs"),
    ("/version", "name and version"),
    ("/metrics", "Prometheus metrics, under Pilot's names"),
    (
        "/debug/authenticationz",
        "mTLS of every service port; ?proxyID=HOST for one service",
    ),
    (
        "/debug/config_dump",
        "what a proxy is served; ?proxyID=NODE-ID",
    ),
    (
        "/debug/diagnosticsz",
        "objects that are refused, ignored or conflicting; ?format=text",
    ),
    (
        "/debug/endpointz",
        "endpoints by service port; ?brief=1 for one line each, ?host=HOST for one service",
    ),
    (
        "/debug/mtlsz",
        "who can speak mTLS with whom, by port, subset and instance; ?host=HOST",
    ),
    (
        "/debug/registryz",
        "services, their instances, and why each is or is not an endpoint; ?host=HOST",
    ),
    (
        "/debug/sources",
        "where the state comes from, who leads there, and how fresh it is",
    ),
    (
        "/debug/syncz",
        "what each proxy was sent and has acknowledged",
    ),
];

/// All pages.
pub fn router(inside: View) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/debug", get(index))
        .route("/debug/list", get(index))
        .route("/ready", get(health::ready))
        .route("/healthz/live", get(|| async { "live\n" }))
        .route(
            "/version",
            get(|| async { concat!("pilothouse ", env!("CARGO_PKG_VERSION"), "\n") }),
        )
        .route("/metrics", get(metrics::page))
        .route("/debug/authenticationz", get(authentication::page))
        .route("/debug/config_dump", get(config_dump::page))
        .route("/debug/diagnosticsz", get(diagnostics::page))
        .route("/debug/endpointz", get(endpoints::page))
        .route("/debug/mtlsz", get(mtls::page))
        .route("/debug/registryz", get(registry::page))
        .route("/debug/sources", get(sources::page))
        .route("/debug/syncz", get(sync::page))
        .with_state(inside)
}

async fn index() -> Response {
    let rows: String = PAGES
        .iter()
        .map(|(path, help)| {
            format!("<tr><td><a href=\"{path}\">{path}</a></td><td>{help}</td></tr>\n")
        })
        .collect();
    Html(format!(
        "<!doctype html><title>Pilothouse</title><h1>Pilothouse</h1><table>\n{rows}</table>\n"
    ))
    .into_response()
}

/// A JSON answer, indented by four as Pilot's pages are.
pub(crate) fn pretty(value: &impl serde::Serialize) -> Response {
    let mut body = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut body, form);
    match value.serialize(&mut serializer) {
        Ok(()) => ([("content-type", "application/json")], body).into_response(),
        Err(e) => (
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            format!("{e}\n"),
        )
            .into_response(),
    }
}
