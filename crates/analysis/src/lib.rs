//! What files would do, without a server: findings, and the resources of a proxy.
//!
//! ```text
//! Istio objects ─┐
//!                ├─► Draft ──► Study ─┬─► diagnostics
//! Marathon JSON ─┘ (placement)        └─► Proxy ─► resources
//! ```
//!
//! The way is the daemon's own: the same reading of files, the same index, the same compiler. Only
//! the beginning differs. Nothing runs yet, so definitions of apps and pods are given instances:
//! made up, and the same ones every time.

mod assume;
mod placement;
mod study;

pub use placement::{AGENTS, Placement, PlacementError};
pub use study::{Draft, Study};
