//! `/debug/diagnosticsz`: what is wrong with which object, and what follows.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use model::{Diagnostic, ObjectRef};
use serde::Serialize;

use crate::Inside;
use crate::router::pretty;

#[derive(Serialize)]
struct Row<'a> {
    code: &'a str,
    severity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    why: &'a str,
    effect: &'a str,
    remedy: &'a str,
}

pub(crate) async fn page(
    State(inside): State<Arc<dyn Inside>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let mut all: Vec<Diagnostic> = inside
        .world()
        .map(|world| world.diagnostics.to_vec())
        .unwrap_or_default();
    all.extend(inside.omissions());
    all.sort();
    all.dedup();
    if query.get("format").is_some_and(|format| format == "text") {
        let text: String = all.iter().map(|finding| format!("{finding}\n\n")).collect();
        return text.into_response();
    }
    pretty(&all.iter().map(row).collect::<Vec<_>>())
}

fn row(finding: &Diagnostic) -> Row<'_> {
    Row {
        code: finding.code,
        severity: finding.severity.to_string(),
        object: finding.object.as_ref().map(ObjectRef::to_string),
        field: &finding.field,
        location: finding.location.as_ref().map(ToString::to_string),
        why: &finding.why,
        effect: &finding.effect,
        remedy: &finding.remedy,
    }
}
