//! Marathon's leader goes, nobody leads for a while, and instances crash meanwhile: what every
//! Envoy has in the end is what really runs, and nothing else.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use demo::client::Load;
use rig::Rig;
use rig::layout::AGENTS;
use serde_json::Value;
use simulator::TaskView;

use super::log_of;
use super::stage::*;

const PORT: u16 = 9080;
/// Nobody asks these for anything: all traffic goes to v3.
const MOVING: [&str; 2] = ["/reviews", "/reviews-v2"];
const SCALE: usize = 3;

/// Addresses by service and version; without a version, all of the service.
type Endpoints = BTreeMap<(String, String), Vec<SocketAddr>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marathon_changes_its_leader_while_instances_crash() {
    let (mut rig, client) = bookinfo().await;
    rig.control()
        .with(&["--mesosMaster", "http://master.mesos:8081"]);
    rig.control().kill().await.unwrap();
    rig.control().start().await.unwrap();
    for pod in MOVING {
        rig.marathon().scale(pod, SCALE).unwrap();
    }
    settled(&rig).await;
    let before = bridges(&rig);

    let load = Load::start(client, RATE);
    load.more(50).await;
    load.step("no leader");
    let old = rig.marathon().leader().unwrap();
    rig.marathon().abdicate().await;
    // One instance keeps the name of the service in DNS, as the first `/reviews` does.
    let crashed = [crash(&rig, MOVING[0], 1), crash(&rig, MOVING[1], 0)].concat();
    assert_eq!(crashed.len(), MOVING.len() * SCALE - 1);
    // Three seconds.
    load.more(u64::from(RATE) * 3).await;

    load.step("another leader, on another port");
    rig.marathon().elect(1 - old, 0).await.unwrap();
    // The shell asks it; it passes on what the leader says.
    rig.marathon().start_member(old).await.unwrap();
    settled(&rig).await;
    assert_eq!(rig.marathon().leader(), Some(1 - old));
    let now = MOVING.map(|pod| rig.marathon().tasks_of(pod)).concat();
    let again = |old: &TaskView| now.iter().all(|new| new.id != old.id);
    assert!(crashed.iter().all(again), "launches of before are over");
    load.more(50).await;
    unharmed(load).await;
    // The load may be lucky: for it, a pod that goes must not change its neighbours' gateway.
    assert_eq!(bridges(&rig), before);
    rig.stop().await.unwrap();
}

/// The hardware address of each agent's bridge.
fn bridges(rig: &Rig) -> Vec<String> {
    let show = |agent| {
        let namespace = rig.layout().agent(agent);
        let ip = ["-n", &namespace, "-brief", "link", "show", "docker0"];
        let out = std::process::Command::new("ip").args(ip).output().unwrap();
        let line = String::from_utf8(out.stdout).unwrap();
        line.split_whitespace().nth(2).unwrap().to_owned()
    };
    AGENTS.map(show).to_vec()
}

/// The instances of a pod but for some fail by themselves, all at once: two tasks each.
fn crash(rig: &Rig, pod: &str, but: usize) -> Vec<TaskView> {
    let mut tasks = rig.marathon().tasks_of(pod);
    tasks.retain(|task| task.ports.iter().any(|p| p.container_port == Some(PORT)));
    tasks.drain(..but);
    for task in &tasks {
        rig.marathon().crash_task(&task.id).unwrap();
    }
    tasks
}

/// All instances run, and every Envoy has exactly their addresses.
async fn settled(rig: &Rig) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(missing) = missing(rig).await {
        let late = Instant::now() >= deadline;
        assert!(!late, "not within {PATIENCE:?}: {missing}\n{}", log_of(rig));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is not yet as it should be.
async fn missing(rig: &Rig) -> Option<String> {
    let all = 7 + MOVING.len() * (SCALE - 1);
    let tasks = rig.marathon().tasks();
    if let Some(task) = tasks.iter().find(|task| task.state != "TASK_RUNNING") {
        return Some(format!("{} is {}", task.id, task.state));
    }
    if !synced(rig, all).await {
        return Some(format!("{all} proxies in sync"));
    }
    for proxy in tasks.iter().filter(|task| is_proxy(task)) {
        let (has, should) = (held(rig, proxy).await, expected(&tasks, proxy.agent_ip));
        if has.as_ref() != Some(&should) {
            return Some(format!("{} has {has:?} and not {should:?}", proxy.id));
        }
    }
    None
}

fn is_proxy(task: &TaskView) -> bool {
    let is_gateway = task.run_spec_id == "/istio-ingressgateway";
    is_gateway || task.container.as_deref() == Some("proxy")
}

/// The addresses of all that runs, as they are reached from an agent.
fn expected(tasks: &[TaskView], from: IpAddr) -> Endpoints {
    let mut endpoints = Endpoints::new();
    for task in tasks {
        let ours = task.ports.iter().filter(|p| p.container_port == Some(PORT));
        for port in ours {
            let at = match task.agent_ip == from {
                true => SocketAddr::new(task.container_ip.unwrap(), PORT),
                false => SocketAddr::new(task.agent_ip, port.host_port.unwrap()),
            };
            let label = |name: &str| task.labels[name].clone();
            for version in [String::new(), label("version")] {
                let of = (label("istio"), version);
                endpoints.entry(of).or_default().push(at);
            }
        }
    }
    endpoints.values_mut().for_each(|all| all.sort());
    endpoints
}

/// The addresses that an Envoy has for Bookinfo.
async fn held(rig: &Rig, proxy: &TaskView) -> Option<Endpoints> {
    let ask = "curl -s localhost:15000/clusters?format=json";
    let line = format!("dcos task exec {} {ask}", proxy.id);
    let (success, text) = rig.shell(&line).await.unwrap();
    let clusters: Value = serde_json::from_str(&text).ok().filter(|_| success)?;
    let mut endpoints = Endpoints::new();
    for cluster in clusters["cluster_statuses"].as_array()? {
        let Some(rest) = cluster["name"].as_str()?.strip_prefix("outbound|9080|") else {
            continue;
        };
        let (version, host) = rest.split_once('|')?;
        let hosts = cluster["host_statuses"].as_array().into_iter().flatten();
        let mut addresses: Vec<SocketAddr> = hosts
            .map(|host| {
                let at = &host["address"]["socket_address"];
                let ip: IpAddr = at["address"].as_str().unwrap().parse().unwrap();
                (ip, at["port_value"].as_u64().unwrap() as u16).into()
            })
            .collect();
        addresses.sort();
        let service = host.split('.').next()?.to_owned();
        endpoints.insert((service, version.to_owned()), addresses);
    }
    // Subsets exist where a rule names them.
    endpoints.retain(|_, addresses| !addresses.is_empty());
    Some(endpoints)
}
