//! Which path is which stream.
//!
//! A hand-written gRPC service: the aggregated and the per-type services differ only in their path,
//! and the generated ones would bring their own codec.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::BufferSettings;
use tonic::codegen::Service;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstDecoder;

use super::body::ResponseBody;
use super::connections::Connections;
use super::session::Session;
use super::{Limits, Proxies};
use crate::kind::Kind;
use crate::message::Mode;
use crate::wire::{DeltaRequest, SotwRequest, WireRequest};

/// The package of all discovery services, without the slash between service and method.
const PACKAGE: &str = "/envoy.service.";
/// Only matters for sending, which does not go through tonic's codec.
const CHUNK: usize = 32 * 1024;
const ENCODING: &str = "grpc-encoding";

/// All discovery services in one.
#[derive(Clone)]
pub(crate) struct Discovery {
    proxies: Arc<dyn Proxies>,
    limits: Arc<Limits>,
    shutdown: CancellationToken,
    sessions: TaskTracker,
    pub(super) identity: Arc<str>,
    pub(super) connections: Connections,
}

impl Discovery {
    pub(super) fn new(
        proxies: Arc<dyn Proxies>,
        limits: Limits,
        shutdown: CancellationToken,
        sessions: TaskTracker,
    ) -> Discovery {
        Discovery {
            proxies,
            limits: Arc::new(limits),
            shutdown,
            sessions,
            identity: "pilothouse".into(),
            connections: Connections::default(),
        }
    }

    fn open(&self, request: Request<tonic::body::Body>) -> Result<ResponseBody, Status> {
        let Some((mode, only)) = method(request.uri().path()) else {
            return Err(Status::new(Code::Unimplemented, "no such discovery method"));
        };
        if compressed(&request) {
            return Err(Status::unimplemented(
                "compressed requests are not supported",
            ));
        }
        let Some(place) = self.connections.enter(self.limits.max_streams) else {
            let max = self.limits.max_streams;
            tracing::warn!(max, "stream refused: too many are open");
            return Err(Status::resource_exhausted(format!(
                "{max} streams are open already"
            )));
        };
        let peer = peer(&request);
        // One response waits in the queue at most; the machine holds the rest as state.
        let (outgoing, incoming) = mpsc::channel(1);
        let session = Session {
            mode,
            only,
            peer,
            place,
            outgoing,
            connections: self.connections.clone(),
            proxies: Arc::clone(&self.proxies),
            limits: Arc::clone(&self.limits),
            shutdown: self.shutdown.clone(),
        };
        let body = request.into_body();
        match mode {
            Mode::Sotw => self.spawn::<SotwRequest>(session, body),
            Mode::Delta => self.spawn::<DeltaRequest>(session, body),
        }
        Ok(ResponseBody::new(
            mode,
            incoming,
            Arc::clone(&self.identity),
        ))
    }

    fn spawn<R: WireRequest>(&self, session: Session, body: tonic::body::Body) {
        // Most requests are ACKs of some sixty bytes; the buffer grows for the others.
        let decoder = ProstDecoder::<R>::new(BufferSettings::new(1024, CHUNK));
        let limit = Some(self.limits.max_request_bytes);
        let requests = Streaming::new_request(decoder, body, None, limit);
        self.sessions.spawn(session.run(requests));
    }
}

impl Service<Request<tonic::body::Body>> for Discovery {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let body = self.open(request).unwrap_or_else(ResponseBody::refused);
        let mut response = Response::new(body);
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(CONTENT_TYPE, grpc);
        ready(Ok(response))
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

fn compressed(request: &Request<tonic::body::Body>) -> bool {
    request
        .headers()
        .get(ENCODING)
        .is_some_and(|encoding| encoding != "identity")
}

fn peer(request: &Request<tonic::body::Body>) -> SocketAddr {
    let info = request.extensions().get::<TcpConnectInfo>();
    info.and_then(TcpConnectInfo::remote_addr)
        .unwrap_or_else(|| SocketAddr::from(([0; 4], 0)))
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
