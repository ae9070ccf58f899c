//! Who the endpoints of an entry prove to be, for mutual TLS between workloads of the mesh.

use model::{Mesh, Service};

use super::{Entries, Entry};
use crate::services::Built;
use crate::workloads::{Facts, account};

// === impl Entries ===

impl Entries {
    /// The accounts that endpoints name, and those of workloads that are selected.
    pub(super) fn identities<'a>(
        &self,
        entry: &Entry,
        facts: impl Iterator<Item = &'a Facts>,
        mesh: &Mesh,
    ) -> Vec<String> {
        let namespace = &entry.object.namespace;
        let named = entry.endpoints.iter();
        let selected = self.workloads.iter().filter(|workload| {
            let here = workload.object.namespace == *namespace;
            here && entry.selects(&workload.external.labels)
        });
        let named = named.chain(selected.map(|workload| &workload.external));
        let accounts = named.filter_map(|external| external.account.as_deref());
        let mut all: Vec<String> = accounts
            .flat_map(|name| account::of_account(namespace, name, mesh))
            .collect();
        if entry.selector.is_none() {
            return all;
        }
        for running in facts.flat_map(|facts| &facts.instances) {
            let instance = &running.instance;
            let selected = instance.namespace == *namespace && entry.selects(&instance.labels);
            if selected && !entry.of_instance(running).is_empty() {
                all.extend(account::identities(instance, mesh));
            }
        }
        all
    }
}

// === impl Entry ===

impl Entry {
    fn selects(&self, labels: &model::Labels) -> bool {
        let selector = self.selector.as_ref();
        selector.is_some_and(|selector| selector.selects(labels))
    }
}

// === impl Built ===

impl Built {
    pub(super) fn add_identities(&mut self, identities: Vec<String>) {
        let Service {
            subject_alt_names, ..
        } = &mut self.service;
        subject_alt_names.extend(identities);
        subject_alt_names.sort();
        subject_alt_names.dedup();
    }
}
