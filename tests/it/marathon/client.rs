//! A client of its own, down to the bytes, so that framing can be checked.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use simulator::{Agent, Options, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing here takes longer unless it never happens.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    let deadline = Duration::from_secs(20);
    tokio::time::timeout(deadline, future)
        .await
        .expect("in time")
}

/// A simulator with two agents.
pub(crate) async fn start() -> Simulator {
    start_with(|_| ()).await
}

pub(crate) async fn start_with(adjust: impl FnOnce(&mut Options)) -> Simulator {
    let agent = |last: u8| Agent {
        region: Some("aws/eu-central-1".into()),
        zone: Some(format!("aws/eu-central-1{last}")),
        ..Agent::at(Ipv4Addr::new(10, 0, 0, last))
    };
    let mut options = Options {
        agents: vec![agent(1), agent(2)],
        ..Options::default()
    };
    adjust(&mut options);
    Simulator::start(options).await.expect("a free port")
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a JSON body")
    }
}

pub(crate) async fn get(sim: &Simulator, path: &str) -> Answer {
    send(sim, "GET", path, "application/json", None).await
}

pub(crate) async fn get_json(sim: &Simulator, path: &str) -> Value {
    let answer = get(sim, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

pub(crate) async fn call(sim: &Simulator, method: &str, path: &str, body: Value) -> Answer {
    send(sim, method, path, "application/json", Some(body)).await
}

pub(crate) async fn send(
    sim: &Simulator,
    method: &str,
    path: &str,
    accept: &str,
    body: Option<Value>,
) -> Answer {
    let head = format!("Accept: {accept}\r\n");
    send_to(sim.addr(), method, path, &head, body).await
}

/// Sends to any member, with any header lines.
pub(crate) async fn send_to(
    addr: SocketAddr,
    method: &str,
    path: &str,
    head: &str,
    body: Option<Value>,
) -> Answer {
    let body = body.map(|b| b.to_string()).unwrap_or_default();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: m\r\n{head}Connection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let bytes = soon(exchange_with(addr, text.as_bytes())).await;
    parse(&bytes, method == "HEAD")
}

pub(crate) async fn get_from(addr: SocketAddr, path: &str) -> Answer {
    send_to(addr, "GET", path, "Accept: application/json\r\n", None).await
}

/// Sends bytes and reads until the other side closes.
pub(crate) async fn exchange(sim: &Simulator, request: &[u8]) -> Vec<u8> {
    exchange_with(sim.addr(), request).await
}

pub(crate) async fn exchange_with(addr: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(addr).await.expect("listening");
    socket.write_all(request).await.expect("sent");
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.expect("answered");
    bytes
}

fn parse(bytes: &[u8], head_only: bool) -> Answer {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a complete head");
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|l| l.split(' ').nth(1))
        .expect("a status line");
    let headers: BTreeMap<_, _> = lines
        .filter_map(|l| l.split_once(": "))
        .map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().expect("a length");
    assert_eq!(body.len(), if head_only { 0 } else { length });
    Answer {
        status: status.parse().expect("a number"),
        headers,
        text: body.to_owned(),
    }
}

/// An open event stream.
pub(crate) struct Events {
    socket: TcpStream,
    buffer: Vec<u8>,
    pub(crate) head: String,
}

impl Events {
    /// Opens a stream without a filter and reads its own attachment.
    pub(crate) async fn open(sim: &Simulator) -> Events {
        let mut events = Events::open_with(sim, "").await;
        let first = events.next().await.expect("attached");
        assert_eq!(first["eventType"], "event_stream_attached");
        assert_eq!(first["remoteAddress"], "127.0.0.1");
        events
    }

    pub(crate) async fn open_with(sim: &Simulator, query: &str) -> Events {
        Events::open_at(sim.addr(), query).await
    }

    pub(crate) async fn open_at(addr: SocketAddr, query: &str) -> Events {
        let mut socket = soon(TcpStream::connect(addr)).await.expect("listening");
        let request = format!(
            "GET /v2/events{query} HTTP/1.1\r\nHost: m\r\nAccept: text/event-stream\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut events = Events {
            socket,
            buffer: Vec::new(),
            head: String::new(),
        };
        events.head = soon(events.take_until("\r\n\r\n")).await.expect("a head");
        events
    }

    /// The next event; `None` when the stream was closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        soon(async {
            let frame = self.take_until("\r\n\r\n").await?;
            // Heartbeats may stand before it.
            let frame = frame.trim_start_matches("\r\n");
            let (event, data) = frame.split_once("\r\n").expect("two lines");
            let data = data.strip_prefix("data: ").expect("data");
            let data: Value = serde_json::from_str(data.trim_end()).expect("JSON");
            assert_eq!(event.strip_prefix("event: "), data["eventType"].as_str());
            assert!(data["timestamp"].is_string());
            Some(data)
        })
        .await
    }

    /// All events up to the first of that type.
    pub(crate) async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.expect("an open stream");
            let last = event["eventType"] == kind;
            events.push(event);
            if last {
                return events;
            }
        }
    }

    /// At least `count` raw bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(soon(self.fill()).await, "an open stream");
        }
        std::mem::take(&mut self.buffer)
    }

    async fn take_until(&mut self, end: &str) -> Option<String> {
        loop {
            let text = String::from_utf8_lossy(&self.buffer);
            // A heartbeat and the frame before it must not be mistaken.
            let skip = text.len() - text.trim_start_matches("\r\n").len();
            if let Some(at) = text[skip..].find(end) {
                let rest = self.buffer.split_off(skip + at + end.len());
                let taken = std::mem::replace(&mut self.buffer, rest);
                return Some(String::from_utf8(taken).expect("UTF-8"));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        // A stream that was cut may also end in a reset.
        self.socket.read_buf(&mut self.buffer).await.unwrap_or(0) > 0
    }
}

/// An event in a few words.
pub(crate) fn brief(event: &Value) -> String {
    let kind = event["eventType"].as_str().expect("a type");
    let kind = kind.strip_suffix("_event").unwrap_or(kind);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let detail = match kind {
        "status_update" => text(&event["taskStatus"]),
        "instance_changed" => text(&event["condition"]),
        "deployment_info" | "deployment_step_success" => {
            text(&event["currentStep"]["actions"][0]["action"])
        }
        "health_status_changed" => event["alive"].to_string(),
        "instance_health_changed" => event["healthy"].to_string(),
        _ => String::new(),
    };
    format!("{kind} {detail}").trim_end().to_owned()
}

pub(crate) fn briefs(events: &[Value]) -> Vec<String> {
    events.iter().map(brief).collect()
}
