//! Telemetry and EnvoyFilter among themselves.

use std::collections::BTreeMap;

use model::{Diagnostic, ObjectRef, Telemetry};

use super::{Placed, Ruling};
use crate::codes;
use crate::report::Report;

impl Ruling {
    /// EnvoyFilters by priority, then age; of Telemetry for a whole namespace only the oldest, as
    /// in Istio.
    pub(crate) fn settle_extensions(&mut self) {
        self.envoy_filters
            .sort_by_key(|filter| filter.value.priority);
        let mut owner_by_namespace: BTreeMap<String, ObjectRef> = BTreeMap::new();
        let mut found = Vec::new();
        self.telemetries.retain(|telemetry| {
            if !telemetry.value.selector.is_empty() {
                return true;
            }
            let object = &telemetry.value.object;
            match owner_by_namespace.get(&*object.namespace) {
                Some(owner) => {
                    found.extend(shadowed(telemetry, owner));
                    false
                }
                None => {
                    owner_by_namespace.insert(object.namespace.to_string(), object.clone());
                    true
                }
            }
        });
        self.diagnostics.append(&mut found);
    }
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
