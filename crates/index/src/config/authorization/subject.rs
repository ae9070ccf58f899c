//! `ServiceRoleBinding`: who has a role.

use api::istio::{AuthorizationCondition, RoleSubject, ServiceRoleBinding};
use model::authorization::Clause;

use super::condition;
use super::enabling::permissive;
use super::lists::{Lists, Reader, principal};
use super::role::known;
use crate::codes;
use crate::config::object::Context;
use crate::config::reference;
use crate::report::Report;
use crate::roles::{Binding, Subject};

const FIELDS: [&str; 3] = ["user", "group", "properties"];
/// What is asked of callers; properties ask for nothing of the workload.
const KEYS: [&str; 4] = ["source.", "request.", "connection.sni", "experimental."];

pub(in crate::config) fn convert(
    spec: &ServiceRoleBinding,
    context: &Context<'_>,
    report: &mut Report,
) -> Binding {
    let whole = Reader {
        field: "spec".to_owned(),
        context,
    };
    let role = spec.role_ref.clone().unwrap_or_default();
    if role.kind != "ServiceRole" || role.name.is_empty() {
        let why = "this names no role";
        let remedy = "write kind ServiceRole and the name of the role";
        whole.refuse("roleRef", why, remedy, report);
    }
    if spec.subjects.is_empty() {
        let remedy = "name who has the role; user \"*\" is anyone";
        whole.refuse("subjects", "there are no subjects", remedy, report);
    }
    let mut subjects = Vec::new();
    for (at, subject) in spec.subjects.iter().enumerate() {
        let reader = whole.below(&format!("subjects[{at}]"));
        let value = &context.object.spec["subjects"][at];
        known(value, &FIELDS, &reader, report);
        subjects.extend(self::subject(subject, &reader, report));
    }
    Binding {
        object: reference(&context.object.key),
        role: role.name.as_str().into(),
        subjects,
        permissive: permissive(spec.enforcement_mode.as_ref(), report),
    }
}

/// `None` for one that cannot be told from others.
fn subject(subject: &RoleSubject, reader: &Reader<'_, '_>, report: &mut Report) -> Option<Subject> {
    let properties = subject.properties.clone().unwrap_or_default();
    let user = subject.user.as_deref().filter(|user| !user.is_empty());
    if subject
        .group
        .as_deref()
        .is_some_and(|group| !group.is_empty())
    {
        report.warn(
            codes::IDLE_ROLE,
            format!("{}.group", reader.field),
            "groups were never looked at in Istio's first authorization",
            "the subject gets nothing",
            "write the property request.auth.claims[groups] with the name of the group",
        );
        return None;
    }
    if user.is_none() && properties.is_empty() {
        let remedy = "write a user or properties; user \"*\" is anyone";
        reader.refuse("", "the subject is nobody", remedy, report);
    }
    let mut read = Subject::default();
    // Anyone, with a certificate or without.
    if let Some(user) = user.filter(|user| *user != "*") {
        let users = [user.to_owned()];
        let lists = Lists {
            names: ["user", ""],
            values: [&users, &[]],
        };
        let clause = reader.clause(&lists, principal(reader.context), report);
        read.of_callers.extend(clause);
    }
    for (key, value) in &properties {
        let reader = reader.below(&format!("properties[{key:?}]"));
        if !KEYS.iter().any(|known| key.starts_with(known)) {
            let why = format!("{key:?} is nothing that callers have");
            reader.refuse("", why, "use one of the properties of Istio", report);
            continue;
        }
        let condition = AuthorizationCondition {
            key: key.clone(),
            values: vec![value.clone()],
            ..AuthorizationCondition::default()
        };
        let clause = condition::clause(&condition, &reader, report);
        match clause.as_ref().is_some_and(Clause::is_of_callers) {
            true => read.of_callers.extend(clause),
            false => read.of_wants.extend(clause),
        }
    }
    Some(read)
}
