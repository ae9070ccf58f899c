//! Policies of authentication that hide one another, or aim at nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::authentication::{Family, PortSelector, Scope, Target};
use model::{Authentication, Diagnostic, Hostname, Labels, ObjectRef, World};

use crate::codes;
use crate::report::Report;
use crate::ruling::Ordered;

/// What is to be said of policies, which stand in order of precedence.
pub(super) fn of_policies(policies: &Ordered<Authentication>, world: &World) -> Vec<Diagnostic> {
    let mut claims = Claims::default();
    let mut all = Vec::new();
    for placed in policies.iter() {
        let policy = &placed.value;
        let mut report = Report::new(policy.object.clone(), placed.location.clone(), "");
        claims.claim(policy, &mut report);
        idle(policy, world, &mut report);
        all.extend(report.into_diagnostics());
    }
    all
}

/// A whole scope, of which one policy can hold.
type Whole = (Family, Arc<str>, Option<Labels>);

/// Who holds where.
#[derive(Default)]
struct Claims<'a> {
    wholes: BTreeMap<Whole, &'a ObjectRef>,
    services: BTreeMap<(&'a str, &'a Hostname), Vec<(&'a Target, &'a ObjectRef)>>,
}

// === impl Claims ===

impl<'a> Claims<'a> {
    fn claim(&mut self, policy: &'a Authentication, report: &mut Report) {
        let namespace = &policy.object.namespace;
        let (labels, field) = match &policy.scope {
            Scope::Services(targets) => return self.claim_services(targets, policy, report),
            Scope::Workloads { labels, .. } => (Some(labels.clone()), "spec.selector"),
            Scope::Mesh | Scope::Namespace => (None, ""),
        };
        // A mesh policy has no namespace, and the root namespace stands for the mesh.
        let whole = (policy.family, namespace.clone(), labels);
        match self.wholes.get(&whole) {
            Some(owner) => twice(owner, field.to_owned(), report),
            None => {
                self.wholes.insert(whole, &policy.object);
            }
        }
    }

    fn claim_services(
        &mut self,
        targets: &'a [Target],
        policy: &'a Authentication,
        report: &mut Report,
    ) {
        for (i, target) in targets.iter().enumerate() {
            let key = (&*policy.object.namespace, &target.host);
            let owners = self.services.entry(key).or_default();
            let hiding = owners
                .iter()
                .find(|(earlier, owner)| **owner != policy.object && hides(earlier, target));
            if let Some((_, owner)) = hiding {
                twice(owner, format!("spec.targets[{i}]"), report);
            }
            owners.push((target, &policy.object));
        }
    }
}

/// Whether a port of the later target has the earlier policy.
fn hides(earlier: &Target, later: &Target) -> bool {
    earlier.ports.is_empty() || later.ports.iter().any(|port| earlier.ports.contains(port))
}

fn twice(owner: &ObjectRef, field: String, report: &mut Report) {
    report.warn(
        codes::AUTHENTICATION_TWICE,
        field,
        format!("{owner} already holds for the same"),
        "the older policy holds there",
        "remove one of the two, or let them name different ports",
    );
}

fn idle(policy: &Authentication, world: &World, report: &mut Report) {
    let mut warn = |field: String, why: String| {
        let remedy = "correct the name, or deploy the workload that is meant";
        let effect = "the policy has no effect there until it exists";
        report.warn(codes::IDLE_POLICY, field, why, effect, remedy);
    };
    match &policy.scope {
        Scope::Mesh | Scope::Namespace => {}
        Scope::Workloads { labels, .. } => {
            if !world.instances.values().any(|i| policy.may_concern(i)) {
                let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let why = format!("no instance has the labels {}", pairs.join(", "));
                warn("spec.selector".to_owned(), why);
            }
        }
        Scope::Services(targets) => {
            for (i, target) in targets.iter().enumerate() {
                if let Some((field, why)) = aimless(target, &policy.object.namespace, world) {
                    warn(format!("spec.targets[{i}].{field}"), why);
                }
            }
        }
    }
}

/// Why a target is none, and which part of it.
fn aimless(target: &Target, namespace: &str, world: &World) -> Option<(String, String)> {
    let host = &target.host;
    let Some(service) = world.services.get(host) else {
        return Some(("name".to_owned(), format!("no workload provides {host}")));
    };
    if *service.namespace != *namespace {
        let why = format!(
            "{host} belongs to the namespace {}, and a policy holds in its own",
            service.namespace
        );
        return Some(("name".to_owned(), why));
    }
    let unknown = target.ports.iter().position(|port| {
        !service.ports.iter().any(|declared| match port {
            PortSelector::Number(number) => declared.number == *number,
            PortSelector::Name(name) => declared.name == *name,
        })
    })?;
    let why = format!("{host} has no such port");
    Some((format!("ports[{unknown}]"), why))
}
