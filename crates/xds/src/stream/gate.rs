//! Make before break: what may go now, and what waits for whom.
//!
//! ```text
//!   CDS add/change + its EDS  ──ACK──►  LDS, RDS that use it  ──ACK──►  LDS removed, CDS removed
//!                             or 3 s                          or 5 s
//! ```
//!
//! Envoy acknowledges CDS only when all clusters are warm, so that ACK is the signal that routes
//! may point to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::track::Track;
use crate::kind::Kind;
use crate::resource::Resource;
use crate::snapshot::Snapshot;
use crate::withheld::Withheld;

/// Which clusters the client is ready to send traffic to.
pub(crate) struct ClusterGate<'a> {
    clusters: &'a Track,
    snapshot: &'a Snapshot,
    withheld: &'a Withheld,
    under_way: BTreeSet<&'a str>,
}

impl<'a> ClusterGate<'a> {
    pub(crate) fn new(
        clusters: &'a Track,
        snapshot: &'a Snapshot,
        withheld: &'a Withheld,
    ) -> ClusterGate<'a> {
        ClusterGate {
            clusters,
            snapshot,
            withheld,
            under_way: clusters.flights.names(),
        }
    }

    /// Whether this listener or route may be sent to the client now.
    pub(crate) fn is_open(&self, track: &Track, resource: &Resource) -> bool {
        if !self.clusters.started || self.is_awaited(track, resource) {
            return true;
        }
        match &resource.clusters {
            Some(clusters) => clusters.iter().all(|name| self.is_ready(name)),
            None => !self.clusters.has_work() && !self.clusters.flights.carry_items(),
        }
    }

    /// A client without the resource loses nothing by getting it early, and waits for it: an
    /// Envoy that starts, or a listener that warms until its routes are there.
    fn is_awaited(&self, track: &Track, resource: &Resource) -> bool {
        let held = track.ledger.has(&resource.name);
        let asked_again =
            track.due.contains(&resource.name) && held.is_some_and(|held| held.body().is_some());
        asked_again
            || match track.kind {
                Kind::Listener => track.fresh && !track.answered,
                _ => held.is_none(),
            }
    }

    fn is_ready(&self, name: &Arc<str>) -> bool {
        let Some(wanted) = self.snapshot.get(Kind::Cluster, name) else {
            // Not ours to bring: from the bootstrap, or a mistake that waiting does not heal.
            return true;
        };
        let held = self.clusters.ledger.has(name);
        let held = held.is_some_and(|held| held.is(wanted.version));
        self.clusters.is_refused(wanted, self.withheld)
            || (held && !self.under_way.contains(&**name))
    }
}

/// Whether a client that reconnected has yet to ask for what refers to resources of `kind`: it may
/// still run listeners and routes that use what is gone, and gets the new ones when it asks.
pub(crate) fn referrers_expected(tracks: &[Track; Kind::COUNT], kind: Kind) -> bool {
    let started = |kind: Kind| tracks[kind.index()].started;
    !tracks[kind.index()].fresh
        && match kind {
            Kind::Cluster => !started(Kind::Listener) || !started(Kind::Route),
            Kind::Listener => !started(Kind::Route),
            Kind::Endpoint | Kind::Route | Kind::Secret => false,
        }
}

/// Whether everything that refers to resources of `kind` has let go of what the snapshot no longer
/// has, so that it may be removed.
pub(crate) fn referrers_settled(
    tracks: &[Track; Kind::COUNT],
    kind: Kind,
    snapshot: &Snapshot,
    withheld: &Withheld,
) -> bool {
    let idle = |kind: Kind| tracks[kind.index()].is_idle();
    let kept = |kind: Kind| !tracks[kind.index()].refusals(snapshot, withheld).is_empty();
    let removed = |kind: Kind| tracks[kind.index()].gone.is_empty() && idle(kind);
    match kind {
        Kind::Listener => idle(Kind::Listener) && idle(Kind::Route),
        // A client that refused the new route still uses the old one, and its clusters.
        Kind::Cluster => {
            removed(Kind::Listener)
                && idle(Kind::Route)
                && !kept(Kind::Listener)
                && !kept(Kind::Route)
        }
        Kind::Route => removed(Kind::Listener),
        Kind::Endpoint => removed(Kind::Cluster),
        Kind::Secret => removed(Kind::Cluster) && removed(Kind::Listener),
    }
}
