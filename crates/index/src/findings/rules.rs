//! What destination rules refer to: hosts that nobody provides, subsets that select nobody.
//!
//! Endpoints change far more often than rules. Each rule has its findings for itself, and a change
//! of endpoints looks only at the rules of their hosts.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use model::tls::{ClientTls, VerifyServer};
use model::{ChangeSet, DestinationRule, Diagnostic, Hostname, Labels, ObjectRef, World};

use super::{nearest, policies};
use crate::codes;
use crate::report::Report;
use crate::ruling::Placed;

/// The findings of every rule.
#[derive(Debug, Default)]
pub(crate) struct RuleFindings {
    by_rule: BTreeMap<ObjectRef, Vec<Diagnostic>>,
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
            let known: BTreeSet<_> = rules.iter().map(|rule| &rule.value.object).collect();
            let before = self.by_rule.len();
            self.by_rule.retain(|object, _| known.contains(object));
            changed |= self.by_rule.len() != before;
        }
        for rule in rules {
            if all || hosts.contains(&rule.value.host) {
                let found = of_rule(rule, rules, world, &aliases);
                let object = rule.value.object.clone();
                changed |= super::replace(self.by_rule.entry(object).or_default(), found);
            }
        }
        changed
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.by_rule.values().flatten()
    }
}

type Aliases<'a> =
    LazyCell<BTreeSet<&'a Hostname>, Box<dyn FnOnce() -> BTreeSet<&'a Hostname> + 'a>>;

fn of_rule(
    placed: &Placed<DestinationRule>,
    rules: &[Placed<DestinationRule>],
    world: &World,
    aliases: &Aliases<'_>,
) -> Vec<Diagnostic> {
    let rule = &placed.value;
    let mut report = Report::new(rule.object.clone(), placed.location.clone(), "");
    match is_known(&rule.host, world, aliases) {
        true => {
            check_subsets(rule, world, &mut report);
            policies::check(rule, world, &mut report);
            check_hidden_tls(rule, rules, &mut report);
        }
        false => tell_unknown(&rule.host, world, &mut report),
    }
    check_verification(rule, &mut report);
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

/// Nothing is inherited: a rule without TLS means plaintext, whatever a wider one asks for.
fn check_hidden_tls(
    rule: &DestinationRule,
    rules: &[Placed<DestinationRule>],
    report: &mut Report,
) {
    let says_tls = |rule: &DestinationRule| rule.policies.each().any(|level| level.tls.is_some());
    if says_tls(rule) {
        return;
    }
    let others = rules.iter().map(|placed| &placed.value);
    let wider = others.filter(|other| other.host != rule.host && other.host.covers(&rule.host));
    let Some(wider) = wider.max_by_key(|wider| wider.host.specificity()) else {
        return;
    };
    let tls = wider.policies.all.port.tls.as_deref();
    if tls.is_none_or(|tls| *tls == ClientTls::Disable) {
        return;
    }
    report.warn(
        codes::TLS_HIDDEN,
        "spec.trafficPolicy.tls",
        format!(
            "{} asks for TLS, and this rule for {} does not",
            wider.object, rule.host
        ),
        format!(
            "connections to {} are plaintext: rules are not inherited",
            rule.host
        ),
        "repeat tls in this rule, or say mode: DISABLE",
    );
}

fn check_verification(rule: &DestinationRule, report: &mut Report) {
    let levels = rule.subsets.iter().enumerate();
    let levels = levels.map(|(i, subset)| (format!("spec.subsets[{i}]"), &subset.policies));
    for (at, policies) in std::iter::once(("spec".to_owned(), &rule.policies)).chain(levels) {
        for level in policies.each() {
            let tls = level.tls.as_deref();
            if tls.is_none_or(is_verified) {
                continue;
            }
            report.warn(
                codes::UNVERIFIED_SERVER,
                format!("{at}.trafficPolicy.tls"),
                "neither caCertificates nor subjectAltNames say who may answer",
                "the connection is encrypted, and whoever answers is believed",
                "name caCertificates, a file on the proxy's machine",
            );
        }
    }
}

fn is_verified(tls: &ClientTls) -> bool {
    let ClientTls::Origin(tls) = tls else {
        return true;
    };
    match &tls.verify {
        VerifyServer::Skip => false,
        VerifyServer::Check {
            ca,
            subject_alt_names,
            ..
        } => ca.is_some() || !subject_alt_names.is_empty(),
    }
}
