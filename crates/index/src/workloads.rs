//! Workloads: Marathon's apps and pods as facts, and the services and instances they make.
//!
//! ```text
//! App ─┐   labels  ports  reach  health
//!      ├──► Revision + Sighting ──► Facts ──► services (merged by host) ──► World
//! Pod ─┘                              └────► instances
//! ```

pub(crate) mod account;
mod app;
mod claimants;
mod facts;
mod groups;
mod health;
mod labels;
mod offers;
mod owner;
mod pod;
mod ports;
mod probes;
mod reach;
mod revision;
mod vip;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::event::{Event, SourceId};
use api::marathon::Workload;
use model::{ChangeSet, Diagnostic, Hostname, Instance, InstanceId, Mesh, World};

pub(crate) use facts::{Candidate, Facts, Running, Who};
pub(crate) use probes::{Asked, Probed, Probes};

use self::claimants::{Claimants, link, unlink};
use self::groups::Groups;
use self::owner::Owner;
use crate::entries::Entries;
use crate::lists::{Lists, Step};
use crate::naming;
use crate::services;

/// All workloads, and what must be rebuilt of the World.
#[derive(Debug, Default)]
pub(crate) struct Workloads {
    lists: Lists<Workload>,
    facts_by_workload: BTreeMap<Who, Facts>,
    workloads_by_host: BTreeMap<Hostname, Claimants>,
    workloads_by_instance: BTreeMap<InstanceId, Claimants>,
    /// Who had a service first keeps it for as long as it claims it.
    owner_by_host: BTreeMap<Hostname, Owner>,
    groups: Groups,
    conflicts_by_host: BTreeMap<Hostname, Vec<Diagnostic>>,
    dirty_hosts: BTreeSet<Hostname>,
    dirty_instances: BTreeSet<InstanceId>,
    dirty_diagnostics: bool,
    dirty_standings: BTreeSet<Who>,
    pub(crate) probes: Probes,
}

// === impl Workloads ===

impl Workloads {
    /// Brings what is told of instances up to date; tells whether something is new. No proxy is
    /// concerned.
    pub(crate) fn refresh_standings(&mut self, world: &mut World) -> bool {
        let mut changed = false;
        for who in std::mem::take(&mut self.dirty_standings) {
            let label = who.label();
            let facts = self.facts_by_workload.get(&who);
            let told = facts.map(|f| &f.standings).filter(|s| !s.is_empty());
            if world.standings.get(&label) == told {
                continue;
            }
            changed = true;
            match told {
                Some(told) => world.standings.insert(label, told.clone()),
                None => world.standings.remove(&label),
            };
        }
        changed
    }

    /// Takes in a word of a source; `true` if it completed a list.
    pub(crate) fn apply(&mut self, source: &SourceId, event: Event<Workload>, mesh: &Mesh) -> bool {
        let mesh = &*naming::of_source(source, mesh);
        let absorbed = self.lists.absorb(source, event);
        for step in absorbed.steps {
            match step {
                Step::Apply(workload) => {
                    let who = Who::new(&workload.key(), source);
                    self.set(who, facts::read(&workload, mesh));
                }
                Step::Delete(key) => self.set(Who::new(&key, source), Facts::default()),
            }
        }
        absorbed.completed
    }

    /// Services that configuration made others.
    pub(crate) fn touch(&mut self, hosts: &BTreeSet<Hostname>) {
        self.dirty_hosts.extend(hosts.iter().cloned());
    }

    /// Settings of the mesh became others.
    pub(crate) fn touch_all(&mut self) {
        self.dirty_hosts
            .extend(self.workloads_by_host.keys().cloned());
    }

    /// Rebuilds what is dirty in `world`; tells what became different, and whether findings did.
    pub(crate) fn refresh(
        &mut self,
        entries: &Entries,
        world: &mut World,
        changes: &mut ChangeSet,
    ) -> bool {
        if !self.dirty_hosts.is_empty() || !self.dirty_instances.is_empty() {
            self.dirty_hosts.extend(entries.selecting().cloned());
        }
        for host in std::mem::take(&mut self.dirty_hosts) {
            let claimants = self.claimants(&host).collect();
            let last = self.owner_by_host.get(&host);
            let settled = owner::settle(&host, claimants, last, world.mesh.ownership);
            let built = services::build(&host, &settled.members, &world.mesh);
            let facts = self.facts_by_workload.values();
            let built = entries.merge(&host, built, facts, &world.mesh);
            let (owner, mut conflicts) = (settled.owner, settled.conflicts);
            conflicts.extend(services::put(world, &host, built, changes));
            match owner {
                Some(owner) => self.owner_by_host.insert(host.clone(), owner),
                None => self.owner_by_host.remove(&host),
            };
            self.set_conflicts(host, conflicts);
        }
        for id in std::mem::take(&mut self.dirty_instances) {
            put_instance(world, &id, self.instance(&id), changes);
        }
        std::mem::take(&mut self.dirty_diagnostics)
    }

    pub(crate) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let own = self.facts_by_workload.values().flat_map(|f| &f.diagnostics);
        own.chain(self.conflicts_by_host.values().flatten())
            .chain(self.groups.diagnostics())
    }

    /// Facts that are empty are not kept, so deletion is one case of change.
    fn set(&mut self, who: Who, facts: Facts) {
        let old = self.facts_by_workload.remove(&who).unwrap_or_default();
        if old != facts {
            self.mark(&old, &facts);
            if old.standings != facts.standings {
                self.dirty_standings.insert(who.clone());
            }
            self.probes.set(&who, facts.probed.as_ref());
            self.dirty_diagnostics |= self.groups.replace(&who, &old.derived, &facts.derived);
            unlink(&mut self.workloads_by_host, old.claims.keys(), &who);
            unlink(&mut self.workloads_by_instance, ids(&old), &who);
            link(&mut self.workloads_by_host, facts.claims.keys(), &who);
            link(&mut self.workloads_by_instance, ids(&facts), &who);
        }
        if facts != Facts::default() {
            self.facts_by_workload.insert(who, facts);
        }
    }

    fn mark(&mut self, old: &Facts, new: &Facts) {
        let hosts = old.claims.keys().chain(new.claims.keys()).cloned();
        self.dirty_hosts.extend(hosts);
        let values = |facts: &Facts| -> BTreeMap<InstanceId, Arc<Instance>> {
            let running = facts.instances.iter();
            running
                .map(|r| (r.instance.id.clone(), r.instance.clone()))
                .collect()
        };
        let (old_values, new_values) = (values(old), values(new));
        let ids = old_values.keys().chain(new_values.keys());
        let changed = ids.filter(|id| old_values.get(*id) != new_values.get(*id));
        self.dirty_instances.extend(changed.cloned());
        self.dirty_diagnostics |= old.diagnostics != new.diagnostics;
    }

    fn claimants<'a>(&'a self, host: &Hostname) -> impl Iterator<Item = (&'a Who, &'a Facts)> {
        let workloads = self.workloads_by_host.get(host).into_iter();
        let workloads = workloads.flat_map(Claimants::iter);
        workloads.filter_map(|who| self.facts_by_workload.get_key_value(who))
    }

    /// Of two workloads that claim one instance id, which only different Marathons can, the lower one.
    fn instance(&self, id: &InstanceId) -> Option<Arc<Instance>> {
        let who = self.workloads_by_instance.get(id)?.first()?;
        let instances = &self.facts_by_workload.get(who)?.instances;
        let running = instances.iter().find(|r| r.instance.id == *id)?;
        Some(running.instance.clone())
    }

    fn set_conflicts(&mut self, host: Hostname, conflicts: Vec<Diagnostic>) {
        let old = match conflicts.is_empty() {
            true => self.conflicts_by_host.remove(&host),
            false => self.conflicts_by_host.insert(host.clone(), conflicts),
        };
        self.dirty_diagnostics |= old.as_ref() != self.conflicts_by_host.get(&host);
    }
}

fn put_instance(
    world: &mut World,
    id: &InstanceId,
    instance: Option<Arc<Instance>>,
    changes: &mut ChangeSet,
) {
    if world.instances.get(id) == instance.as_ref() {
        return;
    }
    match instance {
        Some(instance) => world.instances.insert(id.clone(), instance),
        None => world.instances.remove(id),
    };
    changes.instances.insert(id.clone());
}

fn ids(facts: &Facts) -> impl Iterator<Item = &InstanceId> {
    facts.instances.iter().map(|running| &running.instance.id)
}
