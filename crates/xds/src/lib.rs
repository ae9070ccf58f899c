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

mod deframe;
mod frame;
mod kind;
mod message;
mod node;
mod ordered;
mod resource;
mod resources;
mod server;
mod snapshot;
mod stream;
mod wire;
mod withheld;

pub use self::kind::Kind;
pub use self::message::{Mode, Request, Response};
pub use self::node::Node;
pub use self::resource::{ForeignVersion, Resource, Version};
pub use self::resources::{Names, Resources};
pub use self::server::{
    Connection, Connections, Histogram, Limits, OpenFiles, Proxies, Quarantine, Refusal, Rejection,
    ServeError, Server, StreamId, Subscription, Suspect, Totals,
};
pub use self::snapshot::{Snapshot, SnapshotBuilder};
pub use self::stream::{
    Counters, Event, Guilty, KindStatus, Mark, Nack, Reject, Stream, StreamStatus, Timing,
};
pub use self::withheld::Withheld;
