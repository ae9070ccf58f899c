//! Destination rules for one host become one, as in Istio: the oldest gives the name, subsets are
//! united. Those of different namespaces or for different callers stay apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{DestinationRule, Diagnostic, ExportTo, Hostname, Labels, ObjectRef};

use super::ordered::{Ordered, Place, Placed, Standing};
use crate::codes;
use crate::report::Report;

/// What rules that become one have in common.
type Scope = (Hostname, Arc<str>, ExportTo, Option<Labels>);

/// All rules as they were written, by what they become.
#[derive(Debug, Default)]
pub(super) struct Merging {
    groups: BTreeMap<Scope, BTreeMap<Place, Placed<DestinationRule>>>,
    standing: BTreeMap<ObjectRef, (Scope, Place)>,
    /// The oldest of every group, whose name the whole has.
    heads: BTreeMap<Scope, ObjectRef>,
    findings: BTreeMap<Scope, Vec<Diagnostic>>,
    dirty: BTreeSet<Scope>,
}

// === impl Merging ===

impl Merging {
    /// Says what a rule is now; `None` if it is in force no more.
    pub(super) fn set(&mut self, object: &ObjectRef, now: Option<Standing<DestinationRule>>) {
        if let Some((scope, place)) = self.standing.remove(object) {
            if let Some(group) = self.groups.get_mut(&scope) {
                group.remove(&place);
            }
            self.dirty.insert(scope);
        }
        if let Some((place, rule)) = now {
            let scope = scope(&rule.value);
            let group = self.groups.entry(scope.clone()).or_default();
            group.insert(place.clone(), rule);
            self.standing.insert(object.clone(), (scope.clone(), place));
            self.dirty.insert(scope);
        }
    }

    /// Merges again what was touched; tells whether findings became others.
    pub(super) fn settle(&mut self, rules: &mut Ordered<DestinationRule>) -> bool {
        let dirty = std::mem::take(&mut self.dirty);
        // A rule can be the oldest of another group now: all names are free before any is given.
        for scope in &dirty {
            if let Some(head) = self.heads.remove(scope) {
                rules.set(&head, None);
            }
        }
        let mut changed = false;
        for scope in dirty {
            let group = self.groups.get(&scope);
            let found = match group.and_then(merged) {
                Some((place, rule, found)) => {
                    let head = rule.value.object.clone();
                    rules.set(&head, Some((place, rule)));
                    self.heads.insert(scope.clone(), head);
                    found
                }
                None => {
                    self.groups.remove(&scope);
                    Vec::new()
                }
            };
            changed |= crate::findings::keep(&mut self.findings, scope, found);
        }
        changed
    }

    pub(super) fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.values().flatten()
    }
}

fn scope(rule: &DestinationRule) -> Scope {
    (
        rule.host.clone(),
        rule.object.namespace.clone(),
        rule.export_to.clone(),
        rule.workload_selector.clone(),
    )
}

type Whole = (Place, Placed<DestinationRule>, Vec<Diagnostic>);

/// `None` of nothing.
fn merged(group: &BTreeMap<Place, Placed<DestinationRule>>) -> Option<Whole> {
    let mut rules = group.iter();
    let (place, oldest) = rules.next()?;
    let mut whole = oldest.clone();
    let later = rules.flat_map(|(_, rule)| merge(&mut whole.value, rule));
    let found = later.collect();
    Some((place.clone(), whole, found))
}

fn merge(oldest: &mut Arc<DestinationRule>, rule: &Placed<DestinationRule>) -> Vec<Diagnostic> {
    let later = &rule.value;
    let mut report = Report::new(later.object.clone(), rule.location.clone(), "");
    for (i, subset) in later.subsets.iter().enumerate() {
        if oldest.subsets.iter().any(|s| s.name == subset.name) {
            report.warn(
                codes::SUBSET_TWICE,
                format!("spec.subsets[{i}].name"),
                format!(
                    "{} already defines the subset {:?} of {}",
                    oldest.object, subset.name, later.host
                ),
                "the older definition holds",
                "give the subset another name, or remove one of the two definitions",
            );
        } else {
            Arc::make_mut(oldest).subsets.push(subset.clone());
        }
    }
    merge_policies(oldest, later, &mut report);
    report.into_diagnostics()
}

/// The first policy that says something holds as a whole, as in Istio.
fn merge_policies(oldest: &mut Arc<DestinationRule>, later: &DestinationRule, report: &mut Report) {
    if later.policies.is_empty() {
        return;
    }
    if oldest.policies.is_empty() {
        Arc::make_mut(oldest).policies = later.policies.clone();
    } else {
        report.warn(
            codes::POLICY_TWICE,
            "spec.trafficPolicy",
            format!(
                "{} already has a traffic policy for {}",
                oldest.object, later.host
            ),
            "the older policy holds; subsets of this rule are in force",
            "put the policies of a host into one rule",
        );
    }
}
