//! A whole mesh on one machine: simulated Marathon, Bookinfo, real Envoys.
//!
//! `pilothouse demo` shows it, the end-to-end tests measure with it. Everything lives on
//! loopback addresses, needs no root and no iptables, and several meshes fit into one process:
//! each owns an address [`Block`].
//!
//! ```text
//!                 outbound 127.B.101.h          host port of agent 127.B.1.1
//!   application ───────► its Envoy ─────┐            │ (portmap)
//!   127.B.201.h            ▲            └──────► container 127.B.2.h = an Envoy's inbound
//!        ▲                 │ ADS                     │
//!        └─────────────────┼─────────────────────────┘ to the application behind it
//!                     control plane
//! ```

pub mod address;
pub mod bookinfo;
pub mod bootstrap;
pub mod check;
pub mod client;
pub mod envoy;
pub mod launches;
pub mod mesh;
pub mod portmap;
mod run;
pub mod samples;

pub use address::{Block, TaskAddresses};
pub use bootstrap::{AdsMode, Bootstrap, Interception, Role};
pub use envoy::nursery;
pub use envoy::{Admin, Binary, EnvoyProcess, NotFound, Rejected};
pub use mesh::Mesh;
pub use portmap::PortMap;
pub use run::{Ads, Args, main};
