//! Istio objects as operators write them: kinds, metadata, and the decoding of specs.
//!
//! An [`Object`] is a document whose envelope (`apiVersion`, `kind`, `metadata`) was understood;
//! its `spec` is still plain JSON. [`decode`] turns the spec into a typed kind, keeps the path of
//! every field that it does not know, and names the path of the field that it cannot read.

mod authentication;
mod authorization;
mod connection;
mod decode;
mod destination_rule;
mod duration;
pub mod envoy_filter;
mod gateway;
mod kind;
pub mod mesh_config;
mod object;
mod proxy_config;
mod rbac;
mod request_authentication;
mod scalar;
mod server_tls;
mod service_entry;
mod sidecar;
mod string_match;
pub mod telemetry;
pub mod traffic_policy;
mod virtual_service;
mod wasm_plugin;
mod workload_group;

pub use authentication::{
    OriginMethod, PeerAuthentication, PeerMethod, PeerMtls, PeerSelector, Policy, PolicyJwt,
    PolicyMtls, PolicyPort, PolicyTarget, TriggerPath, TriggerRule,
};
pub use authorization::{
    AuthorizationCondition, AuthorizationFrom, AuthorizationOperation, AuthorizationPolicy,
    AuthorizationProvider, AuthorizationRule, AuthorizationSource, AuthorizationTo,
};
pub use connection::{ConnectionDestination, TcpMatch, TcpRoute, TlsMatch, TlsRoute};
pub use decode::{DecodeError, Decoded, decode};
pub use destination_rule::{DestinationRule, Subset};
pub use duration::parse_duration;
pub use gateway::{Gateway, Port, Server};
pub use kind::Kind;
pub use mesh_config::MeshConfig;
pub use object::{Envelope, EnvelopeError, Location, Object, ObjectKey, Problem};
pub use proxy_config::{ProxyConfig, ProxyImage};
pub use rbac::{
    AccessConstraint, AccessRule, RbacConfig, RbacTarget, RoleRef, RoleSubject, ServiceRole,
    ServiceRoleBinding,
};
pub use request_authentication::{ClaimToHeader, JwtHeader, JwtRule, RequestAuthentication};
pub use server_tls::{ServerTls, TlsCertificate, TlsMode};
pub use service_entry::{EntryPort, ServiceEntry, WorkloadEntry, WorkloadSelector};
pub use sidecar::{EgressListener, IngressListener, Sidecar, SidecarOutboundPolicy};
pub use string_match::StringMatch;
pub use virtual_service::{
    Abort, Body, CorsPolicy, Delay, Delegate, DerivePort, Destination, DirectResponse, Fault,
    HeaderNames, HeaderOperations, Headers, HttpMatch, HttpRoute, Mirror, Percent, PortSelector,
    Redirect, RegexRewrite, Retries, Rewrite, RouteDestination, UnmatchedPreflights,
    VirtualService,
};
pub use wasm_plugin::{EnvVar, TrafficPort, TrafficSelector, VmConfig, WasmPlugin};
pub use workload_group::{
    ExecProbe, GroupMetadata, GrpcProbe, HttpProbe, Probe, ProbeHeader, TcpProbe, WorkloadGroup,
};
