//! What destination rules refer to: hosts that nobody provides, subsets that select nobody.
//!
//! Endpoints change far more often than rules. Each rule has its findings for itself, and a change
//! of endpoints looks only at the rules of their hosts.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use model::{ChangeSet, DestinationRule, Diagnostic, Hostname, Labels, World};

use super::nearest;
use crate::codes;
use crate::report::Report;
use crate::ruling::Placed;

/// The findings of every rule, by its host; in a ruling, a host has one rule.
#[derive(Debug, Default)]
pub(crate) struct RuleFindings {
    by_host: BTreeMap<Hostname, Vec<Diagnostic>>,
}

// === impl RuleFindings ===

impl RuleFindings {
    /// Brings them up to a World; `true` if any became another.
    pub(crate) fn refresh(
        &mut self,
        rules: &[Placed<DestinationRule>],
        world: &World,
        changes: &ChangeSet,
        all: bool,
    ) -> bool {
        if !all && changes.endpoints.is_empty() {
            return false;
        }
        let aliases = Aliases::new(Box::new(|| {
            let services = world.services.values();
            services.flat_map(|service| &service.aliases).collect()
        }));
        let hosts: BTreeSet<&Hostname> = changes.endpoints.iter().map(|key| &key.host).collect();
        let mut changed = false;
        if all {
            let known: BTreeSet<&Hostname> = rules.iter().map(|rule| &rule.value.host).collect();
            let before = self.by_host.len();
            self.by_host.retain(|host, _| known.contains(host));
            changed |= self.by_host.len() != before;
        }
        for rule in rules {
            if all || hosts.contains(&rule.value.host) {
                let found = of_rule(rule, world, &aliases);
                let host = rule.value.host.clone();
                changed |= super::replace(self.by_host.entry(host).or_default(), found);
            }
        }
        changed
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.by_host.values().flatten()
    }
}

type Aliases<'a> =
    LazyCell<BTreeSet<&'a Hostname>, Box<dyn FnOnce() -> BTreeSet<&'a Hostname> + 'a>>;

fn of_rule(
    placed: &Placed<DestinationRule>,
    world: &World,
    aliases: &Aliases<'_>,
) -> Vec<Diagnostic> {
    let rule = &placed.value;
    let mut report = Report::new(rule.object.clone(), placed.location.clone(), "");
    match is_known(&rule.host, world, aliases) {
        true => check_subsets(rule, world, &mut report),
        false => tell_unknown(&rule.host, world, &mut report),
    }
    report.into_diagnostics()
}

fn is_known(host: &Hostname, world: &World, aliases: &Aliases<'_>) -> bool {
    if !host.is_wildcard() {
        return world.services.contains_key(host) || aliases.contains(host);
    }
    let mut names = world.services.keys().chain(aliases.iter().copied());
    names.any(|name| host.covers(name))
}

fn tell_unknown(host: &Hostname, world: &World, report: &mut Report) {
    let names = world.services.keys().map(Hostname::as_str);
    report.warn(
        codes::RULE_WITHOUT_HOST,
        "spec.host",
        format!("no workload of the mesh provides {host}"),
        "the rule has no effect until one does",
        match nearest(host.as_str(), names) {
            Some(near) => format!("did you mean {near}?"),
            None => "correct the host, or deploy a workload with that name".to_owned(),
        },
    );
}

/// Of a host without any endpoint nothing can be said: it may be about to start.
fn check_subsets(rule: &DestinationRule, world: &World, report: &mut Report) {
    let Some(service) = world.services.get(&rule.host) else {
        return;
    };
    let ports = service.ports.iter();
    let endpoints = ports.flat_map(|port| world.endpoints_of(&rule.host, port.number));
    let labels: Vec<&Labels> = endpoints.map(|endpoint| &endpoint.labels).collect();
    if labels.is_empty() {
        return;
    }
    for (i, subset) in rule.subsets.iter().enumerate() {
        if labels.iter().any(|labels| subset.labels.selects(labels)) {
            continue;
        }
        let wanted: Vec<String> = subset
            .labels
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        report.warn(
            codes::IDLE_SUBSET,
            format!("spec.subsets[{i}].labels"),
            format!(
                "no instance of {} has the labels {}",
                rule.host,
                wanted.join(", ")
            ),
            format!(
                "requests to the subset {:?} are answered with 503",
                subset.name
            ),
            "correct the labels, or start an instance that has them",
        );
    }
}
