//! What destination rules refer to: hosts that nobody provides, subsets that select nobody.
//!
//! Endpoints change far more often than rules. Each rule has its findings for itself, and a change
//! of endpoints looks only at the rules of their hosts.

use std::collections::BTreeSet;

use model::tls::{ClientTls, VerifyServer};
use model::{ChangeSet, DestinationRule, Diagnostic, Hostname, Labels, ObjectRef, World};

use super::names::{RulesByHost, objects};
use super::single::{Look, Single};
use super::{Known, nearest, policies};
use crate::codes;
use crate::report::Report;
use crate::ruling::{Placed, Touched, Turned};

/// The findings of every rule.
#[derive(Debug, Default)]
pub(super) struct RuleFindings {
    by_rule: Single,
}

// === impl RuleFindings ===

impl RuleFindings {
    /// Looks again at what a change concerns; `true` if any finding became another.
    pub(super) fn refresh(
        &mut self,
        known: &Known<'_>,
        touched: &Touched,
        changes: &ChangeSet,
    ) -> bool {
        let mut again: BTreeSet<ObjectRef> = objects(&touched.destination_rules).cloned().collect();
        let mut add = |host: &Hostname| {
            let rules = known.rules.of(host);
            again.extend(rules.map(|rule| rule.object.clone()));
        };
        for key in &changes.endpoints {
            add(&key.host);
        }
        for name in &known.renamed.names {
            known.rules.covering(name).for_each(&mut add);
        }
        // What a wide rule says of TLS is hidden by narrower ones.
        let rules = touched.destination_rules.iter().flat_map(Turned::values);
        let wide = rules
            .map(|rule| &rule.host)
            .filter(|host| host.is_wildcard());
        for host in wide {
            known.rules.covered(host).for_each(&mut add);
        }
        let looked = self.by_rule.look(again, &known.renamed, |o| look(o, known));
        self.by_rule.keep(looked)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.by_rule.all()
    }
}

fn look(object: &ObjectRef, known: &Known<'_>) -> Look {
    let Some((_, placed)) = known.ruling.destination_rules.get(object) else {
        return Look::default();
    };
    let lost = !known.aliases.knows(&placed.value.host, known.world);
    Look {
        lost,
        found: of_rule(placed, lost, known),
    }
}

fn of_rule(placed: &Placed<DestinationRule>, lost: bool, known: &Known<'_>) -> Vec<Diagnostic> {
    let rule = &placed.value;
    let mut report = Report::new(rule.object.clone(), placed.location.clone(), "");
    match lost {
        false => {
            check_subsets(rule, known.world, &mut report);
            policies::check(rule, known.world, &mut report);
            check_hidden_tls(rule, known.rules, &mut report);
        }
        true => tell_unknown(&rule.host, known.world, &mut report),
    }
    check_verification(rule, &mut report);
    report.into_diagnostics()
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
fn check_hidden_tls(rule: &DestinationRule, rules: &RulesByHost, report: &mut Report) {
    let says_tls = |rule: &DestinationRule| rule.policies.each().any(|level| level.tls.is_some());
    if says_tls(rule) {
        return;
    }
    let hosts = rules
        .covering(&rule.host)
        .filter(|host| **host != rule.host);
    let wider = hosts.max_by_key(|host| host.specificity());
    let Some(wider) = wider.and_then(|host| rules.of(host).next_back()) else {
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
