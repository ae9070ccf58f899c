//! How we answer inside kubectl: what we write to the apiserver that we read.
//!
//! ```text
//! findings ──► Answers ──┬──► Event            (kubectl describe, kubectl get events)
//!                ▲       └──► condition        (status of the object)
//!              Lease: one replica writes
//! definitions ──► CustomResourceDefinitions that are missing
//! ```
//!
//! Nothing here decides anything: whoever cannot write serves all the same, and a replica without
//! the Lease is a full replica.

mod answers;
mod condition;
mod definitions;
mod event;
mod lease;
mod line;
mod pace;

pub use answers::{Answers, Findings, Timing};
pub use definitions::install;
