//! Apps and pods of every shape that Marathon knows.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// The service port of what runs on the agent's own network.
pub(super) const HOST_PORT: u16 = 8000;

/// An app or a pod; the same body is taken by `POST` and `PUT`.
pub(super) enum Spec {
    App(Value),
    Pod(Value),
}

/// The same, run by Docker.
fn docker(mut app: Value) -> Value {
    app["container"]["type"] = json!("DOCKER");
    app["container"]["docker"] = json!({"image": "shop"});
    app
}

/// What a random definition says.
pub(super) struct Definition<'a> {
    pub(super) id: &'a str,
    pub(super) service: &'a str,
    pub(super) version: &'a str,
    pub(super) instances: usize,
}

// === impl Definition ===

impl Definition<'_> {
    pub(super) fn random(&self, dice: &mut StdRng) -> Spec {
        let checked = dice.random_bool(0.5);
        match dice.random_range(0..6) {
            0 => {
                let app = self.bridge_app(checked, dice.random_bool(0.2));
                Spec::App(if dice.random_bool(0.5) {
                    docker(app)
                } else {
                    app
                })
            }
            1 => Spec::App(self.overlay_app(checked)),
            2 => Spec::App(self.host_app(checked)),
            3 => Spec::Pod(self.pod(json!({"mode": "container/bridge"}), true, checked)),
            4 => Spec::Pod(self.pod(json!({"mode": "container", "name": "dcos"}), false, checked)),
            // Not part of the mesh, and later perhaps it is.
            _ => {
                let mut app = self.bridge_app(checked, false);
                app["labels"] = json!({"version": self.version});
                Spec::App(app)
            }
        }
    }

    pub(super) fn bridge_app(&self, checked: bool, ready: bool) -> Value {
        let mut app = self.app(checked);
        app["networks"] = json!([{"mode": "container/bridge"}]);
        app["container"] = json!({"type": "MESOS", "portMappings": [
            {"containerPort": 9999, "name": "tcp-admin"},
            {"containerPort": 9080, "hostPort": 0, "name": "http"},
        ]});
        if ready {
            app["readinessChecks"] = json!([{"name": "ready", "portName": "http", "path": "/"}]);
        }
        app
    }

    pub(super) fn overlay_app(&self, checked: bool) -> Value {
        let mut app = self.app(checked);
        app["networks"] = json!([{"mode": "container", "name": "dcos"}]);
        app["container"] =
            json!({"type": "MESOS", "portMappings": [{"containerPort": 9080, "name": "http"}]});
        app
    }

    fn host_app(&self, checked: bool) -> Value {
        let mut app = self.app(checked);
        let labels = json!({"istio.io/service-port": HOST_PORT.to_string()});
        app["portDefinitions"] = json!([{"port": 0, "name": "http", "labels": labels}]);
        app
    }

    fn app(&self, checked: bool) -> Value {
        let checks = match (checked, self.instances % 2) {
            (false, _) => json!([]),
            // Known to the leader only, and known to Mesos.
            (true, 0) => json!([{"protocol": "HTTP", "path": "/", "portIndex": 0}]),
            (true, _) => json!([{"protocol": "MESOS_HTTP", "path": "/", "portIndex": 0}]),
        };
        json!({
            "id": self.id,
            "cmd": "serve",
            "cpus": 0.1,
            "mem": 32,
            "instances": self.instances,
            "labels": {"istio": self.service, "version": self.version},
            "healthChecks": checks,
        })
    }

    pub(super) fn pod(&self, network: Value, mapped: bool, checked: bool) -> Value {
        let endpoint = |name: &str, port: u16| {
            let mut endpoint = json!({"name": name, "containerPort": port, "protocol": ["tcp"]});
            if mapped {
                endpoint["hostPort"] = 0.into();
            }
            endpoint
        };
        let resources = json!({"cpus": 0.1, "mem": 32});
        let exec = json!({"command": {"shell": "serve"}});
        let mut serving = json!({
            "name": "serving", "exec": exec, "resources": resources,
            "endpoints": [endpoint("http-9080", 9080)],
        });
        if checked {
            serving["healthCheck"] = json!({"http": {"endpoint": "http-9080", "path": "/"}});
        }
        json!({
            "id": self.id,
            "labels": {"istio": self.service, "version": self.version},
            "containers": [
                {"name": "beside", "exec": exec, "resources": resources,
                 "endpoints": [endpoint("tcp-admin", 9999)]},
                serving,
            ],
            "networks": [network],
            "scaling": {"kind": "fixed", "instances": self.instances},
        })
    }
}
