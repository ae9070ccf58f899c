//! A small DC/OS cluster on one machine, of real parts: agents and pods as network namespaces,
//! iptables as the pods of the guide have it, Envoys under their own user, names by DNS.
//!
//! Only Marathon is simulated. The demo shows the mesh without root; here connections are really
//! redirected, addresses are those that a cluster has, and commands run where an operator runs them.
//!
//! ```text
//!  Marathon ─tasks─► Executor ─► Container (one for each launch): namespace, Envoy, application
//!     ▲                 └─► Dns
//!     └── ControlPlane ◄── shell: dcos, kubectl, curl
//! ```
//!
//! Everything that is created has the rig's prefix in its name, so that [`remove`] finds it all.

pub mod certs;
mod cluster;
mod command;
mod container;
mod control;
mod dns;
mod executor;
mod health;
mod image;
mod kube;
pub mod layout;
mod net;
mod place;
mod pod;
mod program;
mod run;
mod shell;
mod tools;

pub use certs::{Authority, IDENTITY};
pub use cluster::{Options, Rig, RigError, Store};
pub use command::CommandError;
pub use control::{ControlPlane, Source};
pub use kube::Kube;
pub use layout::Layout;
pub use net::remove;
pub use run::{Args, main};
