//! The window through which the pages look.

use std::sync::Arc;

use model::{Diagnostic, World};
use serde::Serialize;

/// What the daemon shows of itself. All methods are cheap and never block.
pub trait Inside: Send + Sync + 'static {
    /// The present state; `None` before the first complete one.
    fn world(&self) -> Option<Arc<World>>;

    /// What keeps the process from being ready; empty when it is.
    fn pending(&self) -> Vec<Pending>;

    /// What is served although its source is away since the start; empty as a rule.
    fn degraded(&self) -> Vec<String>;

    /// The state of every source.
    fn sources(&self) -> Vec<Source>;

    /// The proxies' streams.
    fn connections(&self) -> &xds::Connections;

    /// The generation that a stream is at, given that of the snapshot it has taken up: a proxy that
    /// a change does not concern gets no snapshot for it, and is up to date all the same.
    fn generation(&self, stream: xds::StreamId, taken: Option<u64>) -> Option<u64>;

    /// What a connected proxy is served at present, by node id.
    fn snapshot(&self, proxy: &str) -> Option<Arc<xds::Snapshot>>;

    /// What was left out of the resources of connected proxies, or refused by them, and why.
    fn omissions(&self) -> Vec<Diagnostic>;
}

/// A reason for not being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub name: String,
    pub why: String,
    pub remedy: String,
}

/// The state of a source, for people and for alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    pub name: String,
    /// The URL or directory in use.
    pub detail: String,
    /// Whether its first complete list has arrived.
    pub synced: bool,
    pub state: String,
    /// For how long the origin has been away; absent while it is there.
    pub away_seconds: Option<u64>,
    /// Who of several members answers for all, `host:port`; absent if the origin tells none.
    pub leader: Option<String>,
    /// The framework of Mesos that a Marathon is; absent if it does not tell.
    pub framework: Option<String>,
    /// Seconds since something was last heard; absent before that.
    pub last_event_seconds: Option<u64>,
    pub last_resync_seconds: Option<u64>,
    pub last_error: Option<String>,
    pub events: u64,
    pub resyncs: u64,
}
