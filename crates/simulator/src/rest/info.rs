//! What a Marathon says about itself: info, leader, ping, deployments.

use serde_json::{Value, json};

use super::{Answer, no_such_path};
use crate::error::ApiError;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::state::State;

pub(super) fn route(state: &State, request: &Request, path: &str) -> Answer {
    if (request.method.as_str(), path) == ("DELETE", "/v2/leader") {
        let body = json!({ "message": "Leadership abdicated" });
        return Ok(Response::json(200, &body));
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(ApiError::MethodNotAllowed);
    }
    match path {
        "/ping" => Ok(ping(request)),
        "/v2/leader" => Ok(Response::json(200, &json!({ "leader": leader(state) }))),
        "/v2/info" => Ok(Response::json(200, &info(state))),
        _ => Err(no_such_path(request)),
    }
}

fn leader(state: &State) -> Option<String> {
    state.leader_addr().map(|addr| addr.to_string())
}

fn ping(request: &Request) -> Response {
    match request.header("accept") {
        Some("application/json") => Response::json(200, &json!("pong")),
        _ => Response::text(200, "pong\n"),
    }
}

fn info(state: &State) -> Value {
    let options = &state.options;
    let addr = state.leader_addr().unwrap_or(options.listen);
    json!({
        "name": "marathon",
        "version": options.version,
        "buildref": "simulator",
        "elected": true,
        "leader": leader(state),
        "frameworkId": state.framework_id,
        "marathon_config": {
            "framework_name": options.framework_name,
            "default_network_name": options.networks.first().map(|n| &n.name),
            "mesos_bridge_name": options.bridge_name,
            "features": ["task_killing"],
            "ha": state.members.len() > 1,
            "hostname": addr.ip().to_string(),
            "local_port_min": options.service_ports.start(),
            "local_port_max": options.service_ports.end(),
        },
        "zookeeper_config": {},
        "http_config": { "http_port": addr.port(), "https_port": 8443 },
    })
}
