//! Which path is which stream.
//!
//! A hand-written gRPC service: the aggregated and the per-type services differ only in their path,
//! and the generated ones would bring their own codec.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Status};

use super::admission::Admission;
use super::body::ResponseBody;
use super::connections::Connections;
use super::quarantine::Quarantine;
use super::requests::Requests;
use super::session::Session;
use super::{Limits, Proxies};
use crate::kind::Kind;
use crate::message::Mode;
use crate::wire::Reader;

/// The package of all discovery services, without the slash between service and method.
const PACKAGE: &str = "/envoy.service.";
const ENCODING: &str = "grpc-encoding";

/// All discovery services in one.
#[derive(Clone)]
pub(crate) struct Discovery {
    pub(super) proxies: Arc<dyn Proxies>,
    pub(super) limits: Arc<Limits>,
    pub(super) sessions: TaskTracker,
    pub(super) identity: Arc<str>,
    pub(super) connections: Connections,
    pub(super) quarantine: Quarantine,
    pub(super) admission: Admission,
}

impl Discovery {
    pub(super) fn new(proxies: Arc<dyn Proxies>, limits: Limits) -> Discovery {
        Discovery {
            proxies,
            sessions: TaskTracker::new(),
            identity: "pilothouse".into(),
            connections: Connections::default(),
            quarantine: Quarantine::new(limits.quarantine_after),
            admission: Admission::new(limits.max_initial_bytes),
            limits: Arc::new(limits),
        }
    }

    /// Opens a stream on a connection, which may be `ending`.
    pub(super) fn call(
        &self,
        peer: SocketAddr,
        ending: &CancellationToken,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let body = self
            .open(peer, ending, request)
            .unwrap_or_else(ResponseBody::refused);
        let mut response = Response::new(body);
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(CONTENT_TYPE, grpc);
        Ok(response)
    }

    fn open(
        &self,
        peer: SocketAddr,
        ending: &CancellationToken,
        request: Request<Incoming>,
    ) -> Result<ResponseBody, Status> {
        let Some((mode, only)) = method(request.uri().path()) else {
            return Err(Status::new(Code::Unimplemented, "no such discovery method"));
        };
        if compressed(&request) {
            return Err(Status::unimplemented(
                "compressed requests are not supported",
            ));
        }
        let place = self.connections.enter(peer.ip(), &self.limits);
        let place = place.map_err(|full| {
            tracing::warn!(%peer, reason = %full, "stream refused");
            Status::resource_exhausted(full.to_string())
        })?;
        // One burst waits in the queue at most; the machine holds the rest as state.
        let (outgoing, incoming) = mpsc::channel(1);
        let session = Session {
            mode,
            only,
            peer,
            place,
            outgoing,
            ending: ending.clone(),
            discovery: self.clone(),
        };
        let reader = Reader::new(mode, only);
        let requests = Requests::new(request.into_body(), reader, self.limits.max_request_bytes);
        self.sessions.spawn(session.run(requests));
        let identity = Arc::clone(&self.identity);
        Ok(ResponseBody::new(mode, incoming, identity))
    }
}

/// The variant and, for a per-type service, the kind that a path stands for.
fn method(path: &str) -> Option<(Mode, Option<Kind>)> {
    let (service, method) = path.strip_prefix(PACKAGE)?.split_once('/')?;
    let (only, resources) = match service {
        "discovery.v3.AggregatedDiscoveryService" => (None, "AggregatedResources"),
        "cluster.v3.ClusterDiscoveryService" => (Some(Kind::Cluster), "Clusters"),
        "endpoint.v3.EndpointDiscoveryService" => (Some(Kind::Endpoint), "Endpoints"),
        "listener.v3.ListenerDiscoveryService" => (Some(Kind::Listener), "Listeners"),
        "route.v3.RouteDiscoveryService" => (Some(Kind::Route), "Routes"),
        "secret.v3.SecretDiscoveryService" => (Some(Kind::Secret), "Secrets"),
        _ => return None,
    };
    let mode = match method.strip_suffix(resources)? {
        "Stream" => Mode::Sotw,
        "Delta" => Mode::Delta,
        _ => return None,
    };
    Some((mode, only))
}

fn compressed(request: &Request<Incoming>) -> bool {
    request
        .headers()
        .get(ENCODING)
        .is_some_and(|encoding| encoding != "identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t01_t02_paths_are_the_services_of_envoy() {
        use envoy_types::pb::envoy::service;
        let aggregated = service::discovery::v3::aggregated_discovery_service_server::SERVICE_NAME;
        let path = |service: &str, method: &str| format!("/{service}/{method}");
        assert_eq!(
            method(&path(aggregated, "StreamAggregatedResources")),
            Some((Mode::Sotw, None))
        );
        assert_eq!(
            method(&path(aggregated, "DeltaAggregatedResources")),
            Some((Mode::Delta, None))
        );
        for (name, resources, kind) in [
            (
                service::cluster::v3::cluster_discovery_service_server::SERVICE_NAME,
                "Clusters",
                Kind::Cluster,
            ),
            (
                service::endpoint::v3::endpoint_discovery_service_server::SERVICE_NAME,
                "Endpoints",
                Kind::Endpoint,
            ),
            (
                service::listener::v3::listener_discovery_service_server::SERVICE_NAME,
                "Listeners",
                Kind::Listener,
            ),
            (
                service::route::v3::route_discovery_service_server::SERVICE_NAME,
                "Routes",
                Kind::Route,
            ),
            (
                service::secret::v3::secret_discovery_service_server::SERVICE_NAME,
                "Secrets",
                Kind::Secret,
            ),
        ] {
            let sotw = method(&path(name, &format!("Stream{resources}")));
            assert_eq!(sotw, Some((Mode::Sotw, Some(kind))));
            let delta = method(&path(name, &format!("Delta{resources}")));
            assert_eq!(delta, Some((Mode::Delta, Some(kind))));
        }
        for path in [
            "/",
            "",
            "/x/StreamClusters",
            &path(aggregated, "FetchAggregatedResources"),
        ] {
            assert_eq!(method(path), None, "{path}");
        }
    }
}
