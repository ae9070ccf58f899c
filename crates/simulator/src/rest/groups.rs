//! `/v2/groups`: the whole tree in one answer.

use super::{Answer, no_such_path};
use crate::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::render::{Embed, group};
use crate::spec::path;
use crate::state::State;

pub(super) fn route(state: &State, request: &Request, rest: &str) -> Answer {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(ApiError::MethodNotAllowed);
    }
    let embed = Embed::new(request.params("embed"));
    // Without any wish the answer has groups and apps, and never pods.
    let embed = match request.param("embed") {
        Some(_) => embed,
        None => embed.with(&["group.groups", "group.apps"]),
    };
    let id = path::lookup(rest);
    if rest.ends_with("/versions") {
        return Err(no_such_path(request));
    }
    if !group::exists(state, &id) {
        return Err(ApiError::NotFound(format!("Group '{id}' does not exist")));
    }
    Ok(Response::json(200, &group::group(state, &id, &embed)))
}
