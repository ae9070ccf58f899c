//! `/v2/deployments`: what is under way, and how to stop it.

use serde_json::Value;

use super::{Answer, DEPLOYMENT, deployment_result, origin};
use crate::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::render::deployment;
use crate::state::State;

pub(super) fn route(state: &mut State, request: &Request, rest: &str) -> Answer {
    match (request.method.as_str(), rest) {
        ("GET" | "HEAD", "") => Ok(list(state)),
        ("DELETE", id) if !id.is_empty() => delete(state, request, id),
        _ => Err(ApiError::MethodNotAllowed),
    }
}

fn list(state: &State) -> Response {
    let all = state.deployments.iter();
    let all: Vec<Value> = all.map(|d| deployment::deployment(state, d)).collect();
    Response::json(200, &all.into())
}

/// By force the deployment just ends; otherwise another one undoes it.
fn delete(state: &mut State, request: &Request, id: &str) -> Answer {
    if request.flag("force", false) {
        let deployment = state.cancel_deployment(id)?;
        return Ok(Response::empty(202).header(DEPLOYMENT, deployment.0));
    }
    let accepted = state.roll_back(id, &origin(request))?;
    Ok(deployment_result(200, &accepted))
}
