//! A Marathon to test against: REST, event stream, tasks.
//!
//! Marathon cannot be run on a developer's machine without Mesos, so this
//! crate plays its part: it accepts apps and pods, places them on pretended
//! agents, walks their tasks through the Mesos states and tells the story on
//! `/v2/events` with Marathon's own framing. It shares no code with our
//! Marathon client on purpose, so that a misreading cannot cancel itself out.
//!
//! ```text
//!  REST ─► rest ──┐                         ┌─► render ─► JSON
//!                 ├─► change ─► deploy ─┐   │
//!  Simulator ─────┘                     ├─► state ─► events ─► /v2/events
//!                     driver ─► step ───┘
//! ```
//!
//! The middle (`spec`, `state`, `change`, `deploy`, `render`, `rest`) is
//! synchronous and takes one step at a time; [`Simulator`] owns the sockets
//! and a driver task that steps until nothing moves. `profile` knows how
//! releases differ, `front` plays leader, standby and authentication before a
//! request gets to `rest`, and `faults` spoils what comes back.

mod auth;
mod change;
mod control;
mod deploy;
mod error;
mod events;
mod failover;
mod faults;
mod front;
mod http;
mod json;
mod member;
mod options;
mod profile;
mod remote;
mod render;
mod rest;
mod server;
mod spec;
mod state;
mod view;

pub use auth::{Account, Auth, BadKey, Proof};
pub use control::Simulator;
pub use error::{ApiError, DeploymentId, Violation};
pub use failover::Failover;
pub use faults::{Effect, EventFaults, Fault};
pub use options::{Agent, Kill, Launch, Network, Options, Readiness};
pub use spec::probe::{Probe, ProbePort, Question};
pub use spec::{Kind, NetworkMode};
pub use view::{PortView, TaskView};
