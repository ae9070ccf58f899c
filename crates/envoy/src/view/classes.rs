//! Compiles for all classes of callers together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::{ChangeSet, Diagnostic, ObjectRef, Proxy, World};

use super::{Projection, View, Visibility};
use crate::compiler::{self, OfView};
use crate::{Kind, Resource};

/// Compiles for all proxies together. Has one owner; does no I/O and starts no threads.
///
/// For every proxy that joined, its sets (later ones hide what earlier ones have under the same
/// kind and name) and then its own resources (which hide both) are exactly what
/// [`compile`](crate::compile) says for the World of the latest update, as long as the caller plans
/// again those that an update [affects](Compiler::affects).
#[derive(Debug)]
pub struct Compiler {
    world: Arc<World>,
    visibility: Arc<Visibility>,
    /// Before the latest update; the same one if that changed nothing of it.
    before: Arc<Visibility>,
    classes: BTreeMap<Arc<View>, Class>,
}

/// Callers that see the same.
#[derive(Debug)]
struct Class {
    seen: Projection,
    compiler: OfView,
    /// What the latest update was, as they see it.
    changes: ChangeSet,
    users: usize,
}

/// Names one set of resources of one kind, which proxies of one class run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetKey {
    view: Arc<View>,
    set: compiler::SetKey,
}

/// How a set became different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetChange {
    pub set: SetKey,
    pub kind: Kind,
    /// What is new or has another body. Sorted by name.
    pub upserts: Vec<Resource>,
    /// The names of what is no longer there. Sorted.
    pub removals: Vec<Arc<str>>,
    /// Nobody uses the set any more, and it is no longer kept.
    pub gone: bool,
}

/// Which sets a proxy runs, and what it shares with no other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    view: Arc<View>,
    /// Later ones hide what earlier ones have under the same kind and name.
    pub sets: Vec<SetKey>,
    /// Inbound listeners and clusters, a gateway's listeners. Sorted by kind, then by name; they
    /// hide what sets have.
    pub own: Vec<Resource>,
    /// What was left out of its own part. See [`Compiler::diagnostics`] for the whole.
    pub diagnostics: Vec<Diagnostic>,
}

// === impl Compiler ===

impl Compiler {
    /// For an empty World.
    pub fn new() -> Compiler {
        let (world, visibility) = (Arc::default(), Arc::<Visibility>::default());
        let everyone = Class::new(&world, &View::default(), &visibility);
        Compiler {
            world,
            before: visibility.clone(),
            visibility,
            classes: BTreeMap::from([(Arc::default(), everyone)]),
        }
    }

    /// Brings every set that is in use up to a World. `changes` must hold all in which it differs
    /// from the World of the update before; it may hold more. Told is what became different.
    pub fn update(&mut self, world: &Arc<World>, changes: &ChangeSet) -> Vec<SetChange> {
        self.before = self.visibility.clone();
        if Visibility::concerns(changes) {
            let mut next = Visibility::clone(&self.before);
            next.advance(&self.world, world, changes);
            if next != *self.before {
                self.visibility = Arc::new(next);
            }
        }
        self.world = world.clone();
        let mut told = Vec::new();
        for (view, class) in &mut self.classes {
            class.changes = class.seen.advance(world, &self.visibility, changes);
            let news = class.compiler.update(&class.seen.world, &class.changes);
            told.extend(news.into_iter().map(|change| of(view, change)));
        }
        told
    }

    /// A proxy connects, or must be planned again. Sets that were not in use before are compiled
    /// and told in full. To plan again, join first and then leave with the plan before, so that
    /// sets in both stay in use.
    pub fn join(&mut self, proxy: &Proxy) -> (Plan, Vec<SetChange>) {
        let view = Arc::new(self.visibility.view(proxy));
        let (world, visibility) = (&self.world, &self.visibility);
        let class = self.classes.entry(view.clone());
        let class = class.or_insert_with_key(|view| Class::new(world, view, visibility));
        class.users += 1;
        let (plan, told) = class.compiler.join(proxy);
        let sets = plan.sets.into_iter().map(|set| key(&view, set));
        let plan = Plan {
            sets: sets.collect(),
            own: plan.own,
            diagnostics: plan.diagnostics,
            view: view.clone(),
        };
        (
            plan,
            told.into_iter().map(|change| of(&view, change)).collect(),
        )
    }

    /// A proxy disconnects, or was planned again. Sets that nobody uses any more are dropped and
    /// told as gone, at once.
    pub fn leave(&mut self, plan: &Plan) -> Vec<SetChange> {
        let Some(class) = self.classes.get_mut(&plan.view) else {
            return Vec::new();
        };
        class.users = class.users.saturating_sub(1);
        let told = class.compiler.leave(&plan.inner());
        let told = told
            .into_iter()
            .map(|change| of(&plan.view, change))
            .collect();
        if class.users == 0 && *plan.view != View::default() {
            self.classes.remove(&plan.view);
        }
        told
    }

    /// Whether the latest update, which was with these changes, may have made the plan of a proxy
    /// another; if not, it stays valid. The proxy is as it is now: that a change of instances made
    /// it belong to another is for the caller to find out.
    pub fn affects(&self, changes: &ChangeSet, proxy: &Proxy) -> bool {
        if changes.mesh {
            return true;
        }
        let view = self.visibility.view(proxy);
        let is_other = || view != self.before.view(proxy);
        !Arc::ptr_eq(&self.visibility, &self.before) && is_other()
            || self
                .classes
                .get(&view)
                .is_none_or(|class| class.compiler.affects(&class.changes, proxy))
    }

    /// What was left out for a proxy, and why: of its own part and of the sets that it runs.
    /// Sorted, each once.
    pub fn diagnostics(&self, plan: &Plan) -> Vec<Diagnostic> {
        let class = self.classes.get(&plan.view);
        class.map_or_else(Vec::new, |class| class.compiler.diagnostics(&plan.inner()))
    }

    /// The Istio objects that a resource came from, as far as its name tells: the destination rule
    /// of a cluster and of its endpoints, the virtual services of routes, the gateways of a
    /// listener. Looked up in the World of the latest update, as each class sees it.
    pub fn origins(&self, kind: Kind, name: &str) -> Vec<ObjectRef> {
        let classes = self.classes.values();
        let mut all: Vec<_> = classes
            .flat_map(|c| c.compiler.origins(kind, name))
            .collect();
        all.sort();
        all.dedup();
        all
    }
}

impl Default for Compiler {
    fn default() -> Compiler {
        Compiler::new()
    }
}

// === impl Class ===

impl Class {
    fn new(world: &Arc<World>, view: &View, visibility: &Visibility) -> Class {
        let seen = Projection::new(world, view, visibility);
        let mut compiler = OfView::new();
        let changes = ChangeSet {
            mesh: true,
            ..ChangeSet::default()
        };
        compiler.update(&seen.world, &changes);
        Class {
            seen,
            compiler,
            changes: ChangeSet::default(),
            users: 0,
        }
    }
}

// === impl Plan ===

impl Plan {
    fn inner(&self) -> compiler::Plan {
        compiler::Plan {
            sets: self.sets.iter().map(|key| key.set.clone()).collect(),
            own: Vec::new(),
            diagnostics: self.diagnostics.clone(),
        }
    }
}

// === impl SetKey ===

impl SetKey {
    /// Of all resources in the set.
    pub fn kind(&self) -> Kind {
        self.set.kind()
    }
}

impl fmt::Display for SetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.set, self.view)
    }
}

fn key(view: &Arc<View>, set: compiler::SetKey) -> SetKey {
    SetKey {
        view: view.clone(),
        set,
    }
}

fn of(view: &Arc<View>, change: compiler::SetChange) -> SetChange {
    SetChange {
        set: key(view, change.set),
        kind: change.kind,
        upserts: change.upserts,
        removals: change.removals,
        gone: change.gone,
    }
}
