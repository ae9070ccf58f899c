//! Health checks as somebody who runs the tasks must know them to perform them.

use std::time::Duration;

use serde_json::Value;

use super::Port;
use crate::json::{field, port, text};

/// The first health check of an app or a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub question: Question,
    /// Between two of them.
    pub interval: Duration,
    /// The longest time for one.
    pub timeout: Duration,
    /// Marathon itself asks, from the master; else Mesos does, inside the container.
    pub by_marathon: bool,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// An answer below 400 to a request for this path.
    Http(ProbePort, String),
    /// Whether a connection is taken.
    Tcp(ProbePort),
    /// Whether this line of shell succeeds.
    Command(String),
}

/// The port that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbePort {
    /// As it is.
    Number(u16),
    /// By its place among the ports of the container.
    At(usize),
}

impl Probe {
    /// Of `healthChecks[]` of an app; `None` for what cannot be asked without TLS.
    pub(crate) fn of_app(check: &Value) -> Option<Probe> {
        let at = field(check, "portIndex").and_then(Value::as_u64);
        let at = match port(check, "port") {
            Some(number) => ProbePort::Number(number),
            None => ProbePort::At(at.unwrap_or(0) as usize),
        };
        let protocol = text(check, "protocol").unwrap_or("HTTP");
        let path = || text(check, "path").unwrap_or("/").to_owned();
        let question = match protocol {
            "HTTP" | "MESOS_HTTP" => Question::Http(at, path()),
            "TCP" | "MESOS_TCP" => Question::Tcp(at),
            "COMMAND" => Question::Command(text(field(check, "command")?, "value")?.to_owned()),
            _ => return None,
        };
        let by_marathon = matches!(protocol, "HTTP" | "TCP");
        Some(Probe::new(question, check, by_marathon))
    }

    /// Of `healthCheck` of a pod's container with these ports.
    pub(crate) fn of_container(check: &Value, ports: &[Port]) -> Option<Probe> {
        let at = |probe: &Value| {
            let wanted = text(probe, "endpoint")?;
            let named = |port: &Port| port.name.as_deref() == Some(wanted);
            ports.iter().position(named).map(ProbePort::At)
        };
        let question = if let Some(http) = field(check, "http") {
            let path = text(http, "path").unwrap_or("/");
            match text(http, "scheme") {
                None | Some("HTTP") => Question::Http(at(http)?, path.to_owned()),
                Some(_) => return None,
            }
        } else if let Some(tcp) = field(check, "tcp") {
            Question::Tcp(at(tcp)?)
        } else {
            let command = field(field(check, "exec")?, "command")?;
            Question::Command(text(command, "shell")?.to_owned())
        };
        Some(Probe::new(question, check, false))
    }

    fn new(question: Question, check: &Value, by_marathon: bool) -> Probe {
        let seconds = |key: &str, usual: u64| {
            let told = field(check, key).and_then(Value::as_u64);
            Duration::from_secs(told.unwrap_or(usual).max(1))
        };
        Probe {
            question,
            interval: seconds("intervalSeconds", 60),
            timeout: seconds("timeoutSeconds", 20),
            by_marathon,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn checks_of_apps_and_containers_are_understood() {
        let http =
            json!({"protocol": "HTTP", "path": "/health", "portIndex": 1, "intervalSeconds": 2});
        let http = Probe::of_app(&http).unwrap();
        let asked = Question::Http(ProbePort::At(1), "/health".into());
        assert_eq!((http.question, http.by_marathon), (asked, true));
        assert_eq!(http.interval, Duration::from_secs(2));
        let tcp = Probe::of_app(&json!({"protocol": "MESOS_TCP", "port": 80})).unwrap();
        let asked = Question::Tcp(ProbePort::Number(80));
        assert_eq!((tcp.question, tcp.by_marathon), (asked, false));
        assert_eq!(Probe::of_app(&json!({"protocol": "HTTPS"})), None);
        let port = |name: &str| Port {
            name: Some(name.into()),
            container_port: Some(80),
            host_port: None,
        };
        let ports = [port("a"), port("b")];
        let of = |check: Value| Probe::of_container(&check, &ports).map(|probe| probe.question);
        let asked = Question::Http(ProbePort::At(1), "/".into());
        assert_eq!(of(json!({"http": {"endpoint": "b"}})), Some(asked));
        assert_eq!(of(json!({"tcp": {"endpoint": "c"}})), None);
        let exec = json!({"exec": {"command": {"shell": "true"}}});
        assert_eq!(of(exec), Some(Question::Command("true".into())));
    }
}
