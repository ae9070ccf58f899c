//! How far a client is, for people and for metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kind::Kind;
use crate::message::Mode;
use crate::resource::{Resource, Version};

/// State of one stream.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    /// Which protocol variant it speaks.
    pub mode: Mode,
    /// Generation of the snapshot that it is being brought to; `None` before the first.
    pub generation: Option<u64>,
    /// Per kind that the client asked for.
    pub kinds: BTreeMap<Kind, KindStatus>,
}

/// State of one kind on one stream.
#[derive(Clone, Debug, Default)]
pub struct KindStatus {
    /// How many names the client subscribed to.
    pub subscribed: usize,
    /// Whether it also, or only, subscribed to everything.
    pub wildcard: bool,
    /// The last response sent.
    pub sent: Option<Mark>,
    /// The last response acknowledged.
    pub acked: Option<Mark>,
    /// The last rejection, until a later response is acknowledged.
    pub nack: Option<Nack>,
    /// Names of which the current content is not sent: rejected by this client, or by others
    /// like it.
    pub withheld: Vec<String>,
    /// Responses sent, acknowledged, rejected; requests with an outdated nonce; guard times passed.
    pub counters: Counters,
}

/// A response, seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its nonce.
    pub nonce: String,
    /// Its version.
    pub version: String,
    /// When it was sent, or acknowledged.
    pub at: Instant,
}

/// A rejection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack {
    /// Nonce that the client gave. Envoy may report an error with a later nonce than its own.
    pub nonce: String,
    /// The client's words.
    pub message: String,
    /// The resources found guilty; empty while they are still being told apart.
    pub names: Vec<String>,
    /// When it arrived.
    pub at: Instant,
}

/// A content that a client refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guilty {
    /// Its name.
    pub name: Arc<str>,
    /// The content.
    pub version: Version,
    /// What the client has accepted before under that name, and goes on with.
    pub last_good: Option<Arc<Resource>>,
}

/// What happened so far on one stream, for one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Responses sent.
    pub sent: u64,
    /// Responses acknowledged.
    pub acked: u64,
    /// Rejections received.
    pub nacked: u64,
    /// Requests that answered an outdated response.
    pub stale: u64,
    /// Times something was sent because a guard time passed, not because the client was ready.
    pub guarded: u64,
}

/// Something worth a log line or a metric. The machine itself does neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A response was accepted.
    Acked {
        /// Of which kind.
        kind: Kind,
        /// The response.
        nonce: String,
        /// From sending to answer.
        took: Duration,
        /// From when the change was known to answer; none if the response brought no change but
        /// answered a subscription, or the snapshot does not tell.
        converged: Option<Duration>,
    },
    /// A response was rejected.
    Nacked {
        /// Of which kind.
        kind: Kind,
        /// Version of the newest response that the rejection covers; empty if it covers none.
        version: String,
        /// The rejection.
        nack: Nack,
        /// The contents found guilty.
        guilty: Vec<Guilty>,
    },
    /// A request answered an outdated response; its names were honoured all the same.
    Stale {
        /// Of which kind.
        kind: Kind,
        /// The outdated nonce.
        nonce: String,
    },
    /// A guard time passed: the client did not answer in time.
    Guard {
        /// The kind that was sent on without waiting longer.
        kind: Kind,
    },
    /// The client asked for a type that we do not serve. Reported once per type.
    UnknownType {
        /// What it asked for.
        type_url: String,
    },
}

impl KindStatus {
    /// Whether the client has accepted everything it was sent.
    pub fn is_synced(&self) -> bool {
        self.nack.is_none()
            && match (&self.sent, &self.acked) {
                (None, None) => true,
                (Some(sent), Some(acked)) => sent.nonce == acked.nonce,
                _ => false,
            }
    }
}
