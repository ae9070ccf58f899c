//! Backends that answer with what they were asked, and remember by whom.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Tells one request of the table from all others.
pub(super) const ROW: &str = "x-row";
/// Asks for this status; with a version behind it, of that version only.
const ANSWER: &str = "x-answer";
/// Asks for 503 so many times, before the answer comes.
const FAIL: &str = "x-fail";
/// Asks for a pause of so many milliseconds.
const WAIT: &str = "x-wait";

/// What arrived at all backends: by request and backend, how often, and the last one.
#[derive(Debug, Clone, Default)]
pub(super) struct Backends(Arc<Mutex<Seen>>);

/// What arrived, by request and backend.
type Seen = BTreeMap<(String, String), Vec<Value>>;

/// One backend.
#[derive(Debug)]
pub(super) struct Echo {
    service: String,
    version: String,
    hits: Backends,
}

impl Backends {
    /// What arrived of a request at a backend such as `shadow-v1`.
    pub(super) fn of(&self, row: &str, backend: &str) -> Vec<Value> {
        let all = self.0.lock().unwrap();
        let key = (row.to_owned(), backend.to_owned());
        all.get(&key).cloned().unwrap_or_default()
    }

    /// How often a request arrived, wherever.
    pub(super) fn attempts(&self, row: &str, service: &str) -> usize {
        let all = self.0.lock().unwrap();
        let own = all
            .iter()
            .filter(|((r, b), _)| r == row && b.starts_with(service));
        own.map(|(_, hits)| hits.len()).sum()
    }

    fn add(&self, row: &str, backend: String, seen: Value) {
        let mut all = self.0.lock().unwrap();
        all.entry((row.to_owned(), backend)).or_default().push(seen);
    }
}

impl Echo {
    pub(super) fn new(service: &str, version: &str, hits: Backends) -> Echo {
        Echo {
            service: service.to_owned(),
            version: version.to_owned(),
            hits,
        }
    }

    pub(super) async fn serve(self: Arc<Self>, at: SocketAddr) -> JoinHandle<()> {
        self.serve_on(TcpListener::bind(at).await.unwrap())
    }

    pub(super) fn serve_on(self: Arc<Self>, listener: TcpListener) -> JoinHandle<()> {
        let router = Router::new().fallback(move |request: Request| {
            let echo = self.clone();
            async move { echo.answer(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
    }

    async fn answer(&self, request: Request) -> Response {
        let headers = request.headers();
        let asked = |name: &str| number(headers, name);
        let row = text(headers, ROW);
        let own = asked(&format!("{ANSWER}-{}", self.version));
        let (wait, fail, status) = (asked(WAIT), asked(FAIL), own.or(asked(ANSWER)));
        let names: BTreeMap<String, String> = headers
            .keys()
            .map(|name| {
                let values: Vec<_> = headers.get_all(name).iter().collect();
                let texts = values
                    .iter()
                    .map(|value| String::from_utf8_lossy(value.as_bytes()));
                (name.to_string(), texts.collect::<Vec<_>>().join(","))
            })
            .collect();
        let path = request
            .uri()
            .path_and_query()
            .map_or("", |path| path.as_str());
        let seen = json!({
            "service": self.service,
            "version": self.version,
            "method": request.method().as_str(),
            "path": path,
            "headers": names,
        });
        let before = self.hits.attempts(&row, &self.service) as u64;
        self.hits.add(
            &row,
            format!("{}-{}", self.service, self.version),
            seen.clone(),
        );
        if let Some(wait) = wait {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        let status = match fail {
            Some(times) if before < times => 503,
            _ => status.unwrap_or(200) as u16,
        };
        let status = StatusCode::from_u16(status).unwrap();
        let own = [("x-backend", "yes"), ("x-version", self.version.as_str())];
        (status, own, seen.to_string()).into_response()
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name).parse().ok()
}
