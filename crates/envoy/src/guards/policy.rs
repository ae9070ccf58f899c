//! One rule as a policy of Envoy, which asks for permissions and principals, in this order.

use model::authorization::{Action, Clause, Rule};

use super::{Guarded, permission, principal};
use crate::pb;

/// `None` for a rule that can never hold.
pub(super) fn build(rule: &Rule, action: Action, guarded: Guarded) -> Option<pb::rbac::Policy> {
    let left_out = |clause: &&Clause| guarded == Guarded::Connections && clause.is_of_requests();
    // As in Istio: what cannot be asked lets no one in, and does not keep a rule from denying.
    if action == Action::Allow && rule.clauses().any(|clause| left_out(&clause)) {
        return None;
    }
    let asked = |group: &[Clause]| -> Vec<Clause> {
        let kept = group.iter().filter(|clause| !left_out(clause));
        kept.cloned().collect()
    };
    let when = asked(&rule.when);
    let (of_callers, of_wants): (Vec<Clause>, Vec<Clause>) =
        when.into_iter().partition(Clause::is_of_callers);
    let from = groups(rule.from.iter().map(|group| asked(group)), &of_callers);
    let to = groups(rule.to.iter().map(|group| asked(group)), &of_wants);
    Some(pb::rbac::Policy {
        permissions: to.iter().map(|group| permission::all(group)).collect(),
        principals: from.iter().map(|group| principal::all(group)).collect(),
        ..Default::default()
    })
}

/// Alternatives, each with what must hold in any case. Never empty.
fn groups(alternatives: impl Iterator<Item = Vec<Clause>>, always: &[Clause]) -> Vec<Vec<Clause>> {
    let mut groups: Vec<Vec<Clause>> = alternatives.collect();
    if groups.is_empty() {
        groups.push(Vec::new());
    }
    for group in &mut groups {
        group.extend(always.iter().cloned());
    }
    groups
}
