//! How it gets there: snapshots, subscriptions, ADS streams.
//!
//! This crate speaks the discovery protocol and knows nothing else: a resource is a name, a version
//! and bytes. Whoever compiles resources puts them into a [`Snapshot`]; a [`Stream`] brings one
//! client to the latest one, in an order that breaks no traffic.
//!
//! ```text
//!   Resource ─► Resources (shared) ─► Snapshot ──watch──► session ─► Stream (no I/O) ─► frame ─► h2
//!                                                            ▲                              │
//!                                                            └───── requests, ACK, NACK ◄───┘
//! ```

mod frame;
mod kind;
mod message;
mod node;
mod ordered;
mod resource;
mod server;
mod snapshot;
mod stream;
mod wire;

pub use self::kind::Kind;
pub use self::message::{Mode, Request, Response};
pub use self::node::Node;
pub use self::resource::{ForeignVersion, Resource, Version};
pub use self::server::{
    Connection, Connections, Limits, Proxies, Refusal, ServeError, Server, StreamId, Subscription,
    Totals,
};
pub use self::snapshot::{Resources, Snapshot, SnapshotBuilder};
pub use self::stream::{
    Counters, Event, KindStatus, Mark, Nack, Reject, Stream, StreamStatus, Timing,
};
