//! One synthetic Envoy, without I/O: parts of responses in, requests out.
//!
//! It behaves as Envoy 1.40 does: clusters by wildcard first; endpoints for the clusters found;
//! the ACK of clusters held back until they are warm; then listeners, then routes. On a new
//! stream it names what it holds (delta), and says its node once.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;

use crate::board::{Arrival, Board, Sighting};
use crate::names::{Bits, List, Names};
use crate::request::{self, Request, Saying};
use crate::resource::{self, Kind, Mode, Resource};
use crate::sieve::Part;
use crate::wire::{Value, put_bytes, put_number};

/// What does not change during the life of a proxy.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) index: u32,
    pub(crate) mode: Mode,
    /// Encoded.
    pub(crate) node: Bytes,
    /// Names and versions are remembered, to be named after a reconnect.
    pub(crate) remembers: bool,
    /// Responses are kept whole, for the floor server.
    pub(crate) records: bool,
}

pub(crate) struct Proxy {
    identity: Identity,
    tracks: [Track; 4],
    /// The message that is arriving.
    current: Message,
    complete: bool,
    answered: bool,
    /// The last change that was seen in each resource.
    seen: BTreeMap<u32, u64>,
    pub(crate) recorded: Vec<(Kind, Bytes)>,
}

/// A type of resources, as the proxy sees it.
#[derive(Default)]
struct Track {
    asked: bool,
    /// What was subscribed to; empty for wildcards.
    wanted: Rc<List>,
    have: Bits,
    missing: usize,
    version: Bytes,
    nonce: Bytes,
    /// An ACK that waits for warming.
    held_ack: bool,
    /// Version by name, by their numbers.
    held: BTreeMap<u32, u32>,
}

/// What is known of a message before it ends.
#[derive(Default)]
struct Message {
    kind: Option<Kind>,
    nonce: Bytes,
    version: Bytes,
    resources: usize,
    removed: usize,
    /// Names that the resources refer to: endpoints of clusters, routes of listeners.
    referred: Vec<u32>,
    got: Vec<u32>,
    /// Answered, too: there is nothing of that name.
    gone: Vec<u32>,
    changes: Vec<u64>,
    raw: Vec<u8>,
}

// === impl Proxy ===

impl Proxy {
    pub(crate) fn new(identity: Identity) -> Proxy {
        Proxy {
            identity,
            tracks: Default::default(),
            current: Message::default(),
            complete: false,
            answered: false,
            seen: BTreeMap::new(),
            recorded: Vec::new(),
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.identity.mode
    }

    pub(crate) fn index(&self) -> u32 {
        self.identity.index
    }

    /// The requests that open a stream: for clusters, and for all that it had asked for before.
    pub(crate) fn open(&mut self, names: &Names) -> Vec<Request> {
        (self.current, self.answered) = (Message::default(), false);
        let mut requests = Vec::new();
        for kind in Kind::ALL {
            let track = &mut self.tracks[kind.index()];
            track.nonce = Bytes::new();
            track.held_ack = false;
            if kind != Kind::Cluster && !track.asked {
                continue;
            }
            track.asked = true;
            let mut held = Vec::new();
            for (name, version) in &track.held {
                request::put_held(&mut held, names.text(*name), names.text(*version));
            }
            let node = requests.is_empty().then_some(&self.identity.node[..]);
            let saying = Saying {
                kind,
                node,
                nonce: b"",
                version: &track.version,
                held: &held,
            };
            requests.push(Request::new(
                self.identity.mode,
                &saying,
                track.wanted.encoded.clone(),
            ));
        }
        requests
    }

    /// Takes a part of a response in; what is to be answered when it ends one.
    pub(crate) fn take(
        &mut self,
        part: Part<'_>,
        names: &mut Names,
        board: &Board,
    ) -> Vec<Request> {
        match part {
            Part::Field(number, value) => {
                self.field(number, value, names, board);
                Vec::new()
            }
            Part::End(bytes) => self.end(bytes, names, board),
        }
    }

    /// Fields of `DeltaDiscoveryResponse` and `DiscoveryResponse`: version 1, resources 2,
    /// type_url 4, nonce 5, removed_resources 6.
    fn field(&mut self, number: u32, value: Value<'_>, names: &mut Names, board: &Board) {
        if self.identity.records && number != 5 {
            match value {
                Value::Bytes(bytes) => put_bytes(&mut self.current.raw, number, bytes),
                Value::Varint(value) => put_number(&mut self.current.raw, number, value),
                Value::Fixed => {}
            }
        }
        let (Value::Bytes(bytes), delta) = (value, self.identity.mode == Mode::Delta) else {
            return;
        };
        match number {
            1 => self.current.version = Bytes::copy_from_slice(bytes),
            2 => self.resource(bytes, names, board),
            4 => self.current.kind = Kind::from_type_url(bytes),
            5 => self.current.nonce = Bytes::copy_from_slice(bytes),
            6 if delta => {
                self.current.removed += 1;
                let number = names.number(bytes);
                self.current.gone.push(number);
            }
            _ => {}
        }
    }

    /// A resource comes before the type of its response, so its own type tells what it is.
    fn resource(&mut self, bytes: &[u8], names: &mut Names, board: &Board) {
        let resource = Resource::read(self.identity.mode, bytes);
        let Some(kind) = resource.kind else { return };
        let message = &mut self.current;
        message.resources += 1;
        let name = names.number(resource.name);
        match kind {
            Kind::Cluster => message
                .referred
                .extend(resource::endpoints_of(resource.body).map(|n| names.number(n))),
            Kind::Listener => message
                .referred
                .extend(resource::routes_of(resource.body).map(|n| names.number(n))),
            Kind::Endpoint | Kind::Route => {
                message.got.push(name);
                if let Some(change) = board.change_in(resource.name, resource.body)
                    && self.seen.insert(name, change) != Some(change)
                {
                    message.changes.push(change);
                }
            }
        }
        if self.identity.remembers {
            let version = names.number(resource.version);
            self.tracks[kind.index()].held.insert(name, version);
        }
    }

    fn end(&mut self, bytes: usize, names: &mut Names, board: &Board) -> Vec<Request> {
        let message = std::mem::take(&mut self.current);
        let Some(kind) = message.kind else {
            return Vec::new();
        };
        let at = board.now();
        board.arrived(Arrival {
            kind,
            bytes,
            resources: message.resources,
            removed: message.removed,
        });
        for change in &message.changes {
            board.saw(Sighting {
                change: *change,
                proxy: self.identity.index,
                at,
            });
        }
        if self.identity.records {
            self.recorded.push((kind, message.raw.clone().into()));
        }
        if !std::mem::replace(&mut self.answered, true) {
            board.add(|board| &board.answered);
        }
        let track = &mut self.tracks[kind.index()];
        (track.nonce, track.version) = (message.nonce.clone(), message.version.clone());
        for name in &message.gone {
            track.held.remove(name);
        }
        for name in message.got.iter().chain(&message.gone) {
            if track.have.insert(*name) && track.wanted.numbers.contains_sorted(*name) {
                track.missing -= 1;
            }
        }
        let mut requests = Vec::new();
        match kind {
            Kind::Cluster => {
                self.tracks[kind.index()].held_ack = true;
                self.refer(Kind::Endpoint, message.referred, names, &mut requests);
            }
            Kind::Listener => {
                requests.push(self.ack(kind));
                self.refer(Kind::Route, message.referred, names, &mut requests);
            }
            Kind::Endpoint | Kind::Route => requests.push(self.ack(kind)),
        }
        self.proceed(&mut requests, board);
        requests
    }

    /// Subscribes to names that were not known before.
    fn refer(
        &mut self,
        kind: Kind,
        mut referred: Vec<u32>,
        names: &mut Names,
        requests: &mut Vec<Request>,
    ) {
        referred.sort_unstable();
        referred.dedup();
        let track = &mut self.tracks[kind.index()];
        let mut new = referred;
        new.retain(|name| !track.wanted.numbers.contains_sorted(*name));
        if new.is_empty() {
            return;
        }
        track.missing += new
            .iter()
            .filter(|name| !track.have.contains(**name))
            .count();
        track.asked = true;
        let added = names.list(new);
        let mut all = [&track.wanted.numbers[..], &added.numbers[..]].concat();
        all.sort_unstable();
        track.wanted = names.list(all);
        let (list, nonce) = match self.identity.mode {
            Mode::Delta => (added.encoded.clone(), Bytes::new()),
            Mode::Sotw => (track.wanted.encoded.clone(), track.nonce.clone()),
        };
        let saying = Saying {
            kind,
            node: None,
            nonce: &nonce,
            version: &track.version,
            held: &[],
        };
        requests.push(Request::new(self.identity.mode, &saying, list));
    }

    /// What can be said now that was waiting: the clusters' ACK, listeners, completion.
    fn proceed(&mut self, requests: &mut Vec<Request>, board: &Board) {
        let [clusters, endpoints, ..] = &mut self.tracks;
        if endpoints.missing > 0 {
            return;
        }
        if std::mem::take(&mut clusters.held_ack) {
            requests.push(self.ack(Kind::Cluster));
        } else if clusters.nonce.is_empty() {
            return;
        }
        let [_, _, listeners, routes] = &mut self.tracks;
        if !std::mem::replace(&mut listeners.asked, true) {
            let saying = Saying {
                kind: Kind::Listener,
                node: None,
                nonce: b"",
                version: b"",
                held: b"",
            };
            requests.push(Request::new(self.identity.mode, &saying, Bytes::new()));
        } else if !listeners.nonce.is_empty() && routes.missing == 0 && !self.complete {
            self.complete = true;
            board.completed(board.now());
        }
    }

    fn ack(&self, kind: Kind) -> Request {
        let track = &self.tracks[kind.index()];
        let names = match self.identity.mode {
            Mode::Delta => Bytes::new(),
            // Every ACK repeats all names.
            Mode::Sotw => track.wanted.encoded.clone(),
        };
        let saying = Saying {
            kind,
            node: None,
            nonce: &track.nonce,
            version: &track.version,
            held: &[],
        };
        Request::new(self.identity.mode, &saying, names)
    }
}

/// Lists are sorted, so that asking is cheap.
trait Sorted {
    fn contains_sorted(&self, number: u32) -> bool;
}

impl Sorted for Vec<u32> {
    fn contains_sorted(&self, number: u32) -> bool {
        self.binary_search(&number).is_ok()
    }
}
