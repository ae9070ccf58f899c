//! Findings that concern several objects: references that lead nowhere, hosts that are taken.
//!
//! They are warnings. The objects are in force as they are: what is missing may come later, and
//! then no object needs to change for it. A change looks again at the objects that it concerns,
//! however many others there are.

mod authentication;
mod checks;
mod edge;
mod gateways;
mod keys;
mod nameless;
mod names;
mod policies;
mod references;
mod roles;
mod routes;
mod rules;
mod sidecars;
mod single;
mod transport;

use std::collections::BTreeMap;

use model::authentication::Scope;
use model::{ChangeSet, Diagnostic, Instance, Sidecar, World};

use crate::ruling::{Ruling, Touched};
use crate::workloads::Probes;

use checks::CheckFindings;
use names::{Aliases, Renamed, RulesByHost};
use routes::RouteFindings;
use rules::RuleFindings;
use sidecars::Inhabited;
use transport::TransportFindings;

/// All that was found, and what tells whom a change concerns.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    aliases: Aliases,
    rules_by_host: RulesByHost,
    inhabited: Inhabited,
    of_routes: RouteFindings,
    of_rules: RuleFindings,
    of_transport: TransportFindings,
    of_checks: CheckFindings,
    of_gateways: Vec<Diagnostic>,
    of_sidecars: Vec<Diagnostic>,
    of_unseen: Vec<Diagnostic>,
    of_policies: Vec<Diagnostic>,
    of_keys: Vec<Diagnostic>,
    of_roles: Vec<Diagnostic>,
}

/// What there is to refer to.
struct Known<'a> {
    world: &'a World,
    ruling: &'a Ruling,
    aliases: &'a Aliases,
    rules: &'a RulesByHost,
    renamed: Renamed,
}

/// A World, the one before, and how they differ.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) old: &'a World,
    pub(crate) new: &'a World,
    pub(crate) changes: &'a ChangeSet,
}

// === impl Findings ===

impl Findings {
    /// Brings them up to a World; `true` if any became another.
    pub(crate) fn refresh(&mut self, ruling: &Ruling, touched: &Touched, step: Step<'_>) -> bool {
        let renamed = self.aliases.advance(step);
        self.rules_by_host.advance(&touched.destination_rules);
        let known = Known {
            world: step.new,
            ruling,
            aliases: &self.aliases,
            rules: &self.rules_by_host,
            renamed,
        };
        let mut changed = self.of_routes.refresh(&known, touched);
        changed |= self.of_rules.refresh(&known, touched, step.changes);
        changed |= self.of_transport.refresh(&known, touched, step.changes);
        changed | self.refresh_wholes(ruling, touched, step)
    }

    /// Brings those of Marathon's own health checks up to date, after the others.
    pub(crate) fn refresh_checks(
        &mut self,
        probes: &mut Probes,
        ruling: &Ruling,
        touched: &Touched,
        changes: &ChangeSet,
    ) -> bool {
        let everywhere = changes.mesh || touched.authentication || !touched.gateways.is_empty();
        let policies = self.of_transport.policies();
        self.of_checks.refresh(probes, policies, ruling, everywhere)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        let wholes = [
            &self.of_gateways,
            &self.of_sidecars,
            &self.of_unseen,
            &self.of_policies,
            &self.of_keys,
            &self.of_roles,
        ];
        let routes = self.of_routes.all().chain(self.of_rules.all());
        let wholes = wholes.into_iter().flatten();
        let routes = routes.chain(self.of_transport.all());
        routes.chain(self.of_checks.all()).chain(wholes)
    }

    /// What there are few of is looked at as a whole, if an instance that it selects changed.
    fn refresh_wholes(&mut self, ruling: &Ruling, touched: &Touched, step: Step<'_>) -> bool {
        let mut changed = false;
        let world = step.new;
        let all = ruling.gateways.iter();
        let selected = step.instances(|i| all.clone().any(|g| g.value.selector.selects(&i.labels)));
        if !touched.gateways.is_empty() || selected {
            let found = gateways::all(&ruling.gateways, world);
            changed |= replace(&mut self.of_gateways, found);
        }
        let all = ruling.sidecars.iter();
        let selected = step.instances(|i| all.clone().any(|s| selects(&s.value, i)));
        let services = step.changes.mesh || !step.changes.services.is_empty();
        let proxied = services && all.clone().any(|s| s.value.egress_proxy.is_some());
        if touched.sidecars || selected || proxied {
            let found = sidecars::of_sidecars(&ruling.sidecars, world);
            changed |= replace(&mut self.of_sidecars, found);
        }
        let moved = self.inhabited.advance(step);
        if !touched.destination_rules.is_empty() || moved || services {
            let found = sidecars::unseen(&ruling.destination_rules, &self.inhabited, world);
            changed |= replace(&mut self.of_unseen, found);
        }
        let all = ruling.authentication.iter();
        let by_labels = |scope: &Scope| matches!(scope, Scope::Workloads { .. });
        let selected = step.instances(|i| {
            let mut all = all.clone().map(|policy| &policy.value);
            all.any(|policy| by_labels(&policy.scope) && policy.may_concern(i))
        });
        if touched.authentication || selected || !step.changes.services.is_empty() {
            let found = authentication::of_policies(&ruling.authentication, world);
            changed |= replace(&mut self.of_policies, found);
        }
        let given = touched.tokens || touched.authentication;
        if given || !step.changes.services.is_empty() {
            let found = keys::of_issuers(ruling, world);
            changed |= replace(&mut self.of_keys, found);
        }
        if touched.roles || !step.changes.services.is_empty() {
            let found = roles::of_configs(ruling, world);
            changed |= replace(&mut self.of_roles, found);
        }
        changed
    }
}

// === impl Step ===

impl Step<'_> {
    /// Whether any instance that changed was, or is, one of these.
    fn instances(self, mut is: impl FnMut(&Instance) -> bool) -> bool {
        let changed = self.changes.instances.iter();
        let mut both =
            changed.flat_map(|id| [self.old.instances.get(id), self.new.instances.get(id)]);
        both.any(|instance| instance.is_some_and(|instance| is(instance)))
    }
}

fn selects(sidecar: &Sidecar, instance: &Instance) -> bool {
    let selector = sidecar.selector.as_ref();
    selector.is_some_and(|selector| selector.selects(&instance.labels))
}

/// Whether findings became others.
pub(crate) fn replace(old: &mut Vec<Diagnostic>, new: Vec<Diagnostic>) -> bool {
    let changed = *old != new;
    *old = new;
    changed
}

/// Keeps findings by what they are of, without empty ones; `true` if they became others.
pub(crate) fn keep<K: Ord>(
    all: &mut BTreeMap<K, Vec<Diagnostic>>,
    of: K,
    found: Vec<Diagnostic>,
) -> bool {
    if found.is_empty() {
        return all.remove(&of).is_some();
    }
    match all.get_mut(&of) {
        Some(before) => replace(before, found),
        None => all.insert(of, found).is_none(),
    }
}

/// How many edits still make two names alike.
const NEAR: usize = 2;

/// The known name that is at most two edits away.
fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.filter_map(|name| Some((distance(text, name)?, name)));
    scored.min().map(|(_, name)| name)
}

/// The number of insertions, deletions and substitutions between two texts; `None` if there are
/// more than [`NEAR`], which for most names is plain after a few letters.
fn distance(a: &str, b: &str) -> Option<usize> {
    if a.len().abs_diff(b.len()) > NEAR {
        return None;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
        if row.iter().all(|d| *d > NEAR) {
            return None;
        }
    }
    Some(row[b.len()]).filter(|d| *d <= NEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_at_most_two_edits_away() {
        let known = ["reviews", "ratings", "details"];
        assert_eq!(nearest("reviwes", known.into_iter()), Some("reviews"));
        assert_eq!(nearest("rating", known.into_iter()), Some("ratings"));
        assert_eq!(nearest("productpage", known.into_iter()), None);
    }
}
