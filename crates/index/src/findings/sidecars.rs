//! Sidecars that no proxy follows, and destination rules that no caller sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{DestinationRule, Diagnostic, NamespaceMode, Service, Sidecar, World};

use super::Step;
use crate::codes;
use crate::report::Report;
use crate::ruling::{Ordered, Placed};

/// How many instances each namespace has.
#[derive(Debug, Default)]
pub(super) struct Inhabited {
    by_namespace: BTreeMap<Arc<str>, usize>,
}

// === impl Inhabited ===

impl Inhabited {
    /// Counts the instances that changed; `true` if a namespace got its first or lost its last.
    pub(super) fn advance(&mut self, step: Step<'_>) -> bool {
        let mut moved = false;
        for id in &step.changes.instances {
            let namespace = |world: &World| Some(world.instances.get(id)?.namespace.clone());
            let (old, new) = (namespace(step.old), namespace(step.new));
            if old == new {
                continue;
            }
            if let Some(new) = new {
                let count = self.by_namespace.entry(new).or_default();
                *count += 1;
                moved |= *count == 1;
            }
            if let Some(count) = old.as_ref().and_then(|old| self.by_namespace.get_mut(old)) {
                *count -= 1;
                moved |= *count == 0;
            }
        }
        if moved {
            self.by_namespace.retain(|_, count| *count > 0);
        }
        moved
    }
}

/// Destination rules that nobody sees, in a mesh with namespaces.
pub(super) fn unseen(
    rules: &Ordered<DestinationRule>,
    inhabited: &Inhabited,
    world: &World,
) -> Vec<Diagnostic> {
    let namespaces = &world.mesh.namespaces;
    match namespaces.mode == NamespaceMode::Flat && namespaces.by_group.is_empty() {
        true => Vec::new(),
        false => {
            let rules = rules.iter();
            rules
                .flat_map(|rule| of_unseen(rule, inhabited, world))
                .collect()
        }
    }
}

/// The older of two sidecars for the same proxies holds (Istio's IST0110 and IST0111).
pub(super) fn of_sidecars(sidecars: &Ordered<Sidecar>, world: &World) -> Vec<Diagnostic> {
    let mut defaults: BTreeMap<&str, &Sidecar> = BTreeMap::new();
    let mut owners: BTreeMap<&str, &Sidecar> = BTreeMap::new();
    let mut all = Vec::new();
    for placed in sidecars.iter() {
        let sidecar = &*placed.value;
        let namespace = &*sidecar.object.namespace;
        let mut report = Report::new(sidecar.object.clone(), placed.location.clone(), "");
        check_proxy(sidecar, world, &mut report);
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

fn check_proxy(sidecar: &Sidecar, world: &World, report: &mut Report) {
    let Some(proxy) = &sidecar.egress_proxy else {
        return;
    };
    let known = world.services.get(&proxy.host);
    if known.is_none_or(|service| service.port(proxy.port).is_none()) {
        report.warn(
            codes::UNKNOWN_HOST,
            "spec.outboundTrafficPolicy.egressProxy",
            format!("no service {} has the port {}", proxy.host, proxy.port),
            "what goes to unknown hosts is answered with 503, or closed",
            "name a service of the mesh by its full name, and one of its ports",
        );
    }
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
fn of_unseen(
    placed: &Placed<DestinationRule>,
    inhabited: &Inhabited,
    world: &World,
) -> Vec<Diagnostic> {
    let rule = &*placed.value;
    let namespace = &rule.object.namespace;
    let here = |service: &Service| service.namespace == *namespace;
    let has_service = || match rule.host.is_wildcard() {
        true => {
            let mut services = world.services.values();
            services.any(|service| here(service) && rule.host.covers(&service.host))
        }
        false => world.services.get(&rule.host).is_some_and(|s| here(s)),
    };
    let seen = **namespace == *world.mesh.root_namespace
        || inhabited.by_namespace.contains_key(namespace)
        || has_service();
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
