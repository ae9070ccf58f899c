//! What the debug pages may see of the daemon.

use std::sync::Arc;

use admin::{Pending, Source};
use api::event::SourceId;
use model::{Diagnostic, World};
use tokio::sync::watch;

use crate::fleet::Fleet;
use crate::rejection;
use crate::sources::States;

/// Read-only handles.
pub(crate) struct Window {
    pub(crate) fleet: Fleet,
    pub(crate) connections: xds::Connections,
    pub(crate) quarantine: xds::Quarantine,
    pub(crate) states: States,
    pub(crate) waiting: watch::Receiver<Vec<SourceId>>,
}

impl admin::Inside for Window {
    fn world(&self) -> Option<Arc<World>> {
        self.fleet.world()
    }

    fn pending(&self) -> Vec<Pending> {
        let pending = self.states.pending(&self.waiting.borrow());
        if pending.is_empty() && self.fleet.world().is_none() {
            let why = "the first state of the mesh is being put together".into();
            return vec![Pending {
                name: "index".into(),
                why,
                remedy: "wait a moment".into(),
            }];
        }
        pending
    }

    fn degraded(&self) -> Vec<String> {
        let restored = self.states.restored();
        let line =
            |(source, written)| format!("{source} is away; served is what it said until {written}");
        restored.into_iter().map(line).collect()
    }

    fn sources(&self) -> Vec<Source> {
        self.states.rows()
    }

    fn connections(&self) -> &xds::Connections {
        &self.connections
    }

    fn generation(&self, stream: xds::StreamId, taken: Option<u64>) -> Option<u64> {
        self.fleet.generation(stream, taken)
    }

    fn snapshot(&self, proxy: &str) -> Option<Arc<xds::Snapshot>> {
        self.fleet.snapshot(proxy)
    }

    fn omissions(&self) -> Vec<Diagnostic> {
        let suspects = self.quarantine.list();
        let rejected = suspects.iter().map(|suspect| {
            let origins = self.fleet.origins(suspect.kind, &suspect.name);
            rejection::finding(suspect, &origins)
        });
        self.fleet.omissions().into_iter().chain(rejected).collect()
    }
}
