//! `/debug/config_dump`: what a proxy is served, in the form of Envoy's own admin page.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::Inside;
use crate::router::pretty;

pub(crate) async fn page(
    State(inside): State<Arc<dyn Inside>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let Some(id) = query.get("proxyID").filter(|id| !id.is_empty()) else {
        let text = "must provide proxyID: the node id of a proxy; /debug/syncz lists them\n";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let Some(snapshot) = inside.snapshot(id) else {
        let text = format!(
            "proxy {id:?} is not connected to this Pilothouse; /debug/syncz lists those that are\n"
        );
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    // Rendering decodes every resource: not on the threads that serve streams.
    match tokio::task::spawn_blocking(move || render(&snapshot)).await {
        Ok(Ok(dump)) => pretty(&dump),
        Ok(Err(why)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response(),
        Err(stopped) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{stopped}\n")).into_response(),
    }
}

fn render(snapshot: &xds::Snapshot) -> Result<serde_json::Value, envoy::render::RenderError> {
    let of_kind = |kind: xds::Kind| snapshot.iter(kind).map(move |resource| (kind, resource));
    let resources: Vec<_> = xds::Kind::ALL.into_iter().flat_map(of_kind).collect();
    let versions: Vec<String> = resources
        .iter()
        .map(|(_, resource)| resource.version.to_string())
        .collect();
    let dumped = resources
        .iter()
        .zip(&versions)
        .map(|((kind, resource), version)| envoy::render::Dumped {
            kind: envoy_kind(*kind),
            name: &resource.name,
            version,
            body: &resource.body,
        });
    envoy::render::config_dump(dumped)
}

fn envoy_kind(kind: xds::Kind) -> envoy::Kind {
    match kind {
        xds::Kind::Cluster => envoy::Kind::Cluster,
        xds::Kind::Endpoint => envoy::Kind::Endpoint,
        xds::Kind::Listener => envoy::Kind::Listener,
        xds::Kind::Route => envoy::Kind::Route,
        xds::Kind::Secret => envoy::Kind::Secret,
    }
}
