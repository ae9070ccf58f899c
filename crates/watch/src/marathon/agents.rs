//! Addresses of agents that advertise a name.
//!
//! Envoy needs addresses. A name is looked up at most every half minute, all names of one reading
//! together within a few seconds, and while a name does not resolve its last good answer counts.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use api::marathon::{Workload, WorkloadKey};
use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, timeout};

/// How long an answer, good or not, counts before the name is looked up again.
const FRESH: Duration = Duration::from_secs(30);
/// The longest time that one reading waits for all its names together.
const PATIENCE: Duration = Duration::from_secs(5);
const PARALLEL: usize = 16;

#[derive(Default)]
pub(super) struct Agents {
    known: BTreeMap<Arc<str>, Known>,
    /// Those that workloads have; none without names is in it.
    names_by_workload: BTreeMap<WorkloadKey, Box<[Arc<str>]>>,
    /// Whether some workload has lost a name.
    dropped: bool,
}

#[derive(Default)]
struct Known {
    /// The last good answer, sorted.
    addresses: Vec<IpAddr>,
    asked: Option<Instant>,
}

/// The addresses of a name, as the system resolves it.
pub(super) async fn resolve(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

// === impl Agents ===

impl Agents {
    /// Fills in the addresses of agents that have names.
    pub(super) async fn complete<L, F>(&mut self, workloads: &mut [&mut Workload], lookup: L)
    where
        L: Fn(String) -> F,
        F: Future<Output = io::Result<Vec<IpAddr>>>,
    {
        let names: BTreeSet<String> = workloads.iter().flat_map(|w| names(w)).collect();
        self.refresh(names, lookup).await;
        for workload in workloads {
            self.fill(workload);
            self.note(workload);
        }
    }

    /// Takes addresses from what was known before this process, for names that do not resolve.
    pub(super) fn remember(&mut self, workload: &Workload) {
        let found: Vec<(&str, Option<IpAddr>)> = match workload {
            Workload::App(w) => {
                let tasks = w.app.tasks.iter();
                tasks.map(|t| (t.host.as_str(), t.agent_address)).collect()
            }
            Workload::Pod(w) => {
                let instances = w.status.instances.iter();
                let named = |i: &'_ api::marathon::PodInstance| i.agent_address;
                instances
                    .filter_map(|i| Some((i.agent_hostname.as_deref()?, named(i))))
                    .collect()
            }
        };
        for (name, address) in found {
            if let Some(address) = address {
                let known = self.known.entry(name.into()).or_default();
                known.addresses = vec![address];
            }
        }
        self.note(workload);
    }

    /// Forgets the workloads that are gone, and names that no workload has.
    pub(super) fn retain(&mut self, alive: impl Fn(&WorkloadKey) -> bool) {
        let before = self.names_by_workload.len();
        self.names_by_workload.retain(|key, _| alive(key));
        if !std::mem::take(&mut self.dropped) && self.names_by_workload.len() == before {
            return;
        }
        let names: BTreeSet<&Arc<str>> = self.names_by_workload.values().flatten().collect();
        self.known.retain(|name, _| names.contains(name));
    }

    /// Keeps which names a workload has.
    fn note(&mut self, workload: &Workload) {
        let names: BTreeSet<String> = names(workload).into_iter().collect();
        let known = |name: String| Some(self.known.get_key_value(name.as_str())?.0.clone());
        let names: Box<[Arc<str>]> = names.into_iter().filter_map(known).collect();
        let key = workload.key();
        let last = match names.is_empty() {
            true => self.names_by_workload.remove(&key),
            false => self.names_by_workload.insert(key.clone(), names),
        };
        self.dropped |= last.is_some_and(|last| self.names_by_workload.get(&key) != Some(&last));
    }

    async fn refresh<L, F>(&mut self, names: BTreeSet<String>, lookup: L)
    where
        L: Fn(String) -> F,
        F: Future<Output = io::Result<Vec<IpAddr>>>,
    {
        let now = Instant::now();
        let known = &self.known;
        let is_due = |name: &String| {
            let asked = known.get(name.as_str()).and_then(|known| known.asked);
            asked.is_none_or(|asked| now >= asked + FRESH)
        };
        let due: Vec<String> = names.into_iter().filter(is_due).collect();
        for name in &due {
            let known = self.known.entry(name.as_str().into()).or_default();
            known.asked = Some(now);
        }
        let asking = due.into_iter().map(|name| {
            let answer = lookup(name.clone());
            async move { (name, answer.await) }
        });
        let mut answers = stream::iter(asking).buffer_unordered(PARALLEL);
        let take = async {
            while let Some((name, answer)) = answers.next().await {
                let known = self.known.entry(name.as_str().into()).or_default();
                known.take(&name, answer);
            }
        };
        if timeout(PATIENCE, take).await.is_err() {
            tracing::warn!(
                effect = "agents whose names did not resolve keep their last address",
                "names of agents were not resolved within {PATIENCE:?}"
            );
        }
    }

    fn fill(&self, workload: &mut Workload) {
        let find = |name: &str, own: &mut dyn Iterator<Item = &str>| {
            let known = &self.known.get(name)?.addresses;
            // On the agent's own network Mesos tells its address as the instance's own.
            let own = own
                .filter_map(|ip| ip.parse().ok())
                .find(|ip| known.contains(ip));
            own.or_else(|| known.first().copied())
        };
        match workload {
            Workload::App(w) => {
                for task in &mut Arc::make_mut(w).app.tasks {
                    let own = task.ip_addresses.iter();
                    let mut own = own.map(|a| a.ip_address.as_str());
                    task.agent_address = find(&task.host, &mut own);
                }
            }
            Workload::Pod(w) => {
                for instance in &mut Arc::make_mut(w).status.instances {
                    let networks = instance.networks.iter();
                    let mut own = networks.flat_map(|n| n.addresses.iter().map(String::as_str));
                    let name = instance.agent_hostname.as_deref().unwrap_or("");
                    instance.agent_address = find(name, &mut own);
                }
            }
        }
    }
}

// === impl Known ===

impl Known {
    fn take(&mut self, name: &str, answer: io::Result<Vec<IpAddr>>) {
        match answer {
            Ok(mut addresses) if !addresses.is_empty() => {
                // IPv4 first, as the port mapper of Mesos knows no other; sorted, so that an
                // answer in another order is no change.
                addresses.sort_by_key(|ip| (ip.is_ipv6(), *ip));
                addresses.dedup();
                self.addresses = addresses;
            }
            Ok(_) => tracing::warn!(agent = name, "the agent's name has no address"),
            Err(error) => tracing::warn!(
                agent = name,
                effect = "its last address counts, or it gets no traffic",
                remedy = "let the name resolve here, or start the Mesos agent with --hostname set to its IP address",
                "the agent's name cannot be resolved: {error}"
            ),
        }
    }
}

/// The names, not addresses, that agents advertise.
fn names(workload: &Workload) -> Vec<String> {
    let hosts: Vec<&str> = match workload {
        Workload::App(w) => w.app.tasks.iter().map(|t| t.host.as_str()).collect(),
        Workload::Pod(w) => {
            let instances = w.status.instances.iter();
            instances
                .filter_map(|i| i.agent_hostname.as_deref())
                .collect()
        }
    };
    let is_name = |host: &&str| !host.is_empty() && host.parse::<IpAddr>().is_err();
    hosts
        .into_iter()
        .filter(is_name)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use api::marathon::WorkloadKind;
    use serde_json::json;

    use super::super::decode;
    use super::*;

    fn app(hosts: &[(&str, &str)]) -> Workload {
        let tasks = hosts.iter().map(
            |(host, ip)| json!({"id": host, "host": host, "ipAddresses": [{"ipAddress": ip}]}),
        );
        let json = json!({"app": {"id": "/a", "tasks": tasks.collect::<Vec<_>>()}});
        decode::one(WorkloadKind::App, json.to_string().as_bytes())
            .unwrap()
            .unwrap()
    }

    fn addresses(workload: &Workload) -> Vec<Option<String>> {
        let Workload::App(w) = workload else {
            panic!("an app");
        };
        let tasks = w.app.tasks.iter();
        tasks
            .map(|t| t.agent_address.map(|ip| ip.to_string()))
            .collect()
    }

    /// Resolves by a table and counts.
    #[derive(Default)]
    struct Names {
        table: RefCell<BTreeMap<&'static str, Vec<&'static str>>>,
        asked: RefCell<Vec<String>>,
    }

    impl Names {
        fn set(&self, name: &'static str, addresses: &[&'static str]) {
            self.table.borrow_mut().insert(name, addresses.to_vec());
        }

        async fn complete(
            &self,
            agents: &mut Agents,
            mut workload: Workload,
        ) -> Vec<Option<String>> {
            let lookup = |name: String| {
                self.asked.borrow_mut().push(name.clone());
                let table = self.table.borrow();
                let found = table.get(name.as_str()).filter(|found| !found.is_empty());
                let answer =
                    found.map(|found| found.iter().map(|ip| ip.parse().unwrap()).collect());
                std::future::ready(answer.ok_or_else(|| io::Error::other("no such name")))
            };
            agents.complete(&mut [&mut workload], lookup).await;
            addresses(&workload)
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn row34_names_are_resolved_kept_and_looked_up_again_later() {
        let (names, mut agents) = (Names::default(), Agents::default());
        names.set("a1", &["fd00::1", "10.0.0.2", "10.0.0.1"]);
        let two = || app(&[("a1", "172.17.0.2"), ("10.0.0.9", "172.17.0.3")]);
        assert_eq!(
            names.complete(&mut agents, two()).await,
            [some("10.0.0.1"), None]
        );
        // Nothing is asked again at once, and an outage of DNS changes nothing.
        names.set("a1", &[]);
        names.complete(&mut agents, two()).await;
        assert_eq!(names.asked.borrow().len(), 1);
        tokio::time::advance(FRESH).await;
        assert_eq!(
            names.complete(&mut agents, two()).await[0],
            some("10.0.0.1")
        );
        assert_eq!(names.asked.borrow().len(), 2);
        names.set("a1", &["10.0.0.7"]);
        tokio::time::advance(FRESH).await;
        assert_eq!(
            names.complete(&mut agents, two()).await[0],
            some("10.0.0.7")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn of_several_addresses_the_one_of_an_instance_on_the_agents_network_counts() {
        let (names, mut agents) = (Names::default(), Agents::default());
        names.set("a1", &["10.0.0.1", "192.168.0.1"]);
        let host_mode = app(&[("a1", "192.168.0.1")]);
        assert_eq!(
            names.complete(&mut agents, host_mode).await,
            [some("192.168.0.1")]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_known_before_the_start_counts_while_a_name_does_not_resolve() {
        let (names, mut agents) = (Names::default(), Agents::default());
        let mut before = app(&[("a1", "172.17.0.2"), ("gone", "172.17.0.3")]);
        if let Workload::App(w) = &mut before {
            Arc::make_mut(w).app.tasks[0].agent_address = "10.0.0.1".parse().ok();
        }
        agents.remember(&before);
        assert_eq!(
            names.complete(&mut agents, before.clone()).await,
            [some("10.0.0.1"), None]
        );
        agents.retain(|_| true);
        assert_eq!(agents.known.len(), 2);
        agents
            .complete(&mut [&mut app(&[("a1", "")])], |_| std::future::pending())
            .await;
        agents.retain(|_| true);
        let left: Vec<&str> = agents.known.keys().map(|name| &**name).collect();
        assert_eq!(left, ["a1"]);
        agents.retain(|_| false);
        assert!(agents.known.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_hangs_holds_a_reading_up_for_a_moment_only() {
        let mut agents = Agents::default();
        let mut workload = app(&[("a1", "172.17.0.2")]);
        let begin = Instant::now();
        let hang = |_| std::future::pending();
        agents.complete(&mut [&mut workload], hang).await;
        assert_eq!(begin.elapsed(), PATIENCE);
        assert_eq!(addresses(&workload), [None]);
    }
}
