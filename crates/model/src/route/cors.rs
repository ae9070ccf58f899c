//! Which pages of other origins may read answers.

use std::time::Duration;

use super::StringMatch;

/// A policy for browsers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    pub origins: Vec<StringMatch>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    /// Headers of answers that pages may read.
    pub expose: Vec<String>,
    /// Whole seconds.
    pub max_age: Option<Duration>,
    pub credentials: Option<bool>,
    /// Preflight requests of other origins are answered by the proxy, not by the service.
    pub ignore_unmatched: bool,
}
