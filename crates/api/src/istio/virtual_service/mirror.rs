//! `mirrors`: who gets copies of requests.

use serde::Deserialize;

use super::{Destination, Percent};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Mirror {
    pub destination: Option<Destination>,
    /// Absent means all.
    pub percentage: Option<Percent>,
}
