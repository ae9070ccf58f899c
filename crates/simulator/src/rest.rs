//! The REST API: from request to change and rendering, without I/O.

mod apps;
mod deployments;
mod groups;
mod info;
mod pods;
mod selector;
mod tasks;

use serde_json::{Value, json};

use crate::change::{Accepted, Origin};
use crate::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::state::State;

/// The header that names the deployment a change has begun.
const DEPLOYMENT: &str = "Marathon-Deployment-Id";

/// What a handler answers.
type Answer = Result<Response, ApiError>;

/// Answers a request. The event stream is not among them.
pub(crate) fn handle(state: &mut State, request: &Request) -> Response {
    let answer = route(state, request).unwrap_or_else(Response::from);
    match state.leader_addr() {
        Some(leader) => answer.header("X-Marathon-Leader", format!("http://{leader}")),
        None => answer,
    }
}

/// Whether the answer promises that the leader will resign.
pub(crate) fn is_resignation(request: &Request, answer: &Response) -> bool {
    request.method == "DELETE" && request.path == "/v2/leader" && answer.status == 200
}

fn route(state: &mut State, request: &Request) -> Answer {
    let path = request.path.trim_end_matches('/');
    let below = |prefix: &str| path.strip_prefix(prefix).filter(|r| begins_segment(r));
    if let Some(rest) = below("/v2/apps") {
        apps::route(state, request, rest.trim_start_matches('/'))
    } else if let Some(rest) = below("/v2/pods") {
        pods::route(state, request, rest.trim_start_matches('/'))
    } else if let Some(rest) = below("/v2/tasks") {
        tasks::route(state, request, rest)
    } else if let Some(rest) = below("/v2/groups") {
        groups::route(state, request, rest)
    } else if let Some(rest) = below("/v2/deployments") {
        deployments::route(state, request, rest.trim_start_matches('/'))
    } else {
        info::route(state, request, path)
    }
}

fn begins_segment(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// The 404 for an address that means nothing.
fn no_such_path(request: &Request) -> ApiError {
    ApiError::NotFound(format!("URI not found: {}", request.path))
}

fn body(request: &Request) -> Result<Value, ApiError> {
    serde_json::from_slice(&request.body)
        .map_err(|error| ApiError::BadRequest(format!("Invalid JSON: {error}")))
}

fn origin(request: &Request) -> Origin {
    Origin {
        client: request.peer.ip().to_string(),
        uri: request.uri.split('?').next().unwrap_or_default().to_owned(),
        force: request.flag("force", false),
    }
}

/// `{"version", "deploymentId"}`, the answer to most changes of apps.
fn deployment_result(status: u16, accepted: &Accepted) -> Response {
    let body = json!({
        "version": accepted.version.to_string(),
        "deploymentId": accepted.deployment.0,
    });
    Response::json(status, &body).header(DEPLOYMENT, accepted.deployment.0.as_str())
}
