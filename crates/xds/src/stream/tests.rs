//! The protocol, row by row: each test is named after the row of the protocol checklist it holds.
//!
//! `Bench` drives the machine as a client and a compiler would, in a few words.

mod delta;
mod flow;
mod model;
mod nack;
mod order;
mod sotw;
mod subscribe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Event, Reject, Stream, Timing};
use crate::kind::Kind;
use crate::message::{Mode, Request, Response};
use crate::resource::Resource;
use crate::snapshot::Snapshot;

pub(super) const CDS: Kind = Kind::Cluster;
pub(super) const EDS: Kind = Kind::Endpoint;
pub(super) const LDS: Kind = Kind::Listener;
pub(super) const RDS: Kind = Kind::Route;
pub(super) const SDS: Kind = Kind::Secret;

/// A stream under test, with a clock that only moves when told.
pub(super) struct Bench {
    pub(super) stream: Stream,
    pub(super) now: Instant,
    mode: Mode,
}

/// A snapshot from `kind name content` triples.
pub(super) fn snapshot(resources: &[(Kind, &str, &str)]) -> Arc<Snapshot> {
    let builder = resources
        .iter()
        .fold(Snapshot::builder(1), |builder, (kind, name, content)| {
            builder.insert(*kind, resource(*kind, name, content))
        });
    builder.build()
}

pub(super) fn resource(kind: Kind, name: &str, content: &str) -> Arc<Resource> {
    Resource::new(kind, name, content.to_string().into_bytes())
}

/// The text of a response: `CDS a=1 b=2 -c`.
pub(super) fn text(response: &Response) -> String {
    let mut text = response.kind.short().to_string();
    for resource in &response.resources {
        let empty = Resource::empty(response.kind, &resource.name);
        let body = match empty.is_some_and(|empty| empty.version == resource.version) {
            true => "empty".to_string(),
            false => String::from_utf8_lossy(&resource.body).into_owned(),
        };
        text += &format!(" {}={body}", resource.name);
    }
    for name in &response.removed {
        text += &format!(" -{name}");
    }
    text
}

pub(super) fn texts(responses: &[Response]) -> Vec<String> {
    responses.iter().map(text).collect()
}

pub(super) fn request(kind: Kind, names: &[&str]) -> Request {
    Request {
        type_url: kind.type_url().into(),
        node_id: Some("node".into()),
        names: names.iter().map(|name| name.to_string()).collect(),
        ..Request::default()
    }
}

impl Bench {
    pub(super) fn new(mode: Mode) -> Bench {
        Bench {
            stream: Stream::new(mode, None, Timing::default()),
            now: Instant::now(),
            mode,
        }
    }

    pub(super) fn sotw() -> Bench {
        Bench::new(Mode::Sotw)
    }

    pub(super) fn delta() -> Bench {
        Bench::new(Mode::Delta)
    }

    /// With a snapshot from the start.
    pub(super) fn with(mut self, resources: &[(Kind, &str, &str)]) -> Bench {
        self.stream.on_snapshot(snapshot(resources), self.now);
        self
    }

    /// A new snapshot, and what goes out.
    pub(super) fn publish(&mut self, resources: &[(Kind, &str, &str)]) -> Vec<Response> {
        self.set(resources);
        self.poll()
    }

    pub(super) fn set(&mut self, resources: &[(Kind, &str, &str)]) {
        self.stream.on_snapshot(snapshot(resources), self.now);
    }

    /// A request without a nonce, and what goes out.
    pub(super) fn ask(&mut self, kind: Kind, names: &[&str]) -> Vec<Response> {
        self.send(request(kind, names));
        self.poll()
    }

    pub(super) fn send(&mut self, request: Request) {
        assert_eq!(self.try_send(request), Ok(()));
    }

    pub(super) fn try_send(&mut self, request: Request) -> Result<(), Reject> {
        self.stream.on_request(request, self.now)
    }

    /// Acknowledges a response, with the names that the client wants (which delta leaves out).
    pub(super) fn ack(&mut self, response: &Response, names: &[&str]) -> Vec<Response> {
        self.send(self.answer(response, names));
        self.poll()
    }

    pub(super) fn nack(
        &mut self,
        response: &Response,
        names: &[&str],
        message: &str,
    ) -> Vec<Response> {
        self.send(Request {
            error: Some(message.into()),
            ..self.answer(response, names)
        });
        self.poll()
    }

    pub(super) fn answer(&self, response: &Response, names: &[&str]) -> Request {
        let sotw = self.mode == Mode::Sotw;
        Request {
            nonce: response.nonce.clone(),
            version: if sotw {
                response.version_info.clone()
            } else {
                String::new()
            },
            ..request(response.kind, if sotw { names } else { &[] })
        }
    }

    /// Acknowledges all and everything that follows; returns all texts in order.
    pub(super) fn settle(&mut self, responses: Vec<Response>, names: &[&str]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut queue: std::collections::VecDeque<_> = responses.into();
        while let Some(response) = queue.pop_front() {
            seen.push(text(&response));
            let names = if response.kind.is_legacy_wildcard() {
                &[]
            } else {
                names
            };
            queue.extend(self.ack(&response, names));
            assert!(
                seen.len() < 1_000,
                "the stream does not come to rest: {seen:?}"
            );
        }
        seen
    }

    pub(super) fn poll(&mut self) -> Vec<Response> {
        self.stream.poll(self.now)
    }

    pub(super) fn pass(&mut self, seconds: u64) -> Vec<Response> {
        self.now += Duration::from_secs(seconds);
        self.poll()
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        self.stream.take_events()
    }
}

/// A proxy that runs: cluster, endpoints, listener and route are subscribed and acknowledged.
pub(super) fn running(mode: Mode, resources: &[(Kind, &str, &str)], names: &[&str]) -> Bench {
    let mut bench = Bench::new(mode).with(resources);
    for (kind, wanted) in [(CDS, &[][..]), (EDS, names), (LDS, &[]), (RDS, names)] {
        if wanted.is_empty() && !kind.is_legacy_wildcard() {
            continue;
        }
        let sent = bench.ask(kind, wanted);
        bench.settle(sent, names);
    }
    assert_eq!(texts(&bench.poll()), [""; 0]);
    bench.events();
    bench
}
