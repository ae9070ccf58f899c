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
//! and a driver task that steps until nothing moves. Behaviour is that of
//! Marathon 1.8; other version profiles, leader failover and fault knobs belong
//! into [`Options`] and the connection loop of `server`.

mod change;
mod control;
mod deploy;
mod error;
mod events;
mod http;
mod json;
mod options;
mod render;
mod rest;
mod server;
mod spec;
mod state;
mod view;

pub use control::Simulator;
pub use error::{ApiError, DeploymentId, Violation};
pub use options::{Agent, Kill, Launch, Network, Options};
pub use spec::{Kind, NetworkMode};
pub use view::{PortView, TaskView};
