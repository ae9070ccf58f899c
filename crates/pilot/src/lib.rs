//! The daemon: flags, wiring, shutdown. No rule of the mesh lives here.
//!
//! ```text
//! watch ─► publish ─► Fleet ─► xds ─► Envoy
//!            │          ▲
//!          index      envoy      admin reads all of them
//! ```
//!
//! [`Args`] are the flags as typed, [`Config`] is what they mean, [`start`] binds and wires
//! everything and returns the addresses, [`run`] is the process around it.

mod answers;
mod args;
mod config;
mod fleet;
mod inside;
mod legacy;
mod logging;
mod publish;
mod rejection;
mod run;
mod sources;

pub use args::{Args, LogFormat};
pub use config::{Config, ConfigError, KubeOptions, MeshFile, NamedOptions};
pub use legacy::strip as strip_legacy_flags;
pub use logging::init as init_logging;
pub use run::{Running, run, start};
