//! What Marathon asks of an app's tasks itself, over the network.
//!
//! Checks of the kinds `MESOS_…` and `COMMAND` are performed beside the task, by Mesos, and so are
//! all checks of pods. Only apps have others: `HTTP`, which a check without a protocol is as well,
//! `HTTPS` and `TCP`, which the leading Marathon performs. Readiness is always its own to ask, over
//! HTTP or HTTPS.

use serde_json::Value;

use super::{App, ReadinessCheck};

/// The port of a readiness check that names none.
const READINESS_PORT: &str = "http-api";

/// One check of an app that comes from Marathon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub purpose: Purpose,
    /// The index in its list.
    pub position: usize,
    pub language: Language,
    pub port: ProbedPort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// In `healthChecks`: whoever fails is killed.
    Health,
    /// In `readinessChecks`: a deployment waits for them.
    Readiness,
}

/// What Marathon speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Http,
    /// With any certificate of the server, and without one of its own.
    Https,
    /// Nothing: the connection is all that it wants.
    Tcp,
}

/// Where Marathon asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbedPort {
    /// By its place among the declared ports.
    Index(usize),
    /// By its name among them.
    Name(String),
    /// By its number, at the address of the agent or of the container.
    Number(u16),
}

// === impl App ===

impl App {
    pub fn probes(&self) -> impl Iterator<Item = Probe> {
        let checks = self.health_checks.iter().enumerate();
        let health = checks.filter_map(|(position, check)| Probe::health(position, check));
        let checks = self.readiness_checks.iter().enumerate();
        health.chain(checks.filter_map(|(position, check)| Probe::readiness(position, check)))
    }
}

// === impl Probe ===

impl Probe {
    /// `None` for a check that does not come from Marathon, or of a kind that nobody knows.
    fn health(position: usize, check: &Value) -> Option<Probe> {
        let language = match check.get("protocol").and_then(Value::as_str) {
            None | Some("HTTP") => Language::Http,
            Some("HTTPS") => Language::Https,
            Some("TCP") => Language::Tcp,
            Some(_) => return None,
        };
        let number = |field| check.get(field).and_then(Value::as_u64);
        let port = match (number("port"), number("portIndex")) {
            (Some(port), _) => ProbedPort::Number(u16::try_from(port).ok()?),
            (None, index) => ProbedPort::Index(usize::try_from(index.unwrap_or(0)).ok()?),
        };
        Some(Probe {
            purpose: Purpose::Health,
            position,
            language,
            port,
        })
    }

    fn readiness(position: usize, check: &ReadinessCheck) -> Option<Probe> {
        let language = match check.protocol.as_deref() {
            None | Some("HTTP") => Language::Http,
            Some("HTTPS") => Language::Https,
            Some(_) => return None,
        };
        let name = check.port_name.as_deref().unwrap_or(READINESS_PORT);
        Some(Probe {
            purpose: Purpose::Readiness,
            position,
            language,
            port: ProbedPort::Name(name.to_owned()),
        })
    }
}

impl Language {
    /// As definitions have it.
    pub fn name(self) -> &'static str {
        match self {
            Language::Http => "HTTP",
            Language::Https => "HTTPS",
            Language::Tcp => "TCP",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_http_https_and_tcp_come_from_marathon() {
        use {Language::*, ProbedPort::*};
        for (check, expected) in [
            (json!({}), Some((Http, Index(0)))),
            (
                json!({"protocol": null, "portIndex": null}),
                Some((Http, Index(0))),
            ),
            (
                json!({"protocol": "HTTP", "portIndex": 2}),
                Some((Http, Index(2))),
            ),
            (
                json!({"protocol": "HTTPS", "port": 8443}),
                Some((Https, Number(8443))),
            ),
            (
                json!({"protocol": "TCP", "port": 80, "portIndex": 1}),
                Some((Tcp, Number(80))),
            ),
            (json!({"protocol": "HTTP", "port": 123_456}), None),
            (json!({"protocol": "MESOS_HTTP"}), None),
            (json!({"protocol": "MESOS_HTTPS"}), None),
            (json!({"protocol": "MESOS_TCP"}), None),
            (json!({"protocol": "COMMAND"}), None),
        ] {
            let app = json!({"id": "/a", "healthChecks": [check.clone()]});
            let app: App = serde_json::from_value(app).unwrap();
            let found = app.probes().next().map(|p| (p.language, p.port));
            assert_eq!(found, expected, "{check}");
        }
    }

    #[test]
    fn readiness_is_asked_by_the_name_of_a_port() {
        for (check, name) in [
            (json!({}), "http-api"),
            (json!({"portName": "admin", "intervalSeconds": 30}), "admin"),
        ] {
            let app = json!({"id": "/a", "readinessChecks": [check]});
            let app: App = serde_json::from_value(app).unwrap();
            let [probe] = app.probes().collect::<Vec<_>>().try_into().unwrap();
            assert_eq!(probe.purpose, Purpose::Readiness);
            assert_eq!(probe.port, ProbedPort::Name(name.to_owned()));
        }
    }
}
