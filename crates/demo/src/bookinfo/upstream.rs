//! Calls from one service to the next, through the caller's own Envoy.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;

use super::PORT;

/// Headers that a service passes on. Envoy cannot do it: only the application knows which of its
/// calls belongs to which request. `end-user` is what the routes of the sample match on.
pub const FORWARDED: [&str; 11] = [
    "end-user",
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "b3",
    "traceparent",
    "tracestate",
    "x-ot-span-context",
];

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The caller's patience ended.
    #[error("{service} did not answer within {after:?}")]
    Timeout {
        /// Who was called.
        service: String,
        /// The limit.
        after: Duration,
    },
    /// An answer, but not a good one. Envoy answers so when it finds no healthy endpoint.
    #[error("{service} answered {status}: {body}")]
    Status {
        /// Who was called.
        service: String,
        /// For example 503.
        status: StatusCode,
        /// The start of the answer.
        body: String,
    },
    /// No connection, or not the expected JSON.
    #[error("{service}: {source}")]
    Http {
        /// Who was called.
        service: String,
        /// What went wrong.
        source: reqwest::Error,
    },
}

/// How a service reaches the others.
#[derive(Debug, Clone)]
pub struct Upstream {
    domain: String,
    client: Client,
}

impl Upstream {
    /// In the mesh: every host name leads to the outbound address of the caller's own Envoy.
    pub fn via_sidecar(domain: &str, outbound: IpAddr) -> Result<Self, reqwest::Error> {
        let callees = ["details", "ratings", "reviews"];
        Self::direct(domain, callees.map(|name| (name, outbound)).into())
    }

    /// Without a mesh: each service at its own address, port 9080.
    pub fn direct(domain: &str, services: BTreeMap<&str, IpAddr>) -> Result<Self, reqwest::Error> {
        let mut client = Client::builder()
            // A proxy of the environment must not see loopback traffic.
            .no_proxy()
            // One connection per call, as the originals do: none is stale after a restart.
            .pool_max_idle_per_host(0);
        for (name, ip) in services {
            // The port comes from the URL, and so does the Host header.
            client = client.resolve(&format!("{name}.{domain}"), (ip, 0).into());
        }
        let (domain, client) = (domain.to_owned(), client.build()?);
        Ok(Self { domain, client })
    }

    /// GET `path` of `service`, with the headers that go along with `inbound`.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        service: &str,
        path: &str,
        inbound: &HeaderMap,
        limit: Duration,
    ) -> Result<T, CallError> {
        let url = format!("http://{service}.{}:{PORT}{path}", self.domain);
        let request = self
            .client
            .get(url)
            .headers(forwarded(inbound))
            .timeout(limit);
        let failed = |source: reqwest::Error| call_error(service, limit, source);
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        if status.is_success() {
            return answer.json().await.map_err(failed);
        }
        let body = answer.text().await.map_err(failed)?;
        let (service, body) = (service.to_owned(), body.chars().take(200).collect());
        Err(CallError::Status {
            service,
            status,
            body,
        })
    }
}

fn call_error(service: &str, after: Duration, source: reqwest::Error) -> CallError {
    let service = service.to_owned();
    if source.is_timeout() {
        CallError::Timeout { service, after }
    } else {
        CallError::Http { service, source }
    }
}

fn forwarded(inbound: &HeaderMap) -> HeaderMap {
    let names = FORWARDED.map(HeaderName::from_static);
    let present = names.into_iter().filter_map(|name| {
        let value = inbound.get(&name)?.clone();
        Some((name, value))
    });
    present.collect()
}
