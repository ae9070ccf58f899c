//! Telemetry and EnvoyFilter among themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{ChangeSet, Diagnostic, ObjectRef, Telemetry, World};

use super::{Placed, Ruling, replace};
use crate::codes;
use crate::report::Report;

impl Ruling {
    /// EnvoyFilters by priority, then age; of Telemetry for a whole namespace only the oldest, as
    /// in Istio. Tells whether findings became others.
    pub(super) fn settle_extensions(&mut self, world: &mut World, changes: &mut ChangeSet) -> bool {
        if !self.envoy_filters.turned().is_empty() {
            let filters = self.envoy_filters.iter();
            let mut filters: Vec<_> = filters.map(|filter| filter.value.clone()).collect();
            filters.sort_by_key(|filter| filter.priority);
            replace(&mut world.envoy_filters, filters, changes);
        }
        if self.telemetries.turned().is_empty() {
            return false;
        }
        let (telemetries, found) = oldest(self.telemetries.iter());
        replace(&mut world.telemetries, telemetries, changes);
        crate::findings::replace(&mut self.shadowed, found)
    }
}

fn oldest<'a>(
    all: impl Iterator<Item = &'a Placed<Telemetry>>,
) -> (Vec<Arc<Telemetry>>, Vec<Diagnostic>) {
    let mut owner_by_namespace: BTreeMap<&str, &ObjectRef> = BTreeMap::new();
    let (mut in_force, mut found) = (Vec::new(), Vec::new());
    for telemetry in all {
        let object = &telemetry.value.object;
        if telemetry.value.selector.is_empty() {
            if let Some(owner) = owner_by_namespace.get(&*object.namespace) {
                found.extend(shadowed(telemetry, owner));
                continue;
            }
            owner_by_namespace.insert(&object.namespace, object);
        }
        in_force.push(telemetry.value.clone());
    }
    (in_force, found)
}

fn shadowed(telemetry: &Placed<Telemetry>, owner: &ObjectRef) -> Vec<Diagnostic> {
    let object = telemetry.value.object.clone();
    let mut report = Report::new(object, telemetry.location.clone(), "");
    report.warn(
        codes::TELEMETRY_TWICE,
        "spec.selector",
        format!("{owner} is already for the whole namespace"),
        "only the older object is in force",
        "put both into one object, or give this one a selector",
    );
    report.into_diagnostics()
}
