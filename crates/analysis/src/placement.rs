//! Definitions of Marathon workloads, as if they ran.
//!
//! Whatever Marathon's API says of a workload is taken: definitions of apps, pods and groups, and
//! answers that have tasks or instances. Where those are missing they are made up, and placed on
//! two agents in turn. Equal definitions in equal order give equal addresses.

mod app;
mod pod;

use std::net::Ipv4Addr;

use api::marathon::{AppWorkload, PodWorkload, Workload};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The agents that made-up instances run on, in turn.
pub const AGENTS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];

/// The version that everything made up runs.
const VERSION: &str = "2024-05-02T00:00:00Z";

/// Gives workloads their instances.
#[derive(Debug, Default)]
pub struct Placement {
    instances: u16,
    workloads: Vec<Workload>,
}

/// Why a definition cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {why}")]
pub struct PlacementError {
    /// The workload's id, else where it stands in the document.
    pub place: String,
    pub why: String,
}

/// Where one made-up instance runs.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Counted from 1, over all instances.
    number: u16,
}

/// How an instance is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Net {
    /// The agent's own.
    Host,
    /// Behind the agent's port mapper.
    Bridge,
    /// An address of its own, known everywhere.
    Own,
}

// === impl Placement ===

impl Placement {
    /// Takes an app, a pod, a group, a list of these, or an answer of Marathon's.
    ///
    /// # Errors
    /// Something is none of these, or cannot be read. What came before it is kept.
    pub fn add(&mut self, document: &Value) -> Result<(), PlacementError> {
        self.enter(document, "the document")
    }

    pub fn workloads(self) -> Vec<Workload> {
        self.workloads
    }

    fn enter(&mut self, value: &Value, place: &str) -> Result<(), PlacementError> {
        if let Value::Array(items) = value {
            return self.each(items, place);
        }
        let lists = ["apps", "pods", "groups"].map(|field| (field, value.get(field)));
        if lists.iter().any(|(_, list)| list.is_some()) {
            for (field, list) in lists {
                let items = list.and_then(Value::as_array);
                self.each(items.map_or(&[][..], Vec::as_slice), field)?;
            }
            return Ok(());
        }
        if let Some(app) = value.get("app") {
            return self.enter(app, "app");
        }
        let place = value.get("id").and_then(Value::as_str).unwrap_or(place);
        if !value.is_object() || value.get("id").is_none() {
            return Err(PlacementError {
                place: place.to_owned(),
                why: "this is no app, pod or group: there is no id".to_owned(),
            });
        }
        let workload = match (value.get("spec"), value.get("containers")) {
            (Some(_), _) => pod::running(read(value, place)?),
            (None, Some(_)) => pod::placed(read(value, place)?, instances(value, "scaling"), self),
            (None, None) => app::placed(read(value, place)?, instances(value, ""), self),
        };
        self.workloads.push(workload);
        Ok(())
    }

    fn each(&mut self, items: &[Value], field: &str) -> Result<(), PlacementError> {
        for (i, item) in items.iter().enumerate() {
            self.enter(item, &format!("{field}[{i}]"))?;
        }
        Ok(())
    }

    fn next(&mut self) -> Slot {
        self.instances += 1;
        Slot {
            number: self.instances,
        }
    }
}

// === impl Slot ===

impl Slot {
    fn agent(self) -> Ipv4Addr {
        AGENTS[usize::from(self.number - 1) % AGENTS.len()]
    }

    fn address(self, net: Net) -> Ipv4Addr {
        let [high, low] = self.number.to_be_bytes();
        match net {
            Net::Host => self.agent(),
            Net::Bridge => Ipv4Addr::new(172, 31, high, low),
            Net::Own => Ipv4Addr::new(9, 0, high, low),
        }
    }

    /// The host port that the agent gives to the `position`th port of an instance.
    fn host_port(self, asked: u16, position: usize) -> u16 {
        let drawn = 31_000 + usize::from(self.number) * 10 + position;
        match asked {
            0 => u16::try_from(drawn).unwrap_or(u16::MAX),
            asked => asked,
        }
    }

    /// `reviews.instance-00000000-0000-4000-8000-000000000001`
    fn id(self, workload: &str) -> String {
        let path = workload.trim_matches('/').replace('/', "_");
        format!(
            "{path}.instance-00000000-0000-4000-8000-{:012}",
            self.number
        )
    }
}

// === impl Net ===

impl Net {
    fn of(mode: Option<&str>) -> Net {
        match mode.map(str::to_ascii_lowercase).as_deref() {
            Some("container/bridge" | "bridge") => Net::Bridge,
            Some("container" | "user") => Net::Own,
            _ => Net::Host,
        }
    }
}

/// How many instances a definition asks for; what says nothing has one.
fn instances(definition: &Value, within: &str) -> usize {
    let holder = match within {
        "" => Some(definition),
        field => definition.get(field),
    };
    let count = holder.and_then(|holder| holder.get("instances"));
    count
        .and_then(Value::as_u64)
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(1)
}

fn read<T: DeserializeOwned>(value: &Value, place: &str) -> Result<T, PlacementError> {
    serde_path_to_error::deserialize(value).map_err(|error| PlacementError {
        place: place.to_owned(),
        why: error.to_string(),
    })
}

fn app_workload(app: api::marathon::App) -> Workload {
    Workload::App(std::sync::Arc::new(AppWorkload {
        app,
        versions: Vec::new(),
    }))
}

fn pod_workload(status: api::marathon::PodStatus) -> Workload {
    Workload::Pod(std::sync::Arc::new(PodWorkload {
        status,
        versions: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn placed(document: Value) -> Vec<Workload> {
        let mut placement = Placement::default();
        placement.add(&document).unwrap();
        placement.workloads()
    }

    #[test]
    fn every_form_of_a_definition_is_taken() {
        let app = json!({"id": "/a"});
        let pod = json!({"id": "/p", "containers": []});
        let status = json!({"id": "/s", "spec": {"id": "/s"}, "instances": []});
        for document in [
            json!([app, pod, status]),
            json!({"id": "/", "apps": [app], "groups": [{"id": "/g", "apps": [], "pods": [pod, status]}]}),
            json!([{"app": app}, [pod], status]),
        ] {
            let keys: Vec<String> = placed(document)
                .iter()
                .map(|w| w.key().to_string())
                .collect();
            assert_eq!(keys, ["app /a", "pod /p", "pod /s"]);
        }
    }

    #[test]
    fn instances_go_to_the_agents_in_turn_and_have_ports_of_their_own() {
        let pod = json!({"id": "/shop/web", "scaling": {"instances": 2}, "networks": [{"mode": "container/bridge"}],
            "containers": [{"name": "c", "endpoints": [
                {"name": "http", "containerPort": 80, "hostPort": 0}, {"name": "inner", "containerPort": 81}]}]});
        let workloads = placed(pod);
        let Workload::Pod(pod) = &workloads[0] else {
            panic!("{workloads:?}");
        };
        let seen: Vec<_> = pod
            .status
            .instances
            .iter()
            .map(|i| {
                let ports = i.containers[0]
                    .endpoints
                    .iter()
                    .map(|e| e.allocated_host_port);
                (
                    i.agent_hostname.clone().unwrap(),
                    i.networks[0].addresses[0].clone(),
                    ports.collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (
                    "10.0.0.1".to_owned(),
                    "172.31.0.1".to_owned(),
                    vec![Some(31_010), None]
                ),
                (
                    "10.0.0.2".to_owned(),
                    "172.31.0.2".to_owned(),
                    vec![Some(31_020), None]
                ),
            ]
        );
        assert_eq!(
            pod.status.instances[0].id,
            "shop_web.instance-00000000-0000-4000-8000-000000000001"
        );
    }

    #[test]
    fn what_is_no_workload_is_named() {
        let error = Placement::default().add(&json!([{"id": "/a"}, {"kind": "Gateway"}]));
        assert!(error.unwrap_err().to_string().contains("[1]"));
        let error = Placement::default().add(&json!({"id": "/a", "labels": 3}));
        let text = error.unwrap_err().to_string();
        assert!(text.contains("/a") && text.contains("labels"), "{text}");
    }
}
