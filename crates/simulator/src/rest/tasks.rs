//! `/v2/tasks`, and killing tasks of apps. Pods have no place here.

use serde_json::{Value, json};

use super::{Answer, body, deployment_result, no_such_path, origin};
use crate::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::json::texts;
use crate::render::task;
use crate::spec::{Kind, path};
use crate::state::State;
use crate::state::instance::{Condition, Instance};

pub(super) fn route(state: &mut State, request: &Request, rest: &str) -> Answer {
    match (request.method.as_str(), rest) {
        ("GET" | "HEAD", "") => Ok(list(state, request)),
        ("POST", "/delete") => {
            let ids = texts(&body(request)?, "ids");
            let keys = keys(state, |task, _| ids.iter().any(|id| id == task));
            kill(state, request, keys, "tasks")
        }
        (_, "" | "/delete") => Err(ApiError::MethodNotAllowed),
        _ => Err(no_such_path(request)),
    }
}

/// JSON only for those who ask for it by name; others get the table that
/// proxies once were configured from.
fn list(state: &State, request: &Request) -> Response {
    let json = request
        .header("accept")
        .is_some_and(|a| a.contains("application/json"));
    if !json {
        return Response::text(200, table(state));
    }
    let statuses: Vec<&str> = request
        .params("status")
        .chain(request.params("status[]"))
        .collect();
    let wanted = |instance: &Instance| {
        let status = match instance.condition {
            Condition::Running => "running",
            Condition::Staging => "staging",
            _ => "",
        };
        statuses.is_empty() || statuses.contains(&status)
    };
    let mut tasks = Vec::new();
    for spec in state.specs(Kind::App) {
        for instance in state.instances_of(&spec.id).filter(|i| wanted(i)) {
            for one in &instance.tasks {
                let mut json = task::task(state, instance, one);
                json["servicePorts"] = spec.service_ports().into();
                tasks.push(json);
            }
        }
    }
    Response::json(200, &json!({ "tasks": tasks }))
}

/// `<app with _>` TAB `<service port>` TAB `<host:port>`…, a line per port.
fn table(state: &State) -> String {
    let mut table = String::new();
    for spec in state.specs(Kind::App) {
        let name = spec.id.trim_start_matches('/').replace('/', "_");
        for (index, service_port) in spec.service_ports().into_iter().enumerate() {
            table.push_str(&format!("{name}\t{service_port}\t"));
            let running = state.instances_of(&spec.id);
            for instance in running.filter(|i| i.condition == Condition::Running) {
                let host = instance
                    .agent
                    .map(|a| &state.cluster.agent(a).options.hostname);
                let port = instance
                    .tasks
                    .iter()
                    .find_map(|t| t.host_ports.get(index)?.as_ref());
                if let (Some(host), Some(port)) = (host, port) {
                    table.push_str(&format!("{host}:{port}\t"));
                }
            }
            table.push('\n');
        }
    }
    table
}

/// `DELETE /v2/apps/{id}/tasks` and `…/tasks/{task}`.
pub(super) fn delete_of_app(
    state: &mut State,
    request: &Request,
    app: &str,
    task: Option<&str>,
) -> Answer {
    let id = path::lookup(app);
    state.spec(Kind::App, &id)?;
    let host = request.param("host");
    let keys = keys(state, |name, instance| {
        let on = instance
            .agent
            .map(|a| state.cluster.agent(a).options.hostname.as_str());
        instance.spec.id == id
            && task.is_none_or(|t| t == name || t == instance.id)
            && host.is_none_or(|h| on == Some(h))
    });
    match task {
        Some(task) if keys.is_empty() => {
            Err(ApiError::NotFound(format!("Task '{task}' does not exist")))
        }
        Some(_) => kill(state, request, keys, "task"),
        None => kill(state, request, keys, "tasks"),
    }
}

/// The app instances whose task passes.
fn keys(state: &State, keep: impl Fn(&str, &Instance) -> bool) -> Vec<u64> {
    let apps = state.instances.values().filter(|i| i.kind() == Kind::App);
    apps.filter(|i| i.tasks.iter().any(|t| keep(&t.id, i)))
        .map(|i| i.key)
        .collect()
}

/// Kills instances; with `scale=true` their places go as well, by deployment.
fn kill(state: &mut State, request: &Request, keys: Vec<u64>, noun: &str) -> Answer {
    if request.flag("scale", false) && !keys.is_empty() {
        let accepted = state.kill_and_scale(&keys, &origin(request))?;
        return Ok(deployment_result(200, &accepted));
    }
    let instances = keys.iter().filter_map(|k| state.instances.get(k));
    let mut tasks: Vec<Value> = instances
        .flat_map(|i| i.tasks.iter().map(|t| task::task(state, i, t)))
        .collect();
    state.kill_instances(&keys);
    let body = match noun {
        "task" => tasks.pop().unwrap_or_default(),
        _ => tasks.into(),
    };
    Ok(Response::json(200, &json!({ noun: body })))
}
