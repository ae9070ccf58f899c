//! End users: whose tokens requests may carry, and where.

pub mod origins;

use std::sync::Arc;
use std::time::Duration;

use crate::{Hostname, Labels, ObjectRef};

pub use origins::Origins;

/// One object that says whose tokens are good. A request with a bad token is refused, and one
/// without a token is not, unless the issuer says so: who needs one is for authorization to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestAuthentication {
    pub object: ObjectRef,
    /// Empty: for the whole namespace, or the whole mesh if that is the root namespace.
    pub selector: Labels,
    pub issuers: Vec<Issuer>,
}

/// Who makes tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    /// As tokens name it; not empty.
    pub name: Arc<str>,
    /// Empty for any.
    pub audiences: Vec<Arc<str>>,
    pub keys: Keys,
    /// Headers, each with what stands before the token in it. Without any place named, a token is
    /// the bearer of `authorization`, or the parameter `access_token`.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Parameters of the query.
    pub params: Vec<Arc<str>>,
    pub cookies: Vec<Arc<str>>,
    /// Whether the workload gets the token as well.
    pub forward: bool,
    /// A header with all that the token says, for the workload.
    pub payload_header: Option<Arc<str>>,
    /// Headers and the claims that they carry, for the workload.
    pub claim_headers: Vec<(Arc<str>, Arc<str>)>,
    /// Claims that are lists with spaces between.
    pub listed_claims: Vec<Arc<str>>,
    /// Whether a request needs a token of this issuer.
    pub required: bool,
}

/// The public keys that tokens are checked by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Keys {
    /// A JSON Web Key Set with at least one key.
    Given(Arc<str>),
    /// Proxies ask a service of the mesh for it. While it does not answer, tokens are refused.
    Asked {
        uri: Arc<str>,
        host: Hostname,
        port: u16,
        /// How long an answer may take.
        timeout: Duration,
    },
}

// === impl RequestAuthentication ===

impl RequestAuthentication {
    /// Whether it is for a workload of this namespace with these labels.
    pub fn selects(&self, root: &str, namespace: &str, labels: &Labels) -> bool {
        self.object.reaches(namespace, root) && self.selector.selects(labels)
    }
}
