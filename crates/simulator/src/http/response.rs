//! Responses, always with a length.

use std::io::{self, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::request::Request;
use crate::error::ApiError;
use crate::faults::{self, Effect};

/// A slow body comes in about so many pieces.
const PIECES: usize = 8;

/// A complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    delivery: Delivery,
}

/// How the body goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    Whole,
    /// The connection ends after half of it.
    Cut,
    /// In pieces, with a pause between them.
    Slow(Duration),
}

impl Response {
    pub(crate) fn json(status: u16, body: &Value) -> Response {
        Response::new(status, "application/json", body.to_string())
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Response {
        Response::new(status, "text/plain", body.into())
    }

    pub(crate) fn empty(status: u16) -> Response {
        Response {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            delivery: Delivery::Whole,
        }
    }

    fn new(status: u16, content_type: &str, body: String) -> Response {
        Response::empty(status)
            .header("Content-Type", content_type)
            .with_body(body.into_bytes())
    }

    fn with_body(mut self, body: Vec<u8>) -> Response {
        self.body = body;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// Lets a fault have its way with the answer.
    pub(crate) fn spoil(&mut self, effect: &Effect) {
        match effect {
            Effect::Status(_) => {}
            Effect::Truncate => self.body.truncate(self.body.len() / 2),
            Effect::Cut => self.delivery = Delivery::Cut,
            Effect::Slow(millis) => self.delivery = Delivery::Slow(Duration::from_millis(*millis)),
            Effect::Empty => self.rewrite(|body| faults::shorten(body, |_| 0)),
            Effect::Half => self.rewrite(|body| faults::shorten(body, |n| n / 2)),
            Effect::Null(names) => self.rewrite(|body| faults::nullify(body, names)),
        }
    }

    fn rewrite(&mut self, change: impl FnOnce(&mut Value)) {
        if let Ok(mut body) = serde_json::from_slice(&self.body) {
            change(&mut body);
            self.body = body.to_string().into_bytes();
        }
    }

    /// The same with a compressed body.
    pub(crate) fn compressed(self) -> Response {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let written = encoder.write_all(&self.body);
        match written.and_then(|()| encoder.finish()) {
            Ok(body) => self.with_body(body).header("Content-Encoding", "gzip"),
            // Memory is the only thing that could fail, and it does not report.
            Err(_) => self,
        }
    }

    /// Sends the answer to a request, or to something that was none. False if
    /// the connection is not to be used again.
    pub(crate) async fn send(
        &self,
        socket: &mut TcpStream,
        request: Option<&Request>,
    ) -> io::Result<bool> {
        let keep_alive = request.is_some_and(|r| r.keep_alive);
        let head_only = request.is_some_and(|r| r.method == "HEAD");
        let mut bytes = self.head(keep_alive);
        if head_only {
            socket.write_all(&bytes).await?;
            return Ok(keep_alive);
        }
        match self.delivery {
            Delivery::Whole => {
                bytes.extend_from_slice(&self.body);
                socket.write_all(&bytes).await?;
                Ok(keep_alive)
            }
            Delivery::Cut => {
                bytes.extend_from_slice(&self.body[..self.body.len() / 2]);
                socket.write_all(&bytes).await?;
                Ok(false)
            }
            Delivery::Slow(pause) => {
                socket.write_all(&bytes).await?;
                for piece in self.body.chunks(self.body.len() / PIECES + 1) {
                    tokio::time::sleep(pause).await;
                    socket.write_all(piece).await?;
                }
                Ok(keep_alive)
            }
        }
    }

    fn head(&self, keep_alive: bool) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !keep_alive {
            text.push_str("Connection: close\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        text.into_bytes()
    }
}

impl From<ApiError> for Response {
    fn from(error: ApiError) -> Response {
        Response::json(error.status(), &error.body())
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        422 => "Unprocessable Entity",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "",
    }
}
