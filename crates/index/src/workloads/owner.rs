//! Who a service belongs to, if workloads that have nothing to do with each other claim its name.
//!
//! A label is free text: without an owner, anybody who may start an app could take part of another
//! team's traffic. Namespaces, and groups if the mesh is set so, share no service.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::event::SourceId;
use model::{Diagnostic, Hostname, Ownership};

use super::facts::{Facts, Who};
use crate::report::Report;
use crate::{codes, naming};

/// A namespace; or a group of one Marathon in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    namespace: Arc<str>,
    group: Option<(SourceId, Arc<str>)>,
}

/// Who has a service, and who is turned away.
#[derive(Debug)]
pub(super) struct Settled<'a> {
    pub(super) owner: Option<Owner>,
    pub(super) members: Vec<(&'a Who, &'a Facts)>,
    pub(super) conflicts: Vec<Diagnostic>,
}

/// The last owner stays for as long as it claims the service. Else the owner of the oldest claim
/// follows, among equals the one with the lowest workload id.
pub(super) fn settle<'a>(
    host: &Hostname,
    claimants: Vec<(&'a Who, &'a Facts)>,
    last: Option<&Owner>,
    ownership: Ownership,
) -> Settled<'a> {
    let owner_of = |(who, facts): &(&Who, &Facts)| Owner::of(host, who, facts, ownership);
    let owners: BTreeSet<Owner> = claimants.iter().filter_map(owner_of).collect();
    let oldest = || {
        let age = |(who, facts): &&(&'a Who, &'a Facts)| {
            // Whoever tells no age is not older than somebody who does.
            (facts.since.is_none(), facts.since, *who)
        };
        claimants.iter().min_by_key(age).and_then(owner_of)
    };
    let owner = match last.filter(|last| owners.contains(last)) {
        Some(last) => Some(last.clone()),
        None => oldest(),
    };
    let (members, others): (Vec<_>, Vec<_>) = claimants
        .into_iter()
        .partition(|claimant| owner_of(claimant) == owner);
    let first = members.first();
    let conflicts = others
        .iter()
        .flat_map(|other| first.map_or_else(Vec::new, |first| conflict(host, first, other)))
        .collect();
    Settled {
        owner,
        members,
        conflicts,
    }
}

fn conflict(host: &Hostname, first: &(&Who, &Facts), other: &(&Who, &Facts)) -> Vec<Diagnostic> {
    let namespace = |(_, facts): &(&Who, &Facts)| facts.claims[host].namespace.clone();
    let ((owner, _), (who, _)) = (first, other);
    let mut report = Report::new(who.object(&namespace(other)), None, "");
    report.leave_out(
        codes::HOST_OWNED,
        "labels.istio",
        format!(
            "{host} already belongs to {}",
            owner.object(&namespace(first))
        ),
        "its instances receive no traffic of that service",
        "choose another service name, or move the workload to the namespace and group of the owner",
    );
    report.into_diagnostics()
}

// === impl Owner ===

impl Owner {
    fn of(host: &Hostname, who: &Who, facts: &Facts, ownership: Ownership) -> Option<Owner> {
        let group = || (who.source.clone(), Arc::from(naming::group(&who.id)));
        Some(Owner {
            namespace: facts.claims.get(host)?.namespace.clone(),
            group: match ownership {
                Ownership::Namespace => None,
                Ownership::Group => Some(group()),
            },
        })
    }
}
