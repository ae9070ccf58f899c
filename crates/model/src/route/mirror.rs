//! Who gets copies of requests.

use super::{Destination, Share};

/// A destination whose answers nobody waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirror {
    pub destination: Destination,
    /// Not zero.
    pub share: Share,
}
