//! Real Envoys as child processes: find the binary, start it, look inside, end it.
//!
//! An Envoy of ours never outlives us: it is killed when its handle is dropped, and the kernel
//! kills it when this process dies without a chance to clean up (`nursery`).

mod admin;
mod binary;
pub mod nursery;
mod process;
#[cfg(test)]
mod tests;

pub use admin::{Admin, AdminError, Rejected};
pub use binary::{Binary, ENVOY_VERSION, NotFound};
pub use process::{EnvoyError, EnvoyProcess, Launch};
