//! The one vocabulary in which every source reports change.
//!
//! Five of the words are those of a Kubernetes watch. A list is `Init`, `InitApply`…, `InitDone`
//! and replaces everything that the source said before, atomically, at `InitDone`. After it,
//! `Apply` and `Delete` change single things. So `index` cannot tell a directory from Marathon,
//! and a resync is never a window in which things are missing. The sixth, `InitSame`, is for a
//! source that does not keep what it said.

use std::sync::Arc;

use crate::istio::{Object, ObjectKey, Problem};
use crate::marathon::{Workload, WorkloadKey};

/// The name of a source, unique in the process: `marathon`, `directory`, …
pub type SourceId = Arc<str>;

/// A thing that a source can name.
pub trait Keyed {
    type Key: Ord + Clone + std::fmt::Debug;

    /// The name under which the source will later change or delete it.
    fn key(&self) -> Self::Key;
}

/// One word from a source.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<T: Keyed> {
    /// A complete list begins.
    Init,
    /// One thing of the list that has begun.
    InitApply(T),
    /// One thing of the list that has begun, as the source last told it.
    InitSame(T::Key),
    /// The list is complete: what it did not name is gone.
    InitDone,
    /// A thing appeared or changed.
    Apply(T),
    /// A thing is gone.
    Delete(T::Key),
}

/// What one source said.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    pub source: SourceId,
    pub change: Change,
}

/// The kinds of things that sources speak about.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Config(Event<Object>),
    Workload(Event<Workload>),
    /// Everything that the source could not read at present; replaces its previous report.
    Problems(Vec<Problem>),
}

// === impl Keyed ===

impl Keyed for Object {
    type Key = ObjectKey;

    fn key(&self) -> ObjectKey {
        self.key.clone()
    }
}

impl Keyed for Workload {
    type Key = WorkloadKey;

    fn key(&self) -> WorkloadKey {
        Workload::key(self)
    }
}
