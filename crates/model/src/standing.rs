//! Standings: why an instance is or is not among the endpoints of its services. For people; no
//! proxy is told.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{Health, Hostname};

/// What is known of one launch of an instance, running or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// As its source names it: a task of an app, or an instance of a pod.
    pub id: Arc<str>,
    /// The workload's absolute path.
    pub workload: Arc<str>,
    /// The services of the version that it runs.
    pub hosts: Arc<[Hostname]>,
    /// In the source's own words, such as `TASK_STAGING`.
    pub state: Arc<str>,
    /// What the agent advertises.
    pub agent: Arc<str>,
    /// Of each port that callers use.
    pub ports: Vec<PortStanding>,
}

/// Whether requests to one port are sent to the instance, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortStanding {
    /// The port that callers use.
    pub port: u16,
    /// As what it takes part; `None`: it is no endpoint.
    pub health: Option<Health>,
    /// A sentence without its end.
    pub why: Cow<'static, str>,
}
