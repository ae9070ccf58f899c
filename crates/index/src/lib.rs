//! What is true now: events in, an immutable World and a ChangeSet out.
//!
//! One [`Index`] owns all state and is the only thing that changes it. It is synchronous and
//! reads no clock, so the same updates always lead to the same World.
//!
//! ```text
//! Update ─┬─ workload ─► workloads ─► services ─┐
//!         ├─ config ───► config ────► ruling ───┼─► World + ChangeSet
//!         └─ problems ──────────────────────────┤
//!                        findings (cross checks)┘
//! ```

pub mod codes;
mod config;
mod delegation;
mod entries;
mod findings;
mod identify;
mod lists;
mod mesh;
mod naming;
mod report;
mod roles;
mod ruling;
mod services;
mod shadow;
mod workloads;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::event::{Change, SourceId, Update};
use api::istio::Problem;
use api::marathon::instance_of;
use model::{ChangeSet, Diagnostic, Mesh, Severity, World};

use config::Config;
use findings::{Findings, Step};
use ruling::Ruling;
use workloads::Workloads;

pub use config::validate;
pub use identify::{Anchors, Claim, Unidentified, identify};
pub use mesh::{mesh, unreadable as unreadable_mesh};

/// The namespace of everything that Marathon runs.
const NAMESPACE: &str = "default";

/// What an index must know before the first update.
#[derive(Debug, Clone)]
pub struct Settings {
    pub mesh: Mesh,
    /// The sources that must complete a list before the first World. Of two sources that define
    /// the same object, the one that stands first wins.
    pub sources: Vec<SourceId>,
}

/// The state of the mesh, and what of it has not been published yet.
#[derive(Debug)]
pub struct Index {
    mesh: Arc<Mesh>,
    /// Whether the mesh became another since the last World.
    mesh_changed: bool,
    sources: Vec<SourceId>,
    complete: BTreeSet<SourceId>,
    workloads: Workloads,
    config: Config,
    ruling: Ruling,
    problems_by_source: BTreeMap<SourceId, Vec<Diagnostic>>,
    problems_changed: bool,
    settings_findings: Vec<Diagnostic>,
    findings: Findings,
    world: Arc<World>,
}

/// A new World, and how it differs from the one before.
#[derive(Debug, Clone)]
pub struct Published {
    pub world: Arc<World>,
    pub changes: ChangeSet,
}

// === impl Index ===

impl Index {
    pub fn new(settings: Settings) -> Index {
        let mesh = Arc::new(settings.mesh);
        Index {
            config: Config::new(mesh.clone(), settings.sources.clone()),
            mesh,
            mesh_changed: false,
            sources: settings.sources,
            complete: BTreeSet::new(),
            workloads: Workloads::default(),
            ruling: Ruling::default(),
            problems_by_source: BTreeMap::new(),
            problems_changed: false,
            settings_findings: Vec::new(),
            findings: Findings::default(),
            world: Arc::new(World::default()),
        }
    }

    /// The same, with what was found in its settings among the diagnostics.
    pub fn with_findings(mut self, findings: Vec<Diagnostic>) -> Index {
        self.settings_findings = findings;
        self.problems_changed = true;
        self
    }

    /// Takes in another mesh config. Objects and workloads are not read again: what they were read
    /// with stays until a restart, and is told where it is not flags that say it.
    pub fn configure(&mut self, mut mesh: Mesh, mut findings: Vec<Diagnostic>) {
        findings.extend(mesh::keep(&self.mesh, &mut mesh));
        if findings != self.settings_findings {
            self.settings_findings = findings;
            self.problems_changed = true;
        }
        if mesh != *self.mesh {
            self.mesh = Arc::new(mesh);
            self.mesh_changed = true;
            self.config.configure(&self.mesh);
            self.workloads.touch_all();
        }
    }

    /// The settings in force.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// Takes in what a source said. Nothing becomes visible before [`Index::publish`].
    pub fn apply(&mut self, update: Update) {
        let Update { source, change } = update;
        let completed = match change {
            Change::Config(event) => self.config.apply(&source, event),
            Change::Workload(event) => self.workloads.apply(&source, event, &self.mesh),
            Change::Problems(problems) => {
                let found: Vec<Diagnostic> = problems.iter().map(diagnostic).collect();
                let before = self
                    .problems_by_source
                    .insert(source.clone(), found.clone());
                self.problems_changed |= before.unwrap_or_default() != found;
                false
            }
        };
        if completed {
            self.complete.insert(source);
        }
    }

    /// The sources that have not completed their first list.
    pub fn pending(&self) -> Vec<SourceId> {
        let pending = self.sources.iter().filter(|s| !self.complete.contains(*s));
        pending.cloned().collect()
    }

    /// The next World; `None` while sources are pending, or if nothing became different.
    ///
    /// What is equal to the World before keeps its `Arc`, and is not in the changes. Where only
    /// standings differ, which no proxy is told, the changes are empty and the generation stays.
    pub fn publish(&mut self) -> Option<Published> {
        if !self.pending().is_empty() {
            return None;
        }
        let is_first = self.world.generation == 0;
        let mesh_changed = std::mem::take(&mut self.mesh_changed);
        let mut changes = ChangeSet {
            mesh: is_first | mesh_changed,
            ..ChangeSet::default()
        };
        let before = self.world.clone();
        let world = Arc::make_mut(&mut self.world);
        world.mesh = self.mesh.clone();
        let (turns, mut findings_changed) = self.config.refresh();
        let touched = self.ruling.turn(turns, world, &mut changes);
        self.workloads.touch(&touched.hosts);
        if mesh_changed {
            // Identities of endpoints are of the mesh's domains.
            self.workloads.touch(&self.ruling.entries.hosts());
        }
        let told = self.workloads.refresh_standings(world);
        let entries = &self.ruling.entries;
        findings_changed |= self.workloads.refresh(entries, world, &mut changes);
        findings_changed |= touched.findings | std::mem::take(&mut self.problems_changed);
        let step = Step {
            old: &before,
            new: world,
            changes: &changes,
        };
        findings_changed |= self.findings.refresh(&self.ruling, &touched, step);
        let (findings, probes) = (&mut self.findings, &mut self.workloads.probes);
        findings_changed |= findings.refresh_checks(probes, &self.ruling, &touched, &changes);
        if findings_changed {
            changes.diagnostics = self.put_diagnostics();
        }
        if changes.is_empty() && !told {
            return None;
        }
        if !changes.is_empty() {
            Arc::make_mut(&mut self.world).generation += 1;
        }
        Some(Published {
            world: self.world.clone(),
            changes,
        })
    }

    /// Whether the sorted list of all findings became another.
    fn put_diagnostics(&mut self) -> bool {
        let mut all: Vec<Diagnostic> = self.workloads.diagnostics().cloned().collect();
        all.extend(self.config.diagnostics().cloned());
        all.extend(self.ruling.diagnostics().cloned());
        all.extend(self.findings.all().cloned());
        all.extend(self.settings_findings.iter().cloned());
        all.extend(self.problems_by_source.values().flatten().cloned());
        all.sort();
        all.dedup();
        let changed = *self.world.diagnostics != *all;
        if changed {
            Arc::make_mut(&mut self.world).diagnostics = all.into();
        }
        changed
    }
}

fn diagnostic(problem: &Problem) -> Diagnostic {
    Diagnostic {
        code: problem.code,
        severity: match problem.refused {
            true => Severity::Error,
            false => Severity::Warning,
        },
        object: problem.object.as_ref().map(config::reference),
        field: String::new(),
        location: problem.location.as_ref().map(config::place),
        why: problem.why.clone(),
        effect: problem.effect.clone(),
        remedy: problem.remedy.clone(),
    }
}

/// The instance that a task id belongs to. Resident tasks of old Marathons have a counter behind
/// their id, which agents cut off like any last part; ids of no known form stand for themselves.
fn instance_id(id: &str) -> &str {
    let without_counter = || {
        let (rest, counter) = id.rsplit_once('.')?;
        counter.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
        instance_of(rest)
    };
    instance_of(id).or_else(without_counter).unwrap_or(id)
}
