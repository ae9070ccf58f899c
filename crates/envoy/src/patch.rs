//! Patches: what objects of kind `EnvoyFilter` make of generated resources.
//!
//! A patch is read by the descriptors of Envoy's messages, and changes one resource at a time. What
//! comes out is checked again: where Envoy would refuse it, the patch is dropped and the resource
//! stays as it was. Proxies that no object selects never come here.

mod check;
mod cluster;
mod list;
mod listener;
mod merge;
mod route;
mod value;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use model::envoy_filter::{Context, EnvoyFilter, Operation, Patch, Target};
use model::{Diagnostic, ObjectRef, Proxy, Role, World};
use prost_reflect::DynamicMessage;

use crate::Kind;
use crate::built::Built;
use crate::finding::{self, Refusal, Text, code};

/// The objects of a World, read.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    in_order: Vec<Arc<Filter>>,
}

/// One object, read.
#[derive(Debug)]
struct Filter {
    source: Arc<EnvoyFilter>,
    patches: Vec<Ready>,
    /// About patches that could not be read.
    diagnostics: Vec<Diagnostic>,
}

/// A patch whose value is a message.
#[derive(Debug)]
struct Ready {
    /// In the list of the source.
    at: usize,
    /// `None` for removals.
    value: Option<DynamicMessage>,
}

/// All that applies to one proxy, in order. Compared by what the objects say.
#[derive(Debug, Clone)]
pub(crate) struct Patches {
    filters: Arc<[Arc<Filter>]>,
    role: Role,
}

/// A patch on its way through resources.
#[derive(Clone, Copy)]
struct Applied<'a> {
    patch: &'a Patch,
    value: Option<&'a DynamicMessage>,
}

/// What a patch did to a resource.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Nothing,
    Changed,
    Removed,
}

// === impl Filters ===

impl Filters {
    /// Reads objects again only where they changed.
    pub(crate) fn new(world: &World, before: Option<&Filters>) -> Filters {
        let known = |source: &Arc<EnvoyFilter>| {
            let mut known = before.into_iter().flat_map(|before| &before.in_order);
            known.find(|filter| filter.source == *source).cloned()
        };
        let read = |source: &Arc<EnvoyFilter>| {
            known(source).unwrap_or_else(|| Arc::new(Filter::new(source.clone())))
        };
        Filters {
            in_order: world.envoy_filters.iter().map(read).collect(),
        }
    }

    /// Those that select a proxy: the root namespace's first, then its own. `None` if none does.
    pub(crate) fn of(&self, root: &str, proxy: &Proxy) -> Option<Patches> {
        if self.in_order.is_empty() {
            return None;
        }
        let selects =
            |filter: &&Arc<Filter>| filter.source.selects(root, &proxy.namespace, &proxy.labels);
        let selecting = self.in_order.iter().filter(selects);
        let (wide, own): (Vec<_>, Vec<_>) =
            selecting.partition(|filter| *filter.source.object.namespace == *root);
        let filters: Arc<[Arc<Filter>]> = wide.into_iter().chain(own).cloned().collect();
        (!filters.is_empty()).then_some(Patches {
            filters,
            role: proxy.role,
        })
    }
}

// === impl Filter ===

impl Filter {
    fn new(source: Arc<EnvoyFilter>) -> Filter {
        let (mut patches, mut diagnostics) = (Vec::new(), Vec::new());
        for (at, patch) in source.patches.iter().enumerate() {
            if patch.operation == Operation::Remove {
                patches.push(Ready { at, value: None });
                continue;
            }
            match value::read(patch.target, &patch.value) {
                Ok(value) => patches.push(Ready {
                    at,
                    value: Some(value),
                }),
                Err(why) => diagnostics.push(unreadable(&source.object, patch, why)),
            }
        }
        Filter {
            source,
            patches,
            diagnostics,
        }
    }

    fn applied(&self) -> impl Iterator<Item = (&ObjectRef, Applied<'_>)> {
        self.patches.iter().map(|ready| {
            let applied = Applied {
                patch: &self.source.patches[ready.at],
                value: ready.value.as_ref(),
            };
            (&self.source.object, applied)
        })
    }
}

// === impl Patches ===

impl Patches {
    /// Whether resources of a kind can become others.
    pub(crate) fn concern(&self, kind: Kind) -> bool {
        self.all().any(|(_, applied)| concerns(applied.patch, kind))
    }

    /// Told by the name where that is enough: most patches are for few of many resources.
    fn may_change(&self, built: &Built) -> bool {
        self.all().any(|(_, applied)| {
            let patch = applied.patch;
            let named = match built.kind {
                Kind::Cluster => cluster::meant(self.role, &built.name, patch),
                Kind::Listener => route::is_inline(patch) || is(&patch.listener.name, &built.name),
                _ => is(&patch.routes.name, &built.name),
            };
            named && concerns(patch, built.kind)
        })
    }

    /// The resource as the proxy gets it.
    pub(crate) fn apply(&self, mut built: Built) -> Built {
        let Some(body) = built.body.clone().filter(|_| self.may_change(&built)) else {
            return built;
        };
        let mut message = value::decode(built.kind.message(), &body);
        let mut changed = false;
        for (object, applied) in self.all() {
            if !concerns(applied.patch, built.kind) {
                continue;
            }
            let mut next = message.clone();
            match self.change(built.kind, &mut next, applied) {
                Outcome::Nothing => continue,
                Outcome::Removed => {
                    built.body = None;
                    return built;
                }
                Outcome::Changed => {}
            }
            match check::check(built.kind, &built.name, &next) {
                Ok(()) => (message, changed) = (next, true),
                Err(refusal) => {
                    let kind = built.kind;
                    built
                        .diagnostics
                        .push(dropped(object, applied.patch, kind, refusal));
                }
            }
        }
        if changed {
            built.body = Some(Bytes::from(value::encode(&message)));
        }
        built
    }

    /// What is added as a whole, and what is wrong with the objects themselves.
    pub(crate) fn additions(&self) -> (Vec<Built>, Vec<Diagnostic>) {
        let mut built = Vec::new();
        let unread = self.filters.iter().flat_map(|filter| &filter.diagnostics);
        let mut diagnostics: Vec<Diagnostic> = unread.cloned().collect();
        for (object, applied) in self.all() {
            let (Some(kind), Some(value)) = (self.added(applied.patch), applied.value) else {
                continue;
            };
            let name = value::text(value, "name");
            match check::check(kind, &name, value) {
                Ok(()) => built.push(Built {
                    kind,
                    name: name.into(),
                    body: Some(Bytes::from(value::encode(value))),
                    diagnostics: Vec::new(),
                }),
                Err(refusal) => diagnostics.push(dropped(object, applied.patch, kind, refusal)),
            }
        }
        (built, diagnostics)
    }

    /// The kind of a whole resource that a patch adds to this proxy.
    fn added(&self, patch: &Patch) -> Option<Kind> {
        let kind = match patch.target {
            Target::Cluster => Kind::Cluster,
            Target::Listener => Kind::Listener,
            _ => return None,
        };
        let here = match self.role {
            Role::Router => patch.context.covers(Context::Gateway),
            Role::Sidecar => patch.context != Context::Gateway,
        };
        (patch.operation == Operation::Add && here).then_some(kind)
    }

    fn change(&self, kind: Kind, message: &mut DynamicMessage, applied: Applied<'_>) -> Outcome {
        match kind {
            Kind::Cluster => cluster::change(self.role, message, applied),
            Kind::Listener => listener::change(self.role, message, applied),
            Kind::Route => {
                let context = match self.role {
                    Role::Router => Context::Gateway,
                    Role::Sidecar => Context::SidecarOutbound,
                };
                match applied.patch.context.covers(context) {
                    true => route::change(message, None, applied),
                    false => Outcome::Nothing,
                }
            }
            Kind::Endpoint | Kind::Secret => Outcome::Nothing,
        }
    }

    fn all(&self) -> impl Iterator<Item = (&ObjectRef, Applied<'_>)> {
        self.filters.iter().flat_map(|filter| filter.applied())
    }

    fn sources(&self) -> impl Iterator<Item = &Arc<EnvoyFilter>> {
        self.filters.iter().map(|filter| &filter.source)
    }
}

/// Whether a condition on a name holds.
fn is(wanted: &Option<Arc<str>>, name: &str) -> bool {
    wanted.as_ref().is_none_or(|wanted| **wanted == *name)
}

fn concerns(patch: &Patch, kind: Kind) -> bool {
    match patch.target {
        Target::Cluster => kind == Kind::Cluster,
        // Inbound routes are part of their listeners.
        Target::RouteConfiguration | Target::VirtualHost | Target::HttpRoute => {
            matches!(kind, Kind::Listener | Kind::Route)
        }
        _ => kind == Kind::Listener,
    }
}

// === impl Outcome ===

impl From<bool> for Outcome {
    fn from(changed: bool) -> Outcome {
        match changed {
            true => Outcome::Changed,
            false => Outcome::Nothing,
        }
    }
}

impl PartialEq for Patches {
    fn eq(&self, other: &Patches) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Patches {}

impl PartialOrd for Patches {
    fn partial_cmp(&self, other: &Patches) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Patches {
    fn cmp(&self, other: &Patches) -> Ordering {
        let roles = self.role.cmp(&other.role);
        roles.then_with(|| self.sources().cmp(other.sources()))
    }
}

impl Hash for Patches {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.role.hash(state);
        self.sources().for_each(|source| source.hash(state));
    }
}

fn unreadable(object: &ObjectRef, patch: &Patch, why: String) -> Diagnostic {
    let text = Text {
        why: format!("the value is not the message that it must be: {why}"),
        effect: "this patch has no effect; the others of the object have".to_owned(),
        remedy: "write it as Envoy's documentation of the message has it, with \"@type\" where a \
                 configuration has a type"
            .to_owned(),
    };
    let field = format!("{}.patch.value", patch.field);
    finding::error(code::PATCH_UNREADABLE, Some(object.clone()), field, text)
}

fn dropped(object: &ObjectRef, patch: &Patch, kind: Kind, refusal: Refusal) -> Diagnostic {
    let why = match refusal.field.is_empty() {
        true => refusal.why,
        false => format!("{}: {}", refusal.field, refusal.why),
    };
    let text = Text {
        why: format!("Envoy would refuse a {kind} with this patch: {why}"),
        effect: format!("the {kind} is served without it"),
        remedy: "correct the patch".to_owned(),
    };
    let field = patch.field.to_string();
    finding::error(code::PATCH_DROPPED, Some(object.clone()), field, text)
}
