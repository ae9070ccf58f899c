//! What goes in and out of a stream, in our own words.
//!
//! One request type covers both protocol variants, so that the stream machine has one entrance;
//! only `wire` and `frame` know how the variants look as protobuf.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::kind::Kind;
use crate::resource::Resource;

/// Which of the two protocol variants a stream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// State of the world: requests repeat all names, CDS and LDS responses repeat all resources.
    Sotw,
    /// Incremental: requests and responses carry changes.
    Delta,
}

/// One request of a client, whichever variant it came by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Of the resources it is about; on a per-type service it may be empty.
    pub type_url: String,
    /// The node's id, where the request carries a node. Only the first one must.
    pub node_id: Option<String>,
    /// The response that this acknowledges or rejects; empty for none.
    pub nonce: String,
    /// Why the response was rejected. Its presence alone makes a NACK.
    pub error: Option<String>,
    /// State of the world: the version that the client has. Set on a first request after a
    /// reconnect.
    pub version: String,
    /// State of the world: every name wanted. Delta: names to add.
    pub names: Vec<String>,
    /// State of the world: the names are those of the request before for the same type, and so
    /// were not decoded. Every ACK repeats them all.
    pub same_names: bool,
    /// Delta: names to drop.
    pub unsubscribe: Vec<String>,
    /// Delta, first request of a type: what the client still holds from an earlier stream.
    pub initial_versions: BTreeMap<String, String>,
}

/// One response, ready to be framed for the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Type of all its resources.
    pub kind: Kind,
    /// The content version of the set; in delta only informative.
    pub version_info: String,
    /// Unique on its stream.
    pub nonce: String,
    /// What to add or replace, in order of names, no name twice.
    pub resources: Vec<Arc<Resource>>,
    /// Delta: names that do not exist (any more). Never a name that is in `resources`.
    pub removed: Vec<Arc<str>>,
}

/// Hash of a list of names, as it stands on the wire.
pub(crate) fn list_hash(list: impl IntoIterator<Item = impl AsRef<[u8]>>) -> u128 {
    let mut hash = Xxh3::new();
    for name in list {
        let name = name.as_ref();
        hash.update(&name.len().to_le_bytes());
        hash.update(name);
    }
    hash.digest128()
}
