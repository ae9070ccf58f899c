//! Run specs: what an app or a pod asks for, in one shape.
//!
//! The JSON is kept and returned as posted (plus Marathon's defaults); beside
//! it stands what placement, deployment and rendering need.

pub(crate) mod app;
mod legacy;
pub(crate) mod path;
pub(crate) mod pod;
pub(crate) mod probe;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{ApiError, Violation};
use crate::json::list;
use crate::state::clock::Stamp;

/// The two kinds of run spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An app: one container, its tasks under `/v2/apps`.
    App,
    /// A pod: several containers in one network namespace.
    Pod,
}

/// How a task is attached to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// The agent's own network.
    Host,
    /// The agent's bridge; reachable from outside by mapped host ports.
    Bridge,
    /// A named network that spans the agents.
    Container(String),
}

/// One version of an app or pod.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) version: Stamp,
    /// The version that last changed more than the number of instances.
    pub(crate) config_changed: Stamp,
    /// The JSON document as it is answered.
    pub(crate) body: Value,
    pub(crate) shape: Shape,
}

/// What the simulator itself must know of a spec.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) instances: usize,
    pub(crate) networks: Vec<NetworkMode>,
    /// An app has one, with an empty name.
    pub(crate) containers: Vec<Container>,
    pub(crate) upgrade: Upgrade,
    pub(crate) placement: Vec<Constraint>,
    pub(crate) readiness_checks: Vec<String>,
}

/// A container and its ports.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: Option<String>,
    /// As a line of shell.
    pub(crate) command: Option<String>,
    pub(crate) ports: Vec<Port>,
    pub(crate) health: Option<HealthCheck>,
}

/// A port mapping, port definition or endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) name: Option<String>,
    /// `None` in host mode; 0 means "the same as the host port".
    pub(crate) container_port: Option<u16>,
    /// `None` asks for no host port, 0 for any.
    pub(crate) host_port: Option<u16>,
}

/// What health reporting depends on.
#[derive(Clone, Debug)]
pub(crate) struct HealthCheck {
    /// Pods: the endpoint that an HTTP or TCP check probes.
    pub(crate) endpoint: Option<String>,
    /// Marathon runs the check itself, and forgets the results with its
    /// leader; Mesos keeps those of its own.
    pub(crate) by_marathon: bool,
    /// `None` if it cannot be performed outside of a container.
    pub(crate) probe: Option<probe::Probe>,
}

/// `upgradeStrategy`, shares of the wanted instances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upgrade {
    pub(crate) minimum_health: f64,
    pub(crate) maximum_over: f64,
}

/// A placement constraint on the agent's host name. Others are accepted and
/// ignored: the simulated agents have no attributes.
#[derive(Clone, Debug)]
pub(crate) enum Constraint {
    /// Only that agent (`IS`, and `CLUSTER` with a value).
    On(String),
    /// At most one instance per agent.
    Unique,
}

impl Constraint {
    fn read(field: &str, operator: &str, value: Option<&str>) -> Option<Constraint> {
        match (field, operator, value) {
            ("hostname" | "@hostname", "IS" | "CLUSTER", Some(host)) => {
                Some(Constraint::On(host.to_owned()))
            }
            ("hostname" | "@hostname", "UNIQUE", _) => Some(Constraint::Unique),
            _ => None,
        }
    }
}

impl Spec {
    /// Completes a normalised body with its version.
    pub(crate) fn new(
        kind: Kind,
        mut body: Value,
        version: Stamp,
        previous: Option<&Spec>,
    ) -> Spec {
        let shape = match kind {
            Kind::App => app::read(&body),
            Kind::Pod => pod::read(&body),
        };
        let scaled_only = previous.is_some_and(|p| p.same_config(kind, &body));
        let config_changed = previous
            .filter(|_| scaled_only)
            .map_or(version, |p| p.config_changed);
        body["version"] = version.to_string().into();
        if kind == Kind::App {
            body["versionInfo"] = serde_json::json!({
                "lastScalingAt": version.to_string(),
                "lastConfigChangeAt": config_changed.to_string(),
            });
        }
        Spec {
            id: body["id"].as_str().unwrap_or_default().to_owned(),
            kind,
            version,
            config_changed,
            body,
            shape,
        }
    }

    /// Marathon replaces instances for any change but that of their number.
    pub(crate) fn same_config(&self, kind: Kind, body: &Value) -> bool {
        self.kind == kind && without_scale(&self.body) == without_scale(body)
    }

    /// The document without what Marathon adds, ready to be posted again.
    pub(crate) fn source(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(map) = body.as_object_mut() {
            map.remove("version");
            map.remove("versionInfo");
        }
        body
    }

    /// Ports reserved for the app in the whole cluster, by port index.
    pub(crate) fn service_ports(&self) -> Vec<u16> {
        match self.kind {
            Kind::App => app::service_ports(&self.body),
            Kind::Pod => Vec::new(),
        }
    }

    /// The Mesos role that the instances run under.
    pub(crate) fn role(&self) -> &str {
        crate::json::text(&self.body, "role").unwrap_or("*")
    }

    /// The mode of the first network, which decides how the task is reached.
    pub(crate) fn mode(&self) -> &NetworkMode {
        self.shape.networks.first().unwrap_or(&NetworkMode::Host)
    }
}

fn without_scale(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(map) = body.as_object_mut() {
        for key in ["version", "versionInfo", "instances"] {
            map.remove(key);
        }
        if let Some(scaling) = map.get_mut("scaling").and_then(Value::as_object_mut) {
            scaling.remove("instances");
        }
    }
    body
}

/// The posted object without nulls and without fields that only Marathon sets.
fn writable(raw: &Value) -> Result<Value, ApiError> {
    const READ_ONLY: [&str; 10] = [
        "version",
        "versionInfo",
        "tasks",
        "tasksStaged",
        "tasksRunning",
        "tasksHealthy",
        "tasksUnhealthy",
        "deployments",
        "readinessCheckResults",
        "lastTaskFailure",
    ];
    let Some(object) = raw.as_object() else {
        return Err(ApiError::BadRequest(
            "Invalid JSON: expected an object".into(),
        ));
    };
    let kept: Map<String, Value> = object
        .iter()
        .filter(|(key, value)| !value.is_null() && !READ_ONLY.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Ok(Value::Object(kept))
}

/// Reads `networks`, naming the default network where none is named.
fn networks(
    body: &mut Value,
    known: &[String],
    violations: &mut Vec<Violation>,
) -> Vec<NetworkMode> {
    let mut modes = Vec::new();
    let entries = body.get_mut("networks").and_then(Value::as_array_mut);
    for (i, network) in entries.into_iter().flatten().enumerate() {
        let path = |field: &str| format!("/networks({i})/{field}");
        match crate::json::text(network, "mode").unwrap_or("container") {
            "host" => modes.push(NetworkMode::Host),
            "container/bridge" => modes.push(NetworkMode::Bridge),
            "container" => {
                if let Some(first) = known.first() {
                    crate::json::default(network, "name", first.as_str().into());
                }
                let name = crate::json::text(network, "name").unwrap_or_default();
                // Marathon itself would accept the name and wait for ever for
                // an agent that has the network; a test is better told.
                if !known.iter().any(|k| k == name) {
                    let error = format!("no simulated agent has the network '{name}'");
                    violations.push(Violation::new(path("name"), error));
                }
                modes.push(NetworkMode::Container(name.to_owned()));
            }
            other => {
                let error = format!("'{other}' is not host, container or container/bridge");
                violations.push(Violation::new(path("mode"), error));
            }
        }
    }
    let exclusive = |m: &NetworkMode| !matches!(m, NetworkMode::Container(_));
    if modes.len() > 1 && modes.iter().any(exclusive) {
        let error = "host and bridge networks cannot be combined with other networks";
        violations.push(Violation::new("/networks", error));
    }
    modes
}

/// The modes of a body that has passed [`networks`].
fn read_networks(body: &Value) -> Vec<NetworkMode> {
    let mut body = serde_json::json!({ "networks": body["networks"] });
    networks(&mut body, &[], &mut Vec::new())
}

/// Port fields must be numbers from 0 to 65535 where present.
fn check_port(value: &Value, key: &str, path: &str, violations: &mut Vec<Violation>) {
    if crate::json::field(value, key).is_some() && crate::json::port(value, key).is_none() {
        let error = "must be a number between 0 and 65535";
        violations.push(Violation::new(format!("{path}/{key}"), error));
    }
}

/// A list of words as a line of shell.
fn words(body: &Value, key: &str) -> Option<String> {
    let words: Vec<String> = list(body, key)
        .iter()
        .filter_map(Value::as_str)
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}
