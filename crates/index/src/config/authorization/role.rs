//! `ServiceRole`: what may be done, with which services.

use std::sync::Arc;

use api::istio::{AccessConstraint, AccessRule, AuthorizationCondition, ServiceRole};
use model::authorization::services::{OfWorkload, Part};
use model::authorization::{Clause, PathTest, Rule, Test, Wildcard};
use serde_json::Value;

use super::condition;
use super::lists::Reader;
use crate::config::object::Context;
use crate::config::{names, reference};
use crate::report::Report;
use crate::roles::Role;

pub(super) const SERVICE: &str = "write it like reviews.marathon.slave.mesos, or * for all";
const FIELDS: [&str; 4] = ["services", "paths", "methods", "constraints"];

pub(in crate::config) fn convert(
    spec: &ServiceRole,
    context: &Context<'_>,
    report: &mut Report,
) -> Role {
    let object = reference(&context.object.key);
    let whole = Reader {
        field: "spec".to_owned(),
        context,
    };
    if spec.rules.is_empty() {
        let remedy = "write what may be done, with which services";
        whole.refuse("rules", "there are no rules", remedy, report);
    }
    let mut rules = Vec::new();
    for (at, rule) in spec.rules.iter().enumerate() {
        let reader = whole.below(&format!("rules[{at}]"));
        known(&context.object.spec["rules"][at], &FIELDS, &reader, report);
        rules.push(self::rule(rule, &object.namespace, &reader, report));
    }
    Role { object, rules }
}

/// Fields that nobody documented narrowed what is allowed: without them it would be more.
pub(super) fn known(value: &Value, fields: &[&str], reader: &Reader<'_, '_>, report: &mut Report) {
    let read = value.as_object().into_iter().flatten();
    for (name, _) in read.filter(|(name, _)| !fields.contains(&name.as_str())) {
        let why = "this is not read, and without it more would be allowed";
        let remedy = "write an AuthorizationPolicy, which can say it";
        reader.refuse(name, why, remedy, report);
    }
}

fn rule(
    rule: &AccessRule,
    namespace: &Arc<str>,
    reader: &Reader<'_, '_>,
    report: &mut Report,
) -> Rule {
    for (name, list) in [("services", &rule.services), ("methods", &rule.methods)] {
        if list.is_empty() {
            let remedy = "name them, or write \"*\" for all";
            reader.refuse(name, format!("there are no {name}"), remedy, report);
        }
    }
    let mut read = Rule {
        workload: vec![
            OfWorkload {
                part: Part::Namespace,
                values: vec![Wildcard::Exact(namespace.clone())],
            },
            OfWorkload {
                part: Part::Service,
                values: services(&rule.services, reader, report),
            },
        ],
        ..Rule::default()
    };
    let path = |value| Test::Path(PathTest::Text(value));
    let methods = texts(&rule.methods, "methods", Test::Method, reader, report);
    let paths = texts(&rule.paths, "paths", path, reader, report);
    let to: Vec<Clause> = methods.into_iter().chain(paths).collect();
    if !to.is_empty() {
        read.to.push(to);
    }
    for (at, constraint) in rule.constraints.iter().enumerate() {
        let reader = reader.below(&format!("constraints[{at}]"));
        self::constraint(constraint, &mut read, &reader, report);
    }
    read
}

fn services(listed: &[String], reader: &Reader<'_, '_>, report: &mut Report) -> Vec<Wildcard> {
    let mut read = Vec::new();
    for (at, text) in listed.iter().enumerate() {
        match service(text, reader.context) {
            Ok(service) => read.push(service),
            Err(why) => reader.refuse(&format!("services[{at}]"), why, SERVICE, report),
        }
    }
    read
}

/// A service in full, or the beginning or the end of its name. As Kubernetes has it, it is
/// `name.namespace.svc.domain`, and is compared so.
pub(super) fn service(text: &str, context: &Context<'_>) -> Result<Wildcard, String> {
    if text.contains('*') || text.contains(".svc.") {
        return Ok(Wildcard::parse(&text.to_ascii_lowercase()));
    }
    let host = names::parse_host(text, context)?;
    Ok(Wildcard::Exact(host.as_str().into()))
}

/// `None` if anything will do.
fn texts(
    values: &[String],
    name: &str,
    test: impl Fn(Wildcard) -> Test,
    reader: &Reader<'_, '_>,
    report: &mut Report,
) -> Option<Clause> {
    if let Some(at) = values.iter().position(String::is_empty) {
        let remedy = "correct the value, or remove it";
        reader.refuse(
            &format!("{name}[{at}]"),
            "the value is empty",
            remedy,
            report,
        );
    }
    let all = values.is_empty() || values.iter().any(|value| value == "*");
    (!all).then(|| Clause {
        any: values
            .iter()
            .map(|text| test(Wildcard::parse(text)))
            .collect(),
        none: Vec::new(),
    })
}

/// What is known of the workload is asked now, the rest of requests.
fn constraint(
    constraint: &AccessConstraint,
    rule: &mut Rule,
    reader: &Reader<'_, '_>,
    report: &mut Report,
) {
    let key = constraint.key.as_str();
    if constraint.values.is_empty() {
        let remedy = "name values, or remove the constraint";
        reader.refuse("values", "there are no values", remedy, report);
    }
    let part = match key {
        "destination.name" => Some(Part::Name),
        "destination.namespace" => Some(Part::Namespace),
        "destination.user" => Some(Part::Account),
        _ => {
            let label = key.strip_prefix("destination.labels[");
            let label = label.and_then(|rest| rest.strip_suffix(']'));
            label.map(|label| Part::Label(label.into()))
        }
    };
    if let Some(part) = part {
        let values = constraint.values.iter();
        let values = values.map(|value| Wildcard::parse(value)).collect();
        rule.workload.push(OfWorkload { part, values });
        return;
    }
    let of_callers = key.starts_with("source.") || key.starts_with("request.auth.");
    if of_callers || key == "remote.ip" {
        let why = format!("{key:?} is asked of callers, and a role is not");
        reader.refuse(
            "key",
            why,
            "write it into the subjects of a binding",
            report,
        );
        return;
    }
    let condition = AuthorizationCondition {
        key: constraint.key.clone(),
        values: constraint.values.clone(),
        ..AuthorizationCondition::default()
    };
    rule.when
        .extend(condition::clause(&condition, reader, report));
}
