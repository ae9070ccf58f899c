//! The services wired to each other without Envoys: colours, timeouts, the way of `end-user`.

mod harness;
mod page;
mod sidecar;
mod timeouts;
