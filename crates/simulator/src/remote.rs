//! The control API over HTTP, for people and for tests in other processes.
//!
//! Everything lies under `/sim`; `docs/simulator.md` lists it. It needs no
//! authentication, suffers no faults and answers on every member.

mod after;

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::faults::{EventFaults, Fault};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::options::{Kill, Launch, Readiness};
use crate::server::Shared;
use crate::state::State;
use crate::view;
pub(crate) use after::After;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    launch: Option<Pace>,
    kill: Option<Pace>,
    readiness: Option<Pace>,
    reuse_ports: Option<bool>,
    frozen: Option<bool>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Pace {
    Immediate,
    Manual,
}

type Answer = Result<(Value, Option<After>), ApiError>;

/// Answers a control request; nothing if it is none.
pub(crate) fn handle(shared: &Shared, request: &Request) -> Option<(Response, Option<After>)> {
    let rest = request.path.strip_prefix("/sim")?;
    let ours = rest.is_empty() || rest.starts_with('/');
    ours.then_some(())?;
    let parts: Vec<&str> = rest.split('/').filter(|p| !p.is_empty()).collect();
    Some(match route(shared, request, &parts) {
        Ok((body, after)) => {
            let status = if after.is_some() { 202 } else { 200 };
            (Response::json(status, &body), after)
        }
        Err(error) => (Response::from(error), None),
    })
}

fn route(shared: &Shared, request: &Request, path: &[&str]) -> Answer {
    let done = |result: Result<(), ApiError>| result.map(|()| (json!({}), None));
    match (request.method.as_str(), path) {
        ("GET", []) => Ok((overview(shared), None)),
        ("GET", ["tasks"]) => Ok((shared.read(tasks), None)),
        ("PUT", ["tasks", id]) => done(set_task(shared, id, &body(request)?)),
        ("POST", ["tasks", id, verb]) => done(shared.mutate(|s| act(s, id, verb))),
        ("PUT", ["agents", name]) => {
            let hostname: Hostname = body(request)?;
            done(shared.mutate(|s| s.rename_agent(name, &hostname.hostname)))
        }
        ("POST", ["agents", name, verb]) => done(shared.mutate(|s| agent(s, name, verb))),
        ("POST", ["health", verb]) => done(shared.mutate(|s| health(s, verb))),
        ("PUT", ["settings"]) => {
            settings(shared, &body(request)?);
            Ok((json!({}), None))
        }
        ("DELETE", ["streams"]) => {
            shared.mutate(State::drop_streams);
            Ok((json!({}), None))
        }
        (_, ["faults" | "events" | "tokens" | "accounts", ..]) => faults(shared, request, path),
        ("POST", _) => members(shared, request, path),
        _ => Err(unknown(request)),
    }
}

fn faults(shared: &Shared, request: &Request, path: &[&str]) -> Answer {
    match (request.method.as_str(), path) {
        ("GET", ["faults"]) => {}
        ("POST", ["faults"]) => {
            let fault: Fault = body(request)?;
            shared.mutate(|s| s.faults.answers.push(fault));
        }
        ("DELETE", ["faults"]) => shared.mutate(|s| s.faults.answers.clear()),
        ("GET", ["events"]) => {
            return Ok((shared.read(|s| json!(s.faults.events)), None));
        }
        ("PUT", ["events"]) => {
            let faults: EventFaults = body(request)?;
            shared.mutate(|s| s.faults.events = faults);
            return Ok((json!({}), None));
        }
        ("DELETE", ["tokens"]) => {
            shared.mutate(|s| s.guard.expire_tokens());
            return Ok((json!({}), None));
        }
        ("PUT", ["accounts", uid]) => {
            let allowed: Allowed = body(request)?;
            shared.mutate(|s| s.guard.forbid(uid, !allowed.allowed));
            return Ok((json!({}), None));
        }
        _ => return Err(unknown(request)),
    }
    Ok((shared.read(|s| json!(s.faults.answers)), None))
}

fn members(shared: &Shared, request: &Request, path: &[&str]) -> Answer {
    let after = match path {
        ["failover"] => After::FailOver(body(request)?),
        ["abdicate"] => After::Abdicate,
        ["elect"] => After::Elect(body(request)?),
        ["pause"] => {
            let pause: Pause = body(request)?;
            After::Pause(Duration::from_millis(pause.millis))
        }
        ["members", index, verb @ ("up" | "down")] => {
            let index = index.parse().map_err(|_| unknown(request))?;
            match *verb {
                "up" => After::Up(index),
                _ => After::Down(index),
            }
        }
        _ => return Err(unknown(request)),
    };
    match after.member().filter(|m| *m >= shared.members()) {
        Some(member) => {
            let message = format!("Member {member} does not exist");
            Err(ApiError::NotFound(message))
        }
        None => Ok((json!({}), Some(after))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hostname {
    hostname: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    allowed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    millis: u64,
}

fn set_task(shared: &Shared, id: &str, body: &Value) -> Result<(), ApiError> {
    let bad = || {
        let message = "Expected one of {\"state\": \"TASK_…\"}, {\"healthy\": true|false|null} \
                       and {\"ready\": true|false|null}";
        ApiError::BadRequest(message.into())
    };
    let fields = body.as_object().filter(|b| b.len() == 1).ok_or_else(bad)?;
    let (name, value) = fields.iter().next().ok_or_else(bad)?;
    let verdict = value.as_bool();
    let known = verdict.is_some() || value.is_null();
    match (name.as_str(), value.as_str()) {
        ("state", Some(state)) => shared.mutate(|s| s.set_task_state(id, state)),
        ("healthy", _) if known => shared.mutate(|s| s.set_health(id, verdict)),
        ("ready", _) if known => shared.mutate(|s| s.set_ready(id, verdict)),
        _ => Err(bad()),
    }
}

fn act(state: &mut State, id: &str, verb: &str) -> Result<(), ApiError> {
    match verb {
        "crash" => state.set_task_state(id, "TASK_FAILED"),
        "kill" => state.kill_task(id),
        _ => Err(no_such_verb(verb)),
    }
}

fn agent(state: &mut State, name: &str, verb: &str) -> Result<(), ApiError> {
    match verb {
        "lose" => state.lose_agent(name),
        "give-up" => state.give_up_agent(name),
        "expunge" => state.expunge_agent(name),
        "find" => state.find_agent(name),
        _ => Err(no_such_verb(verb)),
    }
}

fn health(state: &mut State, verb: &str) -> Result<(), ApiError> {
    match verb {
        "wipe" => state.wipe_health(),
        "refill" => state.refill_health(),
        _ => return Err(no_such_verb(verb)),
    }
    Ok(())
}

fn settings(shared: &Shared, settings: &Settings) {
    let manual = |pace: Pace| pace == Pace::Manual;
    if let Some(frozen) = settings.frozen {
        shared.freeze(frozen);
    }
    shared.mutate(|state| {
        if let Some(by_hand) = settings.launch.map(manual) {
            state.launch = if by_hand {
                Launch::Manual
            } else {
                Launch::Immediate
            };
        }
        if let Some(by_hand) = settings.kill.map(manual) {
            state.kill = if by_hand {
                Kill::Manual
            } else {
                Kill::Immediate
            };
        }
        if let Some(by_hand) = settings.readiness.map(manual) {
            state.readiness = if by_hand {
                Readiness::Manual
            } else {
                Readiness::Immediate
            };
        }
        if let Some(reuse) = settings.reuse_ports {
            state.cluster.reuse_ports = reuse;
        }
        state.wake_all();
    });
}

fn overview(shared: &Shared) -> Value {
    let members = (0..shared.members()).map(|i| {
        let leads = shared.read(|s| s.leader == Some(i));
        json!({ "address": shared.addr(i).to_string(), "up": shared.is_up(i), "leads": leads })
    });
    let members: Vec<Value> = members.collect();
    shared.read(|state| {
        let agents = state.cluster.agents().map(|i| {
            let agent = state.cluster.agent(i);
            let (hostname, ip) = (&agent.options.hostname, agent.options.ip.to_string());
            json!({ "hostname": hostname, "ip": ip, "lost": agent.lost, "instances": agent.load() })
        });
        json!({
            "version": state.options.version,
            "members": members,
            "agents": agents.collect::<Vec<_>>(),
            "streams": state.hub.len(),
            "settled": state.settled(),
            "deployments": state.deployments.len(),
            "faults": state.faults.answers,
            "events": state.faults.events,
        })
    })
}

fn tasks(state: &State) -> Value {
    view::tasks(state)
        .iter()
        .map(view::TaskView::to_json)
        .collect()
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    let bytes: &[u8] = match request.body.as_slice() {
        [] => b"{}",
        bytes => bytes,
    };
    serde_json::from_slice(bytes).map_err(|e| ApiError::BadRequest(format!("Invalid JSON: {e}")))
}

fn unknown(request: &Request) -> ApiError {
    let (method, path) = (&request.method, &request.path);
    ApiError::NotFound(format!("{method} {path} is not part of the control API"))
}

fn no_such_verb(verb: &str) -> ApiError {
    ApiError::NotFound(format!("'{verb}' is not part of the control API"))
}
