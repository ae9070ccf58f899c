//! Random lives: whatever is done to a Marathon, in the end it runs what was
//! asked for, and holds no port or address that nobody uses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::State;
use crate::change::{Edit, Origin};
use crate::options::{Agent, Options};
use crate::spec::Kind;
use crate::view::{self, TaskView};

const APPS: [&str; 4] = ["/a", "/b", "/g/c", "/g/d"];

struct Life {
    state: State,
    dice: StdRng,
    by: Origin,
}

impl Life {
    fn new(version: &str, seed: u64) -> Life {
        let agents = (1..=3).map(|last| Agent::at(Ipv4Addr::new(10, 0, 0, last)));
        let options = Options {
            agents: agents.collect(),
            version: version.to_owned(),
            ..Options::default()
        };
        let members = vec![SocketAddr::from(([127, 0, 0, 1], 1)); 2];
        Life {
            state: State::new(options, members).expect("no keys"),
            dice: StdRng::seed_from_u64(seed),
            by: Origin {
                client: String::new(),
                uri: String::new(),
                force: true,
            },
        }
    }

    /// Something happens; what is refused is no harm.
    fn act(&mut self) {
        let id = *APPS.choose(&mut self.dice).expect("some");
        match self.dice.random_range(0..13) {
            0 => drop(self.put(id)),
            1 => drop(self.state.scale(id, self.dice.random_range(0..5), &self.by)),
            2 => drop(self.edit(Edit::Restart(kind(id), id.to_owned()))),
            3 => drop(self.edit(Edit::Delete(kind(id), id.to_owned()))),
            4 => self.task(|state, task| state.set_task_state(task, "TASK_FAILED")),
            5 => self.task(State::kill_task),
            6 => self.agent(State::lose_agent),
            7 => self.agent(State::give_up_agent),
            8 => self.agent(State::expunge_agent),
            9 => self.agent(State::find_agent),
            10 => drop(self.state.delete_group("/g", &self.by)),
            11 => {
                let next = self.state.end_term().map_or(0, |old| 1 - old);
                self.state.begin_term(next, 0);
            }
            _ => {
                let id = self.state.deployments.first().map(|d| d.id.0.clone());
                id.map(|id| self.state.roll_back(&id, &self.by));
            }
        }
    }

    fn put(&mut self, id: &str) -> Result<(), crate::error::ApiError> {
        let instances: usize = self.dice.random_range(0..5);
        let labels = json!({ "version": self.dice.random_range(1..4).to_string() });
        let port = json!({ "name": "http", "containerPort": 80, "hostPort": 0 });
        let networks = json!([{ "mode": "container/bridge" }]);
        let body = match kind(id) {
            Kind::App => json!({ "id": id, "instances": instances, "labels": labels,
                "networks": networks, "container": { "portMappings": [port] } }),
            Kind::Pod => json!({ "id": id, "labels": labels, "networks": networks,
                "scaling": { "instances": instances },
                "containers": [{ "name": "c", "endpoints": [port] }, { "name": "p" }] }),
        };
        self.edit(Edit::Put(kind(id), body))
    }

    fn edit(&mut self, edit: Edit) -> Result<(), crate::error::ApiError> {
        self.state.apply(vec![edit], &self.by).map(drop)
    }

    fn task<T>(&mut self, act: impl FnOnce(&mut State, &str) -> T) {
        let tasks = view::tasks(&self.state);
        if let Some(task) = tasks.choose(&mut self.dice) {
            act(&mut self.state, &task.id);
        }
    }

    fn agent<T>(&mut self, act: impl FnOnce(&mut State, &str) -> T) {
        let agent = format!("10.0.0.{}", self.dice.random_range(1..=3));
        act(&mut self.state, &agent);
    }

    /// Lets everything come to rest, with all agents back.
    fn rest(&mut self) {
        for last in 1..=3 {
            // Refused for agents that are not lost.
            let _ = self.state.find_agent(&format!("10.0.0.{last}"));
        }
        let mut steps = 0;
        while self.state.step() {
            steps += 1;
            assert!(steps < 10_000, "it must come to rest");
        }
    }

    fn check(&self) {
        let tasks = view::tasks(&self.state);
        let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
        for spec in [Kind::App, Kind::Pod]
            .iter()
            .flat_map(|k| self.state.specs(*k))
        {
            let tasks = spec.shape.instances * spec.shape.containers.len();
            wanted.extend((tasks > 0).then_some((spec.id.as_str(), tasks)));
        }
        let mut running: BTreeMap<&str, usize> = BTreeMap::new();
        for task in &tasks {
            assert_eq!(task.state, "TASK_RUNNING", "{task:#?}");
            *running.entry(&task.run_spec_id).or_default() += 1;
        }
        assert_eq!(running, wanted);
        assert!(self.state.settled());
        unique(tasks.iter().flat_map(|t| {
            let ports = t.ports.iter().filter_map(|p| p.host_port);
            ports.map(|port| (t.agent_ip, port)).collect::<Vec<_>>()
        }));
        unique(
            tasks
                .iter()
                .map(|t: &TaskView| (t.agent_ip, t.container_ip, t.container.clone())),
        );
        let held = self
            .state
            .cluster
            .agents()
            .map(|a| self.state.cluster.agent(a).load());
        assert_eq!(held.sum::<usize>(), self.state.instances.len());
    }
}

fn kind(id: &str) -> Kind {
    match id {
        "/a" | "/g/c" => Kind::App,
        _ => Kind::Pod,
    }
}

fn unique<T: Ord>(items: impl Iterator<Item = T>) {
    let items: Vec<T> = items.collect();
    let count = items.len();
    assert_eq!(items.into_iter().collect::<BTreeSet<T>>().len(), count);
}

#[test]
fn every_life_ends_as_it_was_told() {
    for version in ["1.5", "1.8"] {
        for seed in 0..25 {
            let mut life = Life::new(version, seed);
            for _ in 0..120 {
                life.act();
                for _ in 0..life.dice.random_range(0..12) {
                    life.state.step();
                }
            }
            life.rest();
            life.check();
        }
    }
}

#[test]
fn null_bodies_are_refused_not_fatal() {
    let mut life = Life::new("1.8", 1);
    for body in [Value::Null, json!([]), json!("x"), json!({ "id": 7 })] {
        assert!(
            life.edit(Edit::Put(Kind::App, body.clone())).is_err(),
            "{body}"
        );
        assert!(life.edit(Edit::Put(Kind::Pod, body)).is_err());
    }
}
