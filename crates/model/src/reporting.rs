//! What proxies tell of the requests that they see: access logs and traces.
//!
//! The mesh has a default; objects of kind `Telemetry` change it for namespaces and workloads. What
//! then holds for one proxy is a [`Reporting`], compared as a value: proxies with equal ones share
//! listeners.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::route::Share;

/// What a proxy tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reporting {
    pub access_logs: Vec<AccessLog>,
    /// `None`: no spans, and no headers about them.
    pub tracing: Option<Arc<Tracing>>,
}

/// A file on the proxy that gets one line for each request or connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessLog {
    /// Not empty.
    pub path: Arc<str>,
    pub format: LogFormat,
    /// An expression in CEL; what does not satisfy it is not logged.
    pub filter: Option<Arc<str>>,
}

/// How a line looks. Envoy's command operators (`%START_TIME%`) are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogFormat {
    /// Istio's line of text.
    #[default]
    Text,
    CustomText(Arc<str>),
    /// Istio's fields as one JSON object.
    Json,
    CustomJson(Arc<BTreeMap<String, String>>),
}

/// How spans are made and where they go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tracing {
    pub collector: Arc<Collector>,
    /// Of the requests for which nobody decided before.
    pub sampling: Share,
    /// Sorted by name.
    pub tags: BTreeMap<String, Tag>,
    /// `None`: Envoy's own 256 bytes.
    pub max_path_tag_length: Option<u32>,
    /// Whether spans are sent; headers are made and passed on in any case.
    pub report_spans: bool,
    /// Whether headers about the span go to the next proxy.
    pub propagate: bool,
    /// Whether the request id takes part in the decision to sample.
    pub sample_by_request_id: bool,
}

/// A collector of spans that speaks Zipkin's JSON, version 2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Collector {
    /// `zipkin`, or that of the provider.
    pub name: Arc<str>,
    /// A host of the mesh, or a name that proxies can resolve, or an address.
    pub host: Arc<str>,
    /// Whether the host is under a domain of the mesh, and may be one of its services.
    pub in_mesh: bool,
    /// Not zero.
    pub port: u16,
    /// The longest path that is told, by the mesh's settings.
    pub max_tag_length: Option<u32>,
}

/// Where the value of a span's tag comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    Literal(String),
    /// A variable of the proxy's environment.
    Environment {
        name: String,
        default: String,
    },
    /// A header of the request.
    Header {
        name: String,
        default: String,
    },
}

/// What objects of kind `Telemetry` may name, from the mesh config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    Log(AccessLog),
    Tracer(Arc<Collector>),
}
