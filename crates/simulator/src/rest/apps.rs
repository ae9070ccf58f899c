//! `/v2/apps` and what lies below it.

use serde_json::{Value, json};

use super::selector::Selector;
use super::{Answer, DEPLOYMENT, body, deployment_result, no_such_path, origin, tasks};
use crate::change::Edit;
use crate::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::render::{Embed, app, task};
use crate::spec::{Kind, Spec, path};
use crate::state::{State, unknown};

pub(super) fn route(state: &mut State, request: &Request, rest: &str) -> Answer {
    let method = request.method.as_str();
    if rest.is_empty() {
        return match method {
            "GET" | "HEAD" => list(state, request),
            "POST" => create(state, request),
            "PUT" | "PATCH" => update_many(state, request),
            _ => Err(ApiError::MethodNotAllowed),
        };
    }
    // Ids may contain slashes, so the known endings are looked for.
    if let Some(id) = rest.strip_suffix("/tasks") {
        return match method {
            "GET" | "HEAD" => list_tasks(state, id),
            "DELETE" => tasks::delete_of_app(state, request, id, None),
            _ => Err(ApiError::MethodNotAllowed),
        };
    }
    if let Some((id, task)) = below(rest, "tasks") {
        return match method {
            "DELETE" => tasks::delete_of_app(state, request, id, Some(task)),
            _ => Err(ApiError::MethodNotAllowed),
        };
    }
    match (method, rest) {
        ("GET" | "HEAD", rest) => get(state, request, rest),
        ("PUT" | "PATCH", id) => update(state, request, &path::lookup(id)),
        ("DELETE", id) => delete(state, request, &path::lookup(id)),
        ("POST", rest) => match rest.strip_suffix("/restart") {
            Some(id) => restart(state, request, &path::lookup(id)),
            None => Err(no_such_path(request)),
        },
        _ => Err(ApiError::MethodNotAllowed),
    }
}

/// Splits `<id>/<word>/<last>`.
fn below<'a>(rest: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (front, last) = rest.rsplit_once('/')?;
    let id = front.strip_suffix(word)?.strip_suffix('/')?;
    Some((id, last))
}

fn get(state: &State, request: &Request, rest: &str) -> Answer {
    if rest == "*" || rest.ends_with("/*") {
        return list_group(state, request, &path::lookup(rest.trim_end_matches('*')));
    }
    if let Some(id) = rest.strip_suffix("/versions") {
        return versions(state, &path::lookup(id));
    }
    if let Some((id, version)) = below(rest, "versions") {
        let spec = state.spec_version(Kind::App, &path::lookup(id), version)?;
        return Ok(Response::json(200, &app::definition(state, spec)));
    }
    let spec = state.spec(Kind::App, &path::lookup(rest))?;
    // Marathon keeps these four for clients of old.
    let legacy = ["counts", "tasks", "lastTaskFailure", "deployments"];
    let embed = Embed::new(request.params("embed")).with(&legacy);
    Ok(Response::json(
        200,
        &json!({ "app": app::app(state, spec, &embed) }),
    ))
}

fn list(state: &State, request: &Request) -> Answer {
    let selector = match request.param("label") {
        Some(text) => Some(Selector::parse(text).map_err(ApiError::BadRequest)?),
        None => None,
    };
    let contains = |param: &str, value: Option<&str>| {
        let wanted = request.param(param).map(str::to_lowercase);
        wanted.is_none_or(|w| value.is_some_and(|v| v.to_lowercase().contains(&w)))
    };
    let matches = |spec: &Spec| {
        contains("id", Some(&spec.id))
            && contains("cmd", spec.body["cmd"].as_str())
            && selector
                .as_ref()
                .is_none_or(|s| s.matches(&spec.shape.labels))
    };
    render_list(state, request, matches)
}

fn list_group(state: &State, request: &Request, group: &str) -> Answer {
    let prefix = format!("{}/", group.trim_end_matches('/'));
    render_list(state, request, |spec| spec.id.starts_with(&prefix))
}

fn render_list(state: &State, request: &Request, keep: impl Fn(&Spec) -> bool) -> Answer {
    // Counts and deployments are in every list, asked for or not.
    let embed = Embed::new(request.params("embed")).with(&["counts", "deployments"]);
    let specs = state.specs(Kind::App).filter(|s| keep(s));
    let apps: Vec<Value> = specs.map(|s| app::app(state, s, &embed)).collect();
    Ok(Response::json(200, &json!({ "apps": apps })))
}

fn list_tasks(state: &State, id: &str) -> Answer {
    let spec = state.spec(Kind::App, &path::lookup(id))?;
    Ok(Response::json(
        200,
        &json!({ "tasks": task::tasks_of(state, spec) }),
    ))
}

fn versions(state: &State, id: &str) -> Answer {
    state.spec(Kind::App, id)?;
    let versions = state
        .run_spec(id)
        .into_iter()
        .flat_map(|r| r.versions.keys().rev());
    let versions: Vec<String> = versions.map(ToString::to_string).collect();
    Ok(Response::json(200, &json!({ "versions": versions })))
}

fn create(state: &mut State, request: &Request) -> Answer {
    let accepted = state.create(Kind::App, &body(request)?, &origin(request))?;
    let spec = state.spec(Kind::App, &accepted.id)?;
    let embed = Embed::new(std::iter::empty()).with(&["counts", "tasks", "deployments"]);
    let answer = Response::json(201, &app::app(state, spec, &embed));
    Ok(answer
        .header("Location", accepted.id)
        .header(DEPLOYMENT, accepted.deployment.0))
}

fn update(state: &mut State, request: &Request, id: &str) -> Answer {
    let edit = edit(state, request, body(request)?, Some(id))?;
    let accepted = state.apply(vec![edit], &origin(request))?;
    if !accepted.created {
        return Ok(deployment_result(200, &accepted));
    }
    Ok(deployment_result(201, &accepted).header("Location", accepted.id))
}

fn update_many(state: &mut State, request: &Request) -> Answer {
    let updates = match body(request)? {
        Value::Array(updates) => updates,
        _ => {
            return Err(ApiError::BadRequest(
                "Invalid JSON: expected an array".into(),
            ));
        }
    };
    let edits = updates
        .into_iter()
        .map(|raw| edit(state, request, raw, None));
    let edits = edits.collect::<Result<Vec<_>, _>>()?;
    let accepted = state.apply(edits, &origin(request))?;
    Ok(deployment_result(200, &accepted))
}

/// An update touches only the fields it names, unless `partialUpdate=false`;
/// PUT creates what is missing, PATCH does not.
fn edit(state: &State, request: &Request, raw: Value, id: Option<&str>) -> Result<Edit, ApiError> {
    let own = raw["id"].as_str().map(path::lookup);
    // Marathon prefers the id in the document over that in the URL.
    let id = own.or(id.map(str::to_owned)).unwrap_or_default();
    let patch = request.method == "PATCH";
    let mut merged = match state.spec(Kind::App, &id) {
        Ok(spec) if patch || request.flag("partialUpdate", true) => spec.source(),
        Err(_) if patch => return Err(unknown(Kind::App, &id)),
        _ => json!({}),
    };
    let (Some(target), Some(fields)) = (merged.as_object_mut(), raw.as_object()) else {
        return Err(ApiError::BadRequest(
            "Invalid JSON: expected an object".into(),
        ));
    };
    if fields.contains_key("networks") {
        // Port definitions belong to the mode that is being left.
        target.remove("portDefinitions");
    }
    target.extend(fields.iter().map(|(k, v)| (k.clone(), v.clone())));
    merged["id"] = id.into();
    Ok(Edit::Put(Kind::App, merged))
}

fn restart(state: &mut State, request: &Request, id: &str) -> Answer {
    let edit = Edit::Restart(Kind::App, id.to_owned());
    let accepted = state.apply(vec![edit], &origin(request))?;
    Ok(deployment_result(200, &accepted))
}

fn delete(state: &mut State, request: &Request, id: &str) -> Answer {
    let edit = Edit::Delete(Kind::App, id.to_owned());
    let accepted = state.apply(vec![edit], &origin(request))?;
    Ok(deployment_result(200, &accepted))
}
