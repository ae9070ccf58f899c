//! `/v2/pods` and what lies below it.

use serde_json::{Value, json};

use super::{Answer, DEPLOYMENT, body, no_such_path, origin};
use crate::change::Edit;
use crate::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::render::pod;
use crate::spec::{Kind, path};
use crate::state::State;

pub(super) fn route(state: &mut State, request: &Request, rest: &str) -> Answer {
    let method = request.method.as_str();
    // `<id>::<what>`: an id has no colon, so the first one ends it.
    let (id, what) = match rest.split_once("::") {
        Some((id, what)) => (id, Some(what)),
        None => (rest, None),
    };
    let id = path::lookup(id);
    match (method, rest.is_empty(), what) {
        ("HEAD", true, None) => Ok(Response::empty(200)),
        ("GET", true, None) => Ok(list(state)),
        ("POST", true, None) => create(state, request),
        ("GET" | "HEAD", false, None) => Ok(Response::json(200, &state.spec(Kind::Pod, &id)?.body)),
        ("PUT", false, None) => update(state, request, &id),
        ("DELETE", false, None) => delete(state, request, &id),
        ("GET" | "HEAD", _, Some(what)) => view(state, request, &id, what),
        ("DELETE", _, Some(what)) => kill(state, request, &id, what),
        _ => Err(ApiError::MethodNotAllowed),
    }
}

fn list(state: &State) -> Response {
    let pods: Vec<&Value> = state.specs(Kind::Pod).map(|s| &s.body).collect();
    Response::json(200, &json!(pods))
}

fn view(state: &State, request: &Request, id: &str, what: &str) -> Answer {
    let body = match (id, what) {
        ("/", "status") => {
            let pods = state.specs(Kind::Pod);
            pods.map(|s| pod::status(state, s)).collect()
        }
        (id, "status") => pod::status(state, state.spec(Kind::Pod, id)?),
        (id, "versions") => versions(state, id)?,
        (id, what) => match what.strip_prefix("versions/") {
            Some(version) => state.spec_version(Kind::Pod, id, version)?.body.clone(),
            None => return Err(no_such_path(request)),
        },
    };
    Ok(Response::json(200, &body))
}

fn versions(state: &State, id: &str) -> Result<Value, ApiError> {
    state.spec(Kind::Pod, id)?;
    let versions = state
        .run_spec(id)
        .into_iter()
        .flat_map(|r| r.versions.keys().rev());
    Ok(versions.map(ToString::to_string).collect())
}

fn create(state: &mut State, request: &Request) -> Answer {
    let accepted = state.create(Kind::Pod, &body(request)?, &origin(request))?;
    let spec = state.spec(Kind::Pod, &accepted.id)?;
    Ok(Response::json(201, &spec.body)
        .header("Location", accepted.id)
        .header(DEPLOYMENT, accepted.deployment.0))
}

fn update(state: &mut State, request: &Request, id: &str) -> Answer {
    state.spec(Kind::Pod, id)?;
    let body = body(request)?;
    let own = body["id"].as_str().unwrap_or_default();
    if path::lookup(own) != id {
        let message = format!("'{id}' does not match definition's id ('{own}')");
        return Err(ApiError::BadRequest(message));
    }
    let accepted = state.apply(vec![Edit::Put(Kind::Pod, body)], &origin(request))?;
    let spec = state.spec(Kind::Pod, id)?;
    Ok(Response::json(200, &spec.body).header(DEPLOYMENT, accepted.deployment.0))
}

fn delete(state: &mut State, request: &Request, id: &str) -> Answer {
    let edit = Edit::Delete(Kind::Pod, id.to_owned());
    let accepted = state.apply(vec![edit], &origin(request))?;
    Ok(Response::empty(202)
        .header("Location", accepted.deployment.0.as_str())
        .header(DEPLOYMENT, accepted.deployment.0))
}

/// `::instances/{id}` kills one instance, `::instances` with a list in the
/// body several; all of them are launched again.
fn kill(state: &mut State, request: &Request, id: &str, what: &str) -> Answer {
    state.spec(Kind::Pod, id)?;
    let (wanted, single): (Vec<String>, bool) = match what.strip_prefix("instances") {
        Some("") => {
            let ids = serde_json::from_value(body(request)?);
            let ids = ids.map_err(|e| ApiError::BadRequest(format!("Invalid JSON: {e}")))?;
            (ids, false)
        }
        Some(rest) => (vec![rest.trim_start_matches('/').to_owned()], true),
        None => return Err(no_such_path(request)),
    };
    let instances = state.instances_of(id).filter(|i| wanted.contains(&i.id));
    let (keys, bodies): (Vec<u64>, Vec<Value>) =
        instances.map(|i| (i.key, pod::instance(state, i))).unzip();
    if single && keys.is_empty() {
        let message = format!("Task '{}' does not exist", wanted[0]);
        return Err(ApiError::NotFound(message));
    }
    state.kill_instances(&keys);
    let body = if single {
        bodies[0].clone()
    } else {
        bodies.into()
    };
    Ok(Response::json(200, &body))
}
