//! What the mesh means: services, endpoints, routes, proxies, World.
//!
//! Values only: no JSON, no sockets, no Envoy. A value that exists is valid; `index` is where
//! foreign documents become values of this crate, and `envoy` is where they become messages.
//!
//! ```text
//! Gateway ──┐                      ┌─► Service ─► Endpoint ─► Instance
//!           ├─► VirtualService ────┤                 ▲
//! Proxy ────┘                      └─► DestinationRule (subsets: labels of instances; policies)
//! ```

pub mod authentication;
pub mod authorization;
pub mod change;
pub mod cidr;
pub mod destination_rule;
pub mod diagnostic;
pub mod end_user;
pub mod endpoint;
pub mod envoy_filter;
pub mod format;
pub mod gateway;
pub mod header_value;
pub mod inclusion;
pub mod instance;
pub mod labels;
pub mod locality;
pub mod mesh;
pub mod name;
pub mod protocol;
pub mod proxy;
pub mod reporting;
pub mod route;
pub mod service;
pub mod sidecar;
pub mod spot;
mod standing;
pub mod telemetry;
pub mod tls;
pub mod traffic_policy;
pub mod visibility;
pub mod world;

pub use authentication::Authentication;
pub use authorization::Authorization;
pub use change::ChangeSet;
pub use cidr::{Cidr, InvalidCidr};
pub use destination_rule::{DestinationRule, Subset};
pub use diagnostic::{Diagnostic, Location, ObjectRef, Severity};
pub use end_user::RequestAuthentication;
pub use endpoint::{Endpoint, Health, Locality, Reach};
pub use envoy_filter::EnvoyFilter;
pub use gateway::{Gateway, Security, Server, ServerHost};
pub use header_value::{HeaderValue, HeaderValueError};
pub use inclusion::{Inclusion, InvalidSelector, Selector};
pub use instance::{Instance, InstanceId, InstancePort};
pub use labels::Labels;
pub use locality::LocalityBalance;
pub use mesh::{
    AuthPolicy, DefaultExports, DefaultProviders, IpFamily, Mesh, NamespaceMode, Namespaces,
    OutboundPolicy, Ownership, PathNormalization, TlsVersion, Unreachable,
};
pub use name::{Hostname, InvalidHostname};
pub use protocol::Protocol;
pub use proxy::{Capture, Proxy, ProxyIdentity, Role};
pub use reporting::{AccessLog, Reporting, Tracing};
pub use service::{NamedEndpoint, NamedTarget, Placement, Port, Resolution, Service, ServicePort};
pub use sidecar::{
    Binding, Egress, EgressHost, EgressNamespace, EgressPort, EgressProxy, Ingress, IngressTarget,
    Sidecar,
};
pub use spot::{Attachment, Bridge, BridgeKind, Spot};
pub use standing::{PortStanding, Standing};
pub use telemetry::Telemetry;
pub use traffic_policy::{Policies, TrafficPolicy};
pub use visibility::ExportTo;
pub use world::World;
