//! Groups that became the same namespace: `/a-b` and `/a/b` are both `a-b`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Diagnostic;

use super::facts::Who;
use crate::codes;
use crate::report::Report;

/// A namespace and the group that it follows from.
type Derived = (Arc<str>, Arc<str>);

/// The workloads of each group, by namespace.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_namespace: BTreeMap<Arc<str>, BTreeMap<Arc<str>, BTreeSet<Who>>>,
    diagnostics: BTreeMap<Arc<str>, Vec<Diagnostic>>,
}

// === impl Groups ===

impl Groups {
    /// Notes that a workload's namespace follows from another group; tells whether findings changed.
    pub(super) fn replace(
        &mut self,
        who: &Who,
        old: &Option<Derived>,
        new: &Option<Derived>,
    ) -> bool {
        if old == new {
            return false;
        }
        if let Some((namespace, group)) = old {
            self.remove(who, namespace, group);
        }
        if let Some((namespace, group)) = new {
            let groups = self.by_namespace.entry(namespace.clone()).or_default();
            groups.entry(group.clone()).or_default().insert(who.clone());
        }
        let namespaces = old.iter().chain(new).map(|(namespace, _)| namespace);
        namespaces.fold(false, |changed, namespace| self.check(namespace) | changed)
    }

    pub(super) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.values().flatten()
    }

    fn remove(&mut self, who: &Who, namespace: &Arc<str>, group: &Arc<str>) {
        let Some(groups) = self.by_namespace.get_mut(namespace) else {
            return;
        };
        if let Some(workloads) = groups.get_mut(group) {
            workloads.remove(who);
            if workloads.is_empty() {
                groups.remove(group);
            }
        }
        if groups.is_empty() {
            self.by_namespace.remove(namespace);
        }
    }

    /// All groups but the first are told, each at its first workload.
    fn check(&mut self, namespace: &Arc<str>) -> bool {
        let groups = self.by_namespace.get(namespace);
        let mut groups = groups.into_iter().flatten();
        let first = groups.next().map(|(group, _)| group);
        let found: Vec<Diagnostic> = groups
            .filter_map(|(group, workloads)| Some((first?, group, workloads.first()?)))
            .flat_map(|(first, group, who)| collision(namespace, first, group, who))
            .collect();
        let old = match found.is_empty() {
            true => self.diagnostics.remove(namespace),
            false => self.diagnostics.insert(namespace.clone(), found),
        };
        old.as_ref() != self.diagnostics.get(namespace)
    }
}

fn collision(namespace: &Arc<str>, first: &str, group: &str, who: &Who) -> Vec<Diagnostic> {
    let mut report = Report::new(who.object(namespace), None, "");
    report.warn(
        codes::NAMESPACE_SHARED,
        "id",
        format!("the groups {first} and {group} both become the namespace {namespace}"),
        "their workloads share one namespace, and services of one name",
        "give one of the groups another namespace by --namespaceMapping, or rename it",
    );
    report.into_diagnostics()
}
