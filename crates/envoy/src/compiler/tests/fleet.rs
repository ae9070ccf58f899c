//! A stand-in for the daemon: it holds what the compiler tells, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{ChangeSet, Proxy, World};

use crate::{Compiler, Kind, Plan, Resource, SetChange, SetKey, compile};

#[derive(Default)]
pub(super) struct Fleet {
    pub(super) compiler: Compiler,
    pub(super) world: Arc<World>,
    sets: BTreeMap<SetKey, BTreeMap<Arc<str>, Resource>>,
    proxies: BTreeMap<String, (Proxy, Plan)>,
}

impl Fleet {
    pub(super) fn of(world: World, proxies: &[Proxy]) -> Fleet {
        let mut fleet = Fleet::default();
        let changes = super::worlds::changes(&fleet.world, &world);
        fleet.update(world, &changes);
        for proxy in proxies {
            fleet.join(proxy.clone());
        }
        fleet.check();
        fleet
    }

    /// Brings the fleet to a World; returns what was told of sets, before proxies were planned again.
    pub(super) fn update(&mut self, world: World, changes: &ChangeSet) -> Vec<SetChange> {
        self.world = Arc::new(world);
        let told = self.compiler.update(&self.world, changes);
        self.take(&told);
        told
    }

    /// The same, with the changes found out.
    pub(super) fn go(&mut self, world: World) -> Vec<SetChange> {
        let changes = super::worlds::changes(&self.world, &world);
        let told = self.update(world, &changes);
        self.replan(&changes, |_, proxy| proxy.clone());
        self.check();
        told
    }

    /// Plans again those that must be, who may be others by now; the rest must be who they were.
    pub(super) fn replan(&mut self, changes: &ChangeSet, who: impl Fn(&str, &Proxy) -> Proxy) {
        let names: Vec<String> = self.proxies.keys().cloned().collect();
        for name in names {
            let (proxy, plan) = self.proxies[&name].clone();
            let now = who(&name, &proxy);
            if self.compiler.affects(changes, &proxy) {
                self.join_as(&name, now);
            } else {
                assert_eq!(now, proxy, "nobody says that {name} is another");
                let (again, told) = self.compiler.join(&proxy);
                assert_eq!(
                    again, plan,
                    "nobody says that the plan of {name} is another"
                );
                assert_eq!(told, []);
                assert_eq!(self.compiler.leave(&again), []);
            }
        }
    }

    pub(super) fn join(&mut self, proxy: Proxy) {
        let name = proxy.id.to_string();
        self.join_as(&name, proxy);
    }

    pub(super) fn join_as(&mut self, name: &str, proxy: Proxy) {
        let (plan, told) = self.compiler.join(&proxy);
        self.take(&told);
        if let Some((_, before)) = self.proxies.insert(name.to_owned(), (proxy, plan)) {
            let told = self.compiler.leave(&before);
            self.take(&told);
        }
    }

    pub(super) fn leave(&mut self, name: &str) {
        if let Some((_, plan)) = self.proxies.remove(name) {
            let told = self.compiler.leave(&plan);
            self.take(&told);
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.proxies.contains_key(name)
    }

    pub(super) fn plan(&self, name: &str) -> &Plan {
        &self.proxies[name].1
    }

    pub(super) fn set(&self, key: &SetKey) -> Vec<&str> {
        self.sets[key].keys().map(|name| &**name).collect()
    }

    /// Every proxy has what it would have from nothing, and only sets in use are held.
    pub(super) fn check(&self) {
        for (name, (proxy, plan)) in &self.proxies {
            let compiled = compile(&self.world, proxy);
            let held = self.resources(plan);
            for (ours, theirs) in held.iter().zip(&compiled.resources) {
                assert!(
                    ours == theirs,
                    "{name}: {} {}",
                    theirs.kind,
                    differs(ours, theirs)
                );
            }
            assert_eq!(held.len(), compiled.resources.len(), "{name}");
            let diagnostics = self.compiler.diagnostics(plan);
            assert_eq!(diagnostics, compiled.diagnostics, "{name}");
        }
        let plans = self.proxies.values();
        let mut used: Vec<&SetKey> = plans.flat_map(|(_, plan)| &plan.sets).collect();
        used.sort();
        used.dedup();
        assert_eq!(self.sets.keys().collect::<Vec<_>>(), used);
    }

    fn resources(&self, plan: &Plan) -> Vec<Resource> {
        let mut by_name: BTreeMap<(Kind, Arc<str>), Resource> = BTreeMap::new();
        let shared = plan.sets.iter().flat_map(|key| self.sets[key].values());
        for resource in shared.chain(&plan.own) {
            by_name.insert((resource.kind, resource.name.clone()), resource.clone());
        }
        by_name.into_values().collect()
    }

    /// Takes in what was told, all of which must be news.
    fn take(&mut self, told: &[SetChange]) {
        for change in told {
            if change.gone {
                assert!(self.sets.remove(&change.set).is_some(), "{}", change.set);
                continue;
            }
            let created = !self.sets.contains_key(&change.set);
            let set = self.sets.entry(change.set.clone()).or_default();
            let nothing = change.upserts.is_empty() && change.removals.is_empty();
            assert!(created || !nothing, "nothing is told of {}", change.set);
            for resource in &change.upserts {
                assert_eq!(resource.kind, change.kind);
                let before = set.insert(resource.name.clone(), resource.clone());
                assert_ne!(before.as_ref(), Some(resource), "this is not news");
            }
            for name in &change.removals {
                assert!(set.remove(name).is_some(), "{name} was not there");
            }
        }
    }
}

fn differs(ours: &Resource, theirs: &Resource) -> String {
    let show = |r: &Resource| match crate::render::to_json(r.kind, &r.body) {
        Ok(json) => format!("{:#}", json),
        Err(error) => error.to_string(),
    };
    let (one, other) = (show(ours), show(theirs));
    format!(
        "is\n{} {one}\nand should be\n{} {other}",
        ours.name, theirs.name
    )
}
