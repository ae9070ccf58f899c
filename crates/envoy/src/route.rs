//! Routes: where each request goes.
//!
//! ```text
//! sidecar, gateway ─► domains            which names a virtual host answers to
//!        └──────────► http ─┬─► matcher  conditions
//!                           ├─► action   forward, redirect, respond
//!                           ├─► retry, fault, cors, mirror
//!                           └─► header   changes on the way
//! written: what virtual hosts have in common, encoded once
//! ```

mod action;
pub(crate) mod connection;
mod cors;
mod domains;
mod dynamic;
mod fault;
mod gateway;
mod header;
mod http;
mod matcher;
mod mirror;
mod redirect;
mod retry;
mod share;
mod sidecar;
mod virtual_services;
mod written;

pub(crate) use gateway::{GatewayPort, gateway, meeting};
pub(crate) use http::{Caller, Source};
pub(crate) use sidecar::{SidecarKey, sidecar};
pub(crate) use virtual_services::MeshRoutes;
pub(crate) use written::Alike;

use std::time::Duration;

use crate::listener::inbound::PortKey;
use crate::{message, names, pb};

/// The routes of a workload's own port: all to the application.
pub(crate) fn inbound(key: &PortKey<'_>, cluster: String) -> pb::route::RouteConfiguration {
    let operation = key
        .host
        .map(|host| names::operation(host, key.service_port, "/*"));
    let route = pb::route::Route {
        decorator: operation.map(decorator),
        ..everything(names::DEFAULT_ROUTE, cluster.clone())
    };
    let host = pb::route::VirtualHost {
        name: names::inbound_virtual_host(key.target),
        domains: vec!["*".to_owned()],
        routes: vec![route],
        ..Default::default()
    };
    pb::route::RouteConfiguration {
        name: cluster,
        virtual_hosts: vec![host],
        validate_clusters: message::no(),
        ..Default::default()
    }
}

/// Every request to one cluster, without a time limit.
fn everything(name: &str, cluster: String) -> pb::route::Route {
    use pb::route::route_action::ClusterSpecifier;
    pb::route::Route {
        name: name.to_owned(),
        r#match: Some(any_path()),
        action: Some(pb::route::route::Action::Route(pb::route::RouteAction {
            cluster_specifier: Some(ClusterSpecifier::Cluster(cluster)),
            timeout: Some(message::duration(Duration::ZERO)),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn any_path() -> pb::route::RouteMatch {
    use pb::route::route_match::PathSpecifier;
    pb::route::RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
        ..Default::default()
    }
}

/// The name of a span.
fn decorator(operation: String) -> pb::route::Decorator {
    pb::route::Decorator {
        operation,
        ..Default::default()
    }
}

fn virtual_host(
    name: String,
    domains: Vec<String>,
    routes: Vec<pb::route::Route>,
) -> pb::route::VirtualHost {
    pb::route::VirtualHost {
        name,
        domains,
        routes,
        include_request_attempt_count: true,
        ..Default::default()
    }
}
