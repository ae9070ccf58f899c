//! `/v2/groups`: the whole tree in one answer, and changes of many apps at once.

use super::{Answer, body, deployment_result, no_such_path, origin};
use crate::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::render::{Embed, group};
use crate::spec::path;
use crate::state::State;

pub(super) fn route(state: &mut State, request: &Request, rest: &str) -> Answer {
    if rest.ends_with("/versions") {
        return Err(no_such_path(request));
    }
    let id = path::lookup(rest);
    match request.method.as_str() {
        "GET" | "HEAD" => get(state, request, &id),
        "POST" => create(state, request, &id),
        "PUT" => update(state, request, &id),
        "DELETE" => delete(state, request, &id),
        _ => Err(ApiError::MethodNotAllowed),
    }
}

fn get(state: &State, request: &Request, id: &str) -> Answer {
    let embed = Embed::new(request.params("embed"));
    // Without any wish the answer has groups and apps, and never pods.
    let embed = match request.param("embed") {
        Some(_) => embed,
        None => embed.with(&["group.groups", "group.apps"]),
    };
    if !group::exists(state, id) {
        return Err(unknown(id));
    }
    Ok(Response::json(200, &group::group(state, id, &embed)))
}

fn create(state: &mut State, request: &Request, base: &str) -> Answer {
    let accepted = state.create_group(base, &body(request)?, &origin(request))?;
    let location = accepted.id.clone();
    Ok(deployment_result(201, &accepted).header("Location", location))
}

fn update(state: &mut State, request: &Request, id: &str) -> Answer {
    let accepted = state.put_group(id, &body(request)?, &origin(request))?;
    Ok(deployment_result(200, &accepted))
}

fn delete(state: &mut State, request: &Request, id: &str) -> Answer {
    if !group::exists(state, id) {
        return Err(unknown(id));
    }
    let accepted = state.delete_group(id, &origin(request))?;
    let answer = deployment_result(200, &accepted);
    Ok(answer.header(
        "Location",
        format!("/v2/deployments/{}", accepted.deployment),
    ))
}

fn unknown(id: &str) -> ApiError {
    ApiError::NotFound(format!("Group '{id}' does not exist"))
}
