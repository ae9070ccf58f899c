//! The protocol, row by row: each test is named after the row of the protocol checklist it holds.
//!
//! `Bench` drives the machine as a client and a compiler would, in a few words.

mod change;
mod delta;
mod flow;
mod model;
mod nack;
mod order;
mod sotw;
mod subscribe;
mod withheld;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Event, Reject, Stream, Timing};
use crate::kind::Kind;
use crate::message::{Mode, Request, Response};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::snapshot::Snapshot;
use crate::withheld::Withheld;

pub(super) const CDS: Kind = Kind::Cluster;
pub(super) const EDS: Kind = Kind::Endpoint;
pub(super) const LDS: Kind = Kind::Listener;
pub(super) const RDS: Kind = Kind::Route;
pub(super) const SDS: Kind = Kind::Secret;

/// A stream under test, with a clock that only moves when told.
///
/// A shadow gets the same input without knowing what changed, and writes down everything at
/// length: it must say the same, word for word.
pub(super) struct Bench {
    pub(super) stream: Stream,
    shadow: Stream,
    sets: [Resources; Kind::COUNT],
    generation: u64,
    pub(super) now: Instant,
    mode: Mode,
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
        Bench::of(mode, None)
    }

    /// On a service of one type, or of all.
    pub(super) fn of(mode: Mode, only: Option<Kind>) -> Bench {
        let mut stream = Stream::new(mode, only, Timing::default());
        let mut shadow = Stream::new(mode, only, Timing::default());
        for kind in Kind::ALL.map(Kind::index) {
            stream.tracks[kind].ledger.compact_from(1);
            shadow.tracks[kind].ledger.compact_from(usize::MAX);
        }
        Bench {
            stream,
            shadow,
            sets: Default::default(),
            generation: 0,
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
        self.set(resources);
        self
    }

    /// A new snapshot, and what goes out.
    pub(super) fn publish(&mut self, resources: &[(Kind, &str, &str)]) -> Vec<Response> {
        self.set(resources);
        self.poll()
    }

    pub(super) fn set(&mut self, resources: &[(Kind, &str, &str)]) {
        let resources = resources.iter();
        self.give(resources.map(|(kind, name, content)| (*kind, resource(*kind, name, content))));
    }

    /// A snapshot of these resources, derived from the one before.
    pub(super) fn give(&mut self, resources: impl Iterator<Item = (Kind, Arc<Resource>)>) {
        self.generation += 1;
        let resources: Vec<_> = resources.collect();
        let mut builder = Snapshot::builder(self.generation).made_at(self.now);
        let mut forgetful = Snapshot::builder(self.generation).made_at(self.now);
        for kind in Kind::ALL {
            let wanted = resources.iter().filter(|(of, _)| *of == kind);
            let wanted: Vec<_> = wanted.map(|(_, wanted)| Arc::clone(wanted)).collect();
            let names: BTreeSet<Arc<str>> = wanted.iter().map(|r| Arc::clone(&r.name)).collect();
            let old = &self.sets[kind.index()];
            let gone = old.iter().map(|old| Arc::clone(&old.name));
            let gone: Vec<_> = gone.filter(|name| !names.contains(name)).collect();
            let new = old.derive(wanted, gone);
            builder = builder.share(kind, Arc::new(new.clone()));
            forgetful = forgetful.share(kind, Arc::new(new.iter().cloned().collect()));
            self.sets[kind.index()] = new;
        }
        self.stream.on_snapshot(builder.build(), self.now);
        self.shadow.on_snapshot(forgetful.build(), self.now);
    }

    pub(super) fn withhold(&mut self, withheld: Withheld) -> Vec<Response> {
        let withheld = Arc::new(withheld);
        self.stream.on_withheld(Arc::clone(&withheld));
        self.shadow.on_withheld(withheld);
        self.poll()
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
        let outcome = self.stream.on_request(request.clone(), self.now);
        assert_eq!(self.shadow.on_request(request, self.now), outcome);
        outcome
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
        let sent = self.stream.poll(self.now);
        let shadow = self.shadow.poll(self.now);
        assert_eq!(
            texts(&sent),
            texts(&shadow),
            "what changed makes a difference"
        );
        assert_eq!(sent, shadow);
        assert_eq!(self.stream.deadline(), self.shadow.deadline());
        sent
    }

    pub(super) fn pass(&mut self, seconds: u64) -> Vec<Response> {
        self.now += Duration::from_secs(seconds);
        self.poll()
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        let events = self.stream.take_events();
        assert_eq!(events, self.shadow.take_events());
        events
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
