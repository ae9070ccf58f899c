//! `AuthorizationPolicy` to who may do what.
//!
//! A policy that is wrong anywhere is refused as a whole: half of a rule would let in callers whom
//! the other half keeps out.

mod condition;
mod enabling;
mod lists;
mod operation;
mod role;
mod source;
mod subject;

use api::istio;
use model::authorization::{Action, Clause, Rule};
use model::{Authorization, Labels};

pub(super) use enabling::convert as enabling;
pub(super) use role::convert as role;
pub(super) use subject::convert as binding;

use self::lists::Reader;
use super::object::Context;
use super::{reference, selector};
use crate::codes;
use crate::report::Report;

/// Counts and logs what the policy would do, as in Istio.
const DRY_RUN: &str = "istio.io/dry-run";

pub(super) fn convert(
    spec: istio::AuthorizationPolicy,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Authorization> {
    let references = spec.target_ref.is_some() || !spec.target_refs.is_empty();
    selector::no_references(codes::BAD_AUTHORIZATION, references, report);
    let action = action(&spec, report);
    let selector: Labels = selector::labels(spec.selector, report);
    let mut rules = Vec::new();
    for (at, rule) in spec.rules.iter().enumerate() {
        let reader = Reader {
            field: format!("spec.rules[{at}]"),
            context,
        };
        rules.push(self::rule(rule, &reader, report));
    }
    if rules.is_empty() && action == Some(Action::Deny) {
        report.warn(
            codes::IDLE_AUTHORIZATION,
            "spec.rules",
            "a policy that denies by its rules has none",
            "the policy denies nothing",
            "write rules: [{}] to deny everything",
        );
    }
    let annotations = &context.object.annotations;
    Some(Authorization {
        object: reference(&context.object.key),
        selector,
        action: action?,
        dry_run: annotations
            .get(DRY_RUN)
            .is_some_and(|value| value == "true"),
        rules,
        reach: None,
    })
}

/// `None` for what has no effect, which is then said.
fn action(spec: &istio::AuthorizationPolicy, report: &mut Report) -> Option<Action> {
    let name = spec.action.as_deref().unwrap_or("ALLOW");
    if spec.provider.is_some() && !matches!(name, "CUSTOM" | "3") {
        report.refuse(
            codes::BAD_AUTHORIZATION,
            "spec.provider",
            "only the action CUSTOM asks a provider",
            "remove the provider, or set the action to CUSTOM",
        );
    }
    match name {
        "ALLOW" | "0" => Some(Action::Allow),
        "DENY" | "1" => Some(Action::Deny),
        "AUDIT" | "2" => {
            report.warn(
                codes::AUTHORIZATION_ACTION,
                "spec.action",
                "what AUDIT asks for is written by an extension that a plain Envoy has not",
                "the policy has no effect",
                "use the access log of a Telemetry object",
            );
            None
        }
        "CUSTOM" | "3" => {
            report.warn(
                codes::AUTHORIZATION_ACTION,
                "spec.action",
                "no provider that decides on requests can be asked",
                "what matches the rules is denied, as in Istio without the provider",
                "write a policy that allows or denies by itself",
            );
            Some(Action::Deny)
        }
        other => {
            report.refuse(
                codes::BAD_AUTHORIZATION,
                "spec.action",
                format!("{other} is no action"),
                "write ALLOW, DENY, AUDIT or CUSTOM",
            );
            None
        }
    }
}

fn rule(rule: &istio::AuthorizationRule, reader: &Reader<'_, '_>, report: &mut Report) -> Rule {
    let mut read = Rule::default();
    for (name, length) in [
        ("from", rule.from.as_ref().map(Vec::len)),
        ("to", rule.to.as_ref().map(Vec::len)),
    ] {
        if length == Some(0) {
            let why = "the list is empty, which could mean anyone or no one";
            reader.refuse(name, why, "fill the list, or remove it", report);
        }
    }
    for (at, from) in rule.from.iter().flatten().enumerate() {
        let reader = reader.below(&format!("from[{at}].source"));
        let clauses = from.source.as_ref();
        let clauses = clauses.map(|source| source::clauses(source, &reader, report));
        read.from.push(filled(clauses, &reader, report));
    }
    for (at, to) in rule.to.iter().flatten().enumerate() {
        let reader = reader.below(&format!("to[{at}].operation"));
        let clauses = to.operation.as_ref();
        let clauses = clauses.map(|operation| operation::clauses(operation, &reader, report));
        read.to.push(filled(clauses, &reader, report));
    }
    for (at, when) in rule.when.iter().enumerate() {
        let reader = reader.below(&format!("when[{at}]"));
        read.when.extend(condition::clause(when, &reader, report));
    }
    read
}

fn filled(
    clauses: Option<Vec<Clause>>,
    reader: &Reader<'_, '_>,
    report: &mut Report,
) -> Vec<Clause> {
    let clauses = clauses.unwrap_or_default();
    if clauses.is_empty() && !report.is_refused() {
        let why = "nothing is asked here";
        let remedy = "name at least one thing, or remove the entry";
        reader.refuse("", why, remedy, report);
    }
    clauses
}
