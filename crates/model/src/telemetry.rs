//! Telemetry: what proxies report, for the mesh, a namespace or a workload.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::reporting::{Collector, Tag};
use crate::route::Share;
use crate::{Labels, ObjectRef};

#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    pub object: ObjectRef,
    /// Empty: for the whole namespace, or the whole mesh if that is the root namespace.
    pub selector: Labels,
    pub tracing: Vec<TracingRule>,
    pub access_logging: Vec<LoggingRule>,
}

/// Which requests a rule is about, seen from the proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Both,
    /// Those that it sends.
    Client,
    /// Those that it receives.
    Server,
}

/// What is absent is left as wider rules have it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TracingRule {
    pub mode: Mode,
    pub collector: Option<Arc<Collector>>,
    pub sampling: Option<Share>,
    pub report_spans: Option<bool>,
    pub propagate: Option<bool>,
    pub sample_by_request_id: Option<bool>,
    pub tags: BTreeMap<String, Tag>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoggingRule {
    pub mode: Mode,
    /// Names of the mesh's providers of logs. Empty: those of the wider rules, else the default.
    pub providers: Vec<Arc<str>>,
    pub disabled: bool,
    /// An expression in CEL.
    pub filter: Option<Arc<str>>,
}

// === impl Mode ===

impl Mode {
    /// Whether a rule for this mode is about another, which is one of the two.
    pub fn covers(self, other: Mode) -> bool {
        self == Mode::Both || self == other
    }
}
