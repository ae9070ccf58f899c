//! Istio's first authorization, as objects of the one that came after it.
//!
//! ```text
//! ClusterRbacConfig or RbacConfig ─► for which services: an object that lets no one in
//! ServiceRoleBinding ─► ServiceRole ─► for the same services: an object that lets its subjects in
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use api::istio::Kind;
use model::authorization::services::Reach;
use model::authorization::{Action, Clause, Rule};
use model::{Authorization, Diagnostic, Labels, ObjectRef};

use crate::codes;
use crate::report::Report;
use crate::ruling::{Ordered, Placed};

/// What `RbacConfig` and `ClusterRbacConfig` say.
#[derive(Debug, PartialEq)]
pub(crate) struct Enabling {
    pub(crate) object: ObjectRef,
    /// `None`: no service is guarded.
    pub(crate) reach: Option<Reach>,
    pub(crate) permissive: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Role {
    pub(crate) object: ObjectRef,
    /// What may be done, by whomever.
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Binding {
    pub(crate) object: ObjectRef,
    /// In its own namespace.
    pub(crate) role: Arc<str>,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) permissive: bool,
}

/// Who a role is for: all of it must be so.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Subject {
    pub(crate) of_callers: Vec<Clause>,
    pub(crate) of_wants: Vec<Clause>,
}

/// All objects of these kinds, and what they came to.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    pub(crate) configs: Ordered<Enabling>,
    pub(crate) roles: Ordered<Role>,
    pub(crate) bindings: Ordered<Binding>,
    /// In order of precedence.
    pub(crate) authorizations: Vec<Arc<Authorization>>,
    found: Vec<Diagnostic>,
}

/// What settling changed.
pub(crate) struct Settled {
    pub(crate) authorizations: bool,
    pub(crate) findings: bool,
    /// Whether a config was touched.
    pub(crate) configs: bool,
}

// === impl Roles ===

impl Roles {
    pub(crate) fn settle(&mut self) -> Settled {
        let turned = [
            !self.configs.turned().is_empty(),
            !self.roles.turned().is_empty(),
            !self.bindings.turned().is_empty(),
        ];
        if !turned.contains(&true) {
            return Settled {
                authorizations: false,
                findings: false,
                configs: false,
            };
        }
        let mut found = Vec::new();
        let config = in_force(&self.configs, &mut found);
        let mut authorizations = Vec::new();
        if let Some((config, reach)) = config.and_then(|c| Some((c, c.reach.as_ref()?))) {
            authorizations.push(closed(config, reach));
        }
        let mut bound = BTreeSet::new();
        for placed in self.bindings.iter() {
            let granted = self.granted(placed, config, &mut found);
            if let Some((role, authorization)) = granted {
                bound.insert(role.object.clone());
                authorizations.extend(authorization.map(Arc::new));
            }
        }
        for role in self.roles.iter() {
            if !bound.contains(&role.value.object) {
                let why = "no ServiceRoleBinding of its namespace names the role";
                found.extend(idle(&role.value.object, role, "", why, BIND));
            }
        }
        let differ = authorizations != self.authorizations;
        if differ {
            self.authorizations = authorizations;
        }
        Settled {
            authorizations: differ,
            configs: turned[0],
            findings: crate::findings::replace(&mut self.found, found),
        }
    }

    pub(crate) fn findings(&self) -> &[Diagnostic] {
        &self.found
    }

    /// The role of a binding, and what it comes to where a config turns it on.
    fn granted(
        &self,
        placed: &Placed<Binding>,
        config: Option<&Enabling>,
        found: &mut Vec<Diagnostic>,
    ) -> Option<(&Role, Option<Authorization>)> {
        let binding = &placed.value;
        let mut roles = self.roles.iter().map(|role| &role.value);
        let role = roles.find(|role| {
            role.object.name == binding.role && role.object.namespace == binding.object.namespace
        });
        let Some(role) = role else {
            let why = format!("there is no ServiceRole {} in its namespace", binding.role);
            found.extend(idle(&binding.object, placed, "spec.roleRef", &why, BIND));
            return None;
        };
        let on = config.and_then(|config| Some((config, config.reach.as_ref()?)));
        let Some((config, reach)) = on else {
            let why = "no ClusterRbacConfig or RbacConfig with the name default turns roles on";
            found.extend(idle(&binding.object, placed, "", why, TURN_ON));
            return Some((role, None));
        };
        let rules = role.rules.iter().flat_map(|rule| {
            let each = binding.subjects.iter();
            each.map(|subject| allowed(rule, subject))
        });
        let authorization = Authorization {
            object: binding.object.clone(),
            selector: Labels::default(),
            action: Action::Allow,
            dry_run: config.permissive || binding.permissive,
            rules: rules.collect(),
            reach: Some(reach.clone()),
        };
        Some((role, Some(authorization)))
    }
}

const BIND: &str = "write both in one namespace, and name the role in roleRef of the binding";
const TURN_ON: &str = "write a ClusterRbacConfig with the name default and a mode that is on";

/// Of those for the cluster the first, else of the others.
fn in_force<'a>(
    configs: &'a Ordered<Enabling>,
    found: &mut Vec<Diagnostic>,
) -> Option<&'a Enabling> {
    let of_cluster =
        |placed: &&Placed<Enabling>| placed.value.object.kind == Kind::ClusterRbacConfig.name();
    let first = configs.iter().find(of_cluster).or(configs.iter().next())?;
    for other in configs.iter() {
        if other.value.object != first.value.object {
            let why = format!("{} decides for all services", first.value.object);
            let remedy = "remove one of the two";
            found.extend(idle(&other.value.object, other, "", &why, remedy));
        }
    }
    Some(&first.value)
}

/// Lets no one in, as long as nothing else does.
fn closed(config: &Enabling, reach: &Reach) -> Arc<Authorization> {
    Arc::new(Authorization {
        object: config.object.clone(),
        selector: Labels::default(),
        action: Action::Allow,
        dry_run: config.permissive,
        rules: Vec::new(),
        reach: Some(reach.clone()),
    })
}

fn allowed(rule: &Rule, subject: &Subject) -> Rule {
    let when = rule.when.iter().chain(&subject.of_wants);
    Rule {
        from: vec![subject.of_callers.clone()],
        when: when.cloned().collect(),
        ..rule.clone()
    }
}

fn idle<T>(
    object: &ObjectRef,
    placed: &Placed<T>,
    field: &str,
    why: &str,
    remedy: &str,
) -> Vec<Diagnostic> {
    let mut report = Report::new(object.clone(), placed.location.clone(), "");
    report.warn(
        codes::IDLE_ROLE,
        field,
        why,
        "the object has no effect",
        remedy,
    );
    report.into_diagnostics()
}
