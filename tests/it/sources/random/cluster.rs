//! A Marathon of three members and four agents, on which dice do everything that can be done.

mod faults; // of answers, of events, of Marathon itself

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Url;
use serde_json::json;
use simulator::{Agent, Failover, Launch, Options, Simulator, TaskView};
use tokio::time::timeout;

use super::specs::{Definition, Spec};
use super::{DEADLINE, Manner};

/// Workloads and their services whose tasks nobody touches; agents and Marathon may fail. They stand
/// last in lists, where a halved one loses them.
pub(super) const ANCHORS: [(&str, &str); 2] = [("/zz/app", "anchor"), ("/zz/pod", "keel")];
const IDS: [&str; 10] = [
    "/a",
    "/b",
    "/c",
    "/shop/a",
    "/shop/b",
    "/shop/db/a",
    "/shop/db/b",
    "/x/a",
    "/x/b",
    "/x/y/z",
];
const SERVICES: [&str; 5] = ["reviews", "details", "ratings", "httpbin", "sleep"];
const VERSIONS: [&str; 3] = ["v1", "v2", "v3"];
const MARATHONS: [&str; 4] = ["1.5.0", "1.7.0", "1.8.222", "1.11.24"];
const AGENTS: usize = 4;
/// Only these may be gone for good, so that instances on the others remain at least degraded.
const EXPENDABLE: [&str; 2] = ["10.0.0.3", "10.0.0.4"];

pub(super) struct Cluster {
    pub(super) simulator: Simulator,
    dice: StdRng,
    manner: Manner,
    pub(super) version: &'static str,
    lost: BTreeSet<String>,
    away: Away,
    /// How many lists were spoilt.
    spoilt: usize,
    /// How often each operation was accepted.
    done: BTreeMap<&'static str, usize>,
}

/// What of Marathon is not there.
#[derive(Debug, Default)]
struct Away {
    everything: bool,
    leader: bool,
    member: Option<usize>,
    frozen: bool,
}

// === impl Cluster ===

impl Cluster {
    pub(super) async fn start(seed: u64, manner: Manner) -> Cluster {
        let mut dice = StdRng::seed_from_u64(seed);
        let agent = |last| Agent {
            zone: Some(format!("zone-{last}")),
            ..Agent::at(Ipv4Addr::new(10, 0, 0, last))
        };
        let defaults = Options::default();
        let version = MARATHONS.choose(&mut dice).unwrap();
        let options = Options {
            standbys: vec![defaults.listen; 2],
            leader_wait: Duration::from_millis(20),
            agents: (1..=AGENTS as u8).map(agent).collect(),
            heartbeat: Duration::from_millis(30),
            event_buffer: match manner {
                Manner::Events => 1 << 16,
                Manner::Resync => 64,
            },
            version: (*version).into(),
            gzip: dice.random_bool(0.5),
            seed,
            ..defaults
        };
        let simulator = Simulator::start(options).await.unwrap();
        let anchor = |(id, service), instances| Definition {
            id,
            service,
            version: "v1",
            instances,
        };
        let mut app = anchor(ANCHORS[0], 4).bridge_app(true, false);
        app["unreachableStrategy"] = "disabled".into();
        simulator.post_app(app).unwrap();
        let network = json!({"mode": "container", "name": "dcos"});
        let mut pod = anchor(ANCHORS[1], 4).pod(network, false, true);
        pod["scheduling"] = json!({"unreachableStrategy": "disabled"});
        simulator.post_pod(pod).unwrap();
        timeout(DEADLINE, simulator.settled()).await.unwrap();
        Cluster {
            simulator,
            dice,
            manner,
            version,
            lost: BTreeSet::new(),
            away: Away::default(),
            spoilt: 0,
            done: BTreeMap::new(),
        }
    }

    pub(super) fn urls(&self) -> Vec<Url> {
        let members = 0..3;
        members
            .map(|member| self.simulator.url_of(member).parse().unwrap())
            .collect()
    }

    /// How long the world may take before the next step: mostly no time at all.
    pub(super) fn pause(&mut self) -> Duration {
        match self.dice.random_range(0..20) {
            0 => Duration::from_millis(40),
            1..5 => Duration::from_millis(5),
            _ => Duration::ZERO,
        }
    }

    /// Does something.
    pub(super) async fn step(&mut self) {
        let (name, done) = match self.dice.random_range(0..100) {
            0..16 => ("create", self.define(false)),
            16..30 => ("update", self.define(true)),
            30..42 => ("scale", self.scale()),
            42..46 => (
                "restart",
                self.workload()
                    .is_some_and(|id| self.simulator.restart(&id).is_ok()),
            ),
            46..51 => (
                "delete",
                self.workload()
                    .is_some_and(|id| self.simulator.delete(&id).is_ok()),
            ),
            51..57 => (
                "kill",
                self.task()
                    .is_some_and(|t| self.simulator.kill_task(&t.id).is_ok()),
            ),
            57..63 => ("crash", self.crash()),
            63..71 => ("health", self.health()),
            71..80 => ("agent", self.agent()),
            80..82 => ("pace", self.tempo()),
            82..86 => ("answers", self.answers()),
            86..89 => ("events", self.events()),
            89..91 => ("cut", self.cut()),
            91..93 => ("wipe", self.wipe()),
            93..96 => ("freeze", self.freeze()),
            _ => ("marathon", self.marathon().await),
        };
        *self.done.entry(name).or_default() += usize::from(done);
    }

    /// Everything works again, and everything has come to rest.
    pub(super) async fn heal(&mut self, tag: &str) {
        self.simulator.clear_faults();
        self.simulator.freeze_events(false);
        self.bring_back().await;
        for agent in std::mem::take(&mut self.lost) {
            if self.dice.random_bool(0.3) {
                self.expunge(&agent);
            }
            self.simulator.find_agent(&agent).unwrap();
        }
        self.away = Away::default();
        self.simulator.set_launch(Launch::Immediate);
        self.simulator.refill_health();
        // Deployments wait for tasks that were made unhealthy; what is launched for that is healthy.
        let settled = async {
            let moment = Duration::from_millis(50);
            while timeout(moment, self.simulator.settled()).await.is_err() {
                let mut sick = self.simulator.tasks();
                sick.retain(|task| task.healthy == Some(false));
                for task in sick {
                    let _ = self.simulator.set_health(&task.id, Some(true));
                }
            }
        };
        if timeout(DEADLINE, settled).await.is_err() {
            panic!(
                "{tag}: Marathon does not come to rest: {}",
                self.unrest().await
            );
        }
    }

    /// Deployments under way, and tasks that are neither running nor gone.
    async fn unrest(&self) -> String {
        let url = format!("{}/v2/deployments", self.simulator.url());
        let deployments = reqwest::get(url).await.unwrap().text().await.unwrap();
        let mut tasks = self.simulator.tasks();
        tasks.retain(|task| task.state != "TASK_RUNNING" || task.healthy == Some(false));
        let leader = self.simulator.leader();
        format!("leader {leader:?}, {deployments}\n{tasks:#?}")
    }

    /// A new leader, without any result of the health checks that Marathon runs.
    pub(super) async fn fail_over_and_forget(&mut self) {
        self.simulator
            .fail_over(&Failover::default())
            .await
            .unwrap();
    }

    /// Trouble that does not pass by itself, and that every reader must see alike.
    pub(super) fn trouble_that_stays(&mut self) {
        for task in self.simulator.tasks() {
            if !is_anchor(&task) && self.dice.random_bool(0.3) {
                let _ = self.simulator.set_health(&task.id, Some(false));
            }
        }
        self.lose();
    }

    /// Whether the dice really did everything.
    pub(super) fn was_busy(&self, tag: &str, steps: usize) {
        println!("{tag}: accepted {:?}", self.done);
        let total: usize = self.done.values().sum();
        assert!(total * 3 > steps, "{tag}: mostly refused: {:?}", self.done);
        let idle = self.done.values().any(|count| *count == 0);
        assert!(
            steps < 500 || !idle && self.done.len() == 16,
            "{tag}: {:?}",
            self.done
        );
    }

    // === workloads ===

    fn define(&mut self, update: bool) -> bool {
        let definition = Definition {
            id: IDS.choose(&mut self.dice).unwrap(),
            service: SERVICES.choose(&mut self.dice).unwrap(),
            version: VERSIONS.choose(&mut self.dice).unwrap(),
            instances: self.dice.random_range(0..5),
        };
        let done = match (definition.random(&mut self.dice), update) {
            (Spec::App(app), false) => self.simulator.post_app(app),
            (Spec::App(app), true) => self.simulator.put_app(app),
            (Spec::Pod(pod), false) => self.simulator.post_pod(pod),
            (Spec::Pod(pod), true) => self.simulator.put_pod(pod),
        };
        done.is_ok()
    }

    fn scale(&mut self) -> bool {
        let instances = self.dice.random_range(0..6);
        let id = self.workload();
        id.is_some_and(|id| self.simulator.scale(&id, instances).is_ok())
    }

    /// An app or pod that may be changed.
    fn workload(&mut self) -> Option<String> {
        IDS.choose(&mut self.dice).map(|id| (*id).to_owned())
    }

    // === tasks ===

    fn task(&mut self) -> Option<TaskView> {
        let mut tasks = self.simulator.tasks();
        tasks.retain(|task| !is_anchor(task));
        tasks.choose(&mut self.dice).cloned()
    }

    fn crash(&mut self) -> bool {
        let state = [
            "TASK_FAILED",
            "TASK_FINISHED",
            "TASK_ERROR",
            "TASK_GONE",
            "TASK_DROPPED",
        ];
        let state = state.choose(&mut self.dice).unwrap();
        let task = self.task();
        task.is_some_and(|task| self.simulator.set_task_state(&task.id, state).is_ok())
    }

    fn health(&mut self) -> bool {
        let healthy = self.dice.random_bool(0.7);
        let task = self.task();
        task.is_some_and(|task| self.simulator.set_health(&task.id, Some(healthy)).is_ok())
    }

    fn tempo(&mut self) -> bool {
        let launch = match self.dice.random_bool(0.5) {
            true => Launch::Manual,
            false => Launch::Immediate,
        };
        self.simulator.set_launch(launch);
        self.simulator.reuse_ports(self.dice.random_bool(0.5));
        true
    }

    // === agents ===

    fn agent(&mut self) -> bool {
        let lost: Vec<String> = self.lost.iter().cloned().collect();
        let Some(agent) = lost.choose(&mut self.dice) else {
            return self.lose();
        };
        match self.dice.random_range(0..4) {
            0 => self.lose(),
            1 => self.simulator.give_up_agent(agent).is_ok(),
            2 => self.expunge(agent),
            _ => {
                self.lost.remove(agent);
                self.simulator.find_agent(agent).is_ok()
            }
        }
    }

    fn expunge(&self, agent: &str) -> bool {
        EXPENDABLE.contains(&agent) && self.simulator.expunge_agent(agent).is_ok()
    }

    /// Half of the agents stay.
    fn lose(&mut self) -> bool {
        let agent = format!("10.0.0.{}", self.dice.random_range(1..=AGENTS));
        let may = self.lost.len() < AGENTS / 2 && self.lost.insert(agent.clone());
        may && self.simulator.lose_agent(&agent).is_ok()
    }
}

fn is_anchor(task: &TaskView) -> bool {
    ANCHORS.iter().any(|(id, _)| task.run_spec_id == *id)
}
