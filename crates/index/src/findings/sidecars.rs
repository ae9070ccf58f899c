//! Sidecars that no proxy follows, and destination rules that no caller sees.

use std::collections::BTreeMap;

use model::{DestinationRule, Diagnostic, NamespaceMode, Sidecar, World};

use crate::codes;
use crate::report::Report;
use crate::ruling::Placed;

/// What depends on which instances there are.
pub(crate) fn of_views(
    sidecars: &[Placed<Sidecar>],
    rules: &[Placed<DestinationRule>],
    world: &World,
) -> Vec<Diagnostic> {
    let mut all = of_sidecars(sidecars, world);
    let namespaces = &world.mesh.namespaces;
    if namespaces.mode != NamespaceMode::Flat || !namespaces.by_group.is_empty() {
        all.extend(rules.iter().flat_map(|rule| unseen(rule, world)));
    }
    all
}

/// The older of two sidecars for the same proxies holds (Istio's IST0110 and IST0111).
fn of_sidecars(sidecars: &[Placed<Sidecar>], world: &World) -> Vec<Diagnostic> {
    let mut defaults: BTreeMap<&str, &Sidecar> = BTreeMap::new();
    let mut owners: BTreeMap<&str, &Sidecar> = BTreeMap::new();
    let mut all = Vec::new();
    for placed in sidecars {
        let sidecar = &*placed.value;
        let namespace = &*sidecar.object.namespace;
        let mut report = Report::new(sidecar.object.clone(), placed.location.clone(), "");
        match &sidecar.selector {
            None => {
                let first = *defaults.entry(namespace).or_insert(sidecar);
                if first.object != sidecar.object {
                    conflict(first, "the whole namespace", &mut report);
                }
            }
            Some(selector) => {
                let instances = world.instances.values();
                let selected = instances.filter(|instance| {
                    *instance.namespace == *namespace && selector.selects(&instance.labels)
                });
                let mut count = 0;
                for instance in selected {
                    count += 1;
                    let first = *owners.entry(instance.id.as_str()).or_insert(sidecar);
                    if first.object != sidecar.object {
                        conflict(first, &instance.workload, &mut report);
                    }
                }
                if count == 0 {
                    idle(&mut report);
                }
            }
        }
        all.extend(report.into_diagnostics());
    }
    all
}

fn conflict(first: &Sidecar, of: &str, report: &mut Report) {
    report.warn(
        codes::SIDECAR_CONFLICT,
        "spec.workloadSelector",
        format!("{} is older and already for {of}", first.object),
        "the older sidecar is in force there",
        "remove one of the two, or let them select different workloads",
    );
}

fn idle(report: &mut Report) {
    report.warn(
        codes::SIDECAR_IDLE,
        "spec.workloadSelector",
        "no instance of the namespace has these labels",
        "no proxy follows this sidecar",
        "correct the labels, or start the workload",
    );
}

/// Callers look into their own namespace, that of the service and the root namespace.
fn unseen(placed: &Placed<DestinationRule>, world: &World) -> Vec<Diagnostic> {
    let rule = &*placed.value;
    let namespace = &rule.object.namespace;
    let mut services = world.services.values();
    let seen = **namespace == *world.mesh.root_namespace
        || services.any(|s| s.namespace == *namespace && rule.host.covers(&s.host))
        || world
            .instances
            .values()
            .any(|instance| instance.namespace == *namespace);
    let mut report = Report::new(rule.object.clone(), placed.location.clone(), "");
    if !seen {
        report.warn(
            codes::RULE_UNSEEN,
            "metadata.namespace",
            format!(
                "{namespace} has neither the host {} nor any caller",
                rule.host
            ),
            "no proxy follows this rule",
            "put it into the namespace of the service or of its callers",
        );
    }
    report.into_diagnostics()
}
