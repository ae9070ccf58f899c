//! Apps of which Marathon asks something itself, and which of them changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::marathon::Probe;
use model::authentication::{Asked as Port, Effective, Policies};
use model::{Hostname, Labels};

use super::facts::Who;

/// What Marathon asks of one app, and what policies go by. Nothing of it is of a task, so tasks
/// that come and go leave it as it is.
#[derive(Debug, PartialEq)]
pub(crate) struct Probed {
    pub(crate) namespace: Arc<str>,
    pub(crate) labels: Labels,
    pub(crate) hosts: Arc<[Hostname]>,
    /// Never empty.
    pub(crate) asked: Vec<Asked>,
}

/// A check, and where it arrives.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) probe: Probe,
    pub(crate) arrival: Arrival,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Arrival {
    /// A port of the app's services.
    Declared {
        number: u16,
        name: Arc<str>,
        /// The port of the workload; 0 if each task has another.
        target: u16,
    },
    /// A port of the workload that is none of a service.
    Undeclared(u16),
}

/// All such apps.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    by_workload: BTreeMap<Who, Arc<Probed>>,
    turned: BTreeSet<Who>,
}

// === impl Probes ===

impl Probes {
    pub(super) fn set(&mut self, who: &Who, probed: Option<&Arc<Probed>>) {
        if self.by_workload.get(who) == probed {
            return;
        }
        self.turned.insert(who.clone());
        match probed {
            Some(probed) => self.by_workload.insert(who.clone(), probed.clone()),
            None => self.by_workload.remove(who),
        };
    }

    pub(crate) fn get(&self, who: &Who) -> Option<&Probed> {
        self.by_workload.get(who).map(|probed| &**probed)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Who> {
        self.by_workload.keys()
    }

    /// Those that became others since the last time.
    pub(crate) fn turned(&mut self) -> BTreeSet<Who> {
        std::mem::take(&mut self.turned)
    }
}

// === impl Probed ===

impl Probed {
    /// What holds where a check arrives; `None` where no policy says anything.
    pub(crate) fn effective<'a>(
        &self,
        arrival: &Arrival,
        policies: &'a Policies,
    ) -> Option<Effective<'a>> {
        match arrival {
            Arrival::Declared {
                number,
                name,
                target,
            } => Some(policies.find(&Port {
                namespace: &self.namespace,
                labels: Some(&self.labels),
                hosts: &self.hosts,
                number: *number,
                name,
                target: *target,
            })),
            Arrival::Undeclared(_) => policies.of_undeclared(&self.namespace, &self.labels),
        }
    }
}

// === impl Arrival ===

impl Arrival {
    /// The number by which people know the port.
    pub(crate) fn number(&self) -> u16 {
        match self {
            Arrival::Declared { number, .. } | Arrival::Undeclared(number) => *number,
        }
    }
}
