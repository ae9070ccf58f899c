//! How we look inside: health, metrics, debug pages. Read-only.
//!
//! Every page is a function of what [`Inside`] shows; nothing here changes anything. The same
//! router answers on the HTTP port and on the monitoring port, as Pilot's did.

mod authentication;
mod config_dump;
mod diagnostics;
mod endpoints;
mod health;
mod inside;
mod metrics;
mod mtls;
mod registry;
mod router;
mod sources;
mod sync;

pub use inside::{Inside, Pending, Source};
pub use router::router;
