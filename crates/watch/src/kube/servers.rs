//! The apiservers in turn: requests go to one of them until it fails.

use std::sync::Arc;
use std::time::Duration;

use ::kube::Client;
use futures::AsyncBufRead;
use http::{Method, Request};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::failure::Failure;

/// Handle to the apiservers; clones share which of them is asked.
#[derive(Clone)]
pub struct Servers(Arc<Inner>);

struct Inner {
    servers: Vec<Server>,
    current: watch::Sender<usize>,
}

pub(super) struct Server {
    pub(super) url: String,
    pub(super) client: Client,
}

// === impl Servers ===

impl Servers {
    pub(super) fn new(servers: Vec<Server>) -> Servers {
        Servers(Arc::new(Inner {
            servers,
            current: watch::Sender::new(0),
        }))
    }

    /// The base URL of the one that is asked at present.
    pub fn url(&self) -> String {
        self.current().1.url.clone()
    }

    /// Tells when another one is asked.
    pub(super) fn subscribe(&self) -> watch::Receiver<usize> {
        self.0.current.subscribe()
    }

    /// The text that a path answers with.
    pub(super) async fn text(&self, path: &str, limit: Duration) -> Result<String, Failure> {
        let request = Request::get(path).body(Vec::new());
        self.ask(request, limit, Client::request_text).await
    }

    /// The answer as it comes in; the limit is for its beginning.
    pub(super) async fn stream(
        &self,
        path: &str,
        limit: Duration,
    ) -> Result<impl AsyncBufRead + use<>, Failure> {
        let request = Request::get(path).body(Vec::new());
        self.ask(request, limit, Client::request_stream).await
    }

    /// Sends a document, or none, and returns the answer.
    ///
    /// # Errors
    /// The server is away, or has refused.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        document: Option<&Value>,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let body = document.map_or_else(String::new, Value::to_string);
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", kind)
            .body(body.into_bytes());
        let text = self.ask(request, limit, Client::request_text).await?;
        serde_json::from_str(&text).map_err(|e| Failure::undecodable(&self.url(), &e))
    }

    async fn ask<T>(
        &self,
        request: http::Result<Request<Vec<u8>>>,
        limit: Duration,
        how: impl AsyncFnOnce(&Client, Request<Vec<u8>>) -> ::kube::Result<T>,
    ) -> Result<T, Failure> {
        let (index, server) = self.current();
        let request = request.map_err(|e| Failure::refused(&server.url, 400, e.to_string()))?;
        let failure = match timeout(limit, how(&server.client, request)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::from_error(&server.url, &error),
            Err(_) => Failure::away(&server.url, format!("no answer for {limit:?}")),
        };
        if failure.is_away() {
            self.next_after(index);
        }
        Err(failure)
    }

    fn current(&self) -> (usize, &Server) {
        let index = *self.0.current.borrow();
        (index, &self.0.servers[index])
    }

    /// Whoever fails first moves on; others that fail with the same server do not move again.
    fn next_after(&self, index: usize) {
        let next = (index + 1) % self.0.servers.len();
        self.0.current.send_if_modified(|current| {
            let moves = *current == index && next != index;
            if moves {
                *current = next;
            }
            moves
        });
    }
}
