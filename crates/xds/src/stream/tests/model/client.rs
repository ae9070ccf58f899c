//! The client of the random runs: keeps what it is sent, and checks what must hold for every
//! response.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::*;
use super::{NAMES, Step, Verdict};

/// A client: CDS and LDS by wildcard, the others by name.
pub(super) struct Client {
    pub(super) bench: Bench,
    world: BTreeMap<(Kind, &'static str), u8>,
    wanted: BTreeMap<Kind, BTreeSet<&'static str>>,
    has: BTreeMap<(Kind, String), String>,
    inbox: BTreeMap<Kind, VecDeque<Response>>,
    nonces: BTreeSet<String>,
    published: u64,
    withheld: Withheld,
}

impl Client {
    pub(super) fn new(mode: Mode) -> Client {
        let mut client = Client {
            bench: Bench::new(mode),
            world: BTreeMap::new(),
            wanted: Kind::ALL
                .into_iter()
                .map(|kind| (kind, BTreeSet::new()))
                .collect(),
            has: BTreeMap::new(),
            inbox: BTreeMap::new(),
            nonces: BTreeSet::new(),
            published: 0,
            withheld: Withheld::default(),
        };
        for kind in [CDS, LDS] {
            let sent = client.bench.ask(kind, &[]);
            client.receive(sent);
        }
        client
    }

    fn sotw(&self) -> bool {
        self.bench.mode == Mode::Sotw
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Change(name, kind, Some(content)) => {
                self.world.insert((kind, NAMES[name]), content);
            }
            Step::Change(name, kind, None) => {
                self.world.remove(&(kind, NAMES[name]));
            }
            Step::Publish => self.publish(),
            Step::Subscribe(kind, name) => self.subscribe(kind, NAMES[name]),
            Step::Unsubscribe(kind, name) => self.unsubscribe(kind, NAMES[name]),
            Step::Answer(kind, verdict) => self.answer(kind, verdict),
            Step::Noise(kind, text, error) => self.noise(kind, text, error),
            Step::Withhold(name, kind, content, other) => {
                self.withhold(NAMES[name], kind, content, other);
            }
            Step::Release => self.release(),
            Step::Pass(seconds) => self.bench.now += Duration::from_secs(seconds.into()),
        }
        let sent = self.bench.poll();
        self.receive(sent);
    }

    fn withhold(&mut self, name: &'static str, kind: Kind, content: u8, other: Option<u8>) {
        let of = |content: u8| resource(kind, name, &content.to_string());
        let other = other.filter(|other| *other != content).map(of);
        self.withheld
            .insert(kind, name.into(), of(content).version, other);
        let sent = self.bench.withhold(self.withheld.clone());
        self.receive(sent);
    }

    fn release(&mut self) {
        self.withheld = Withheld::default();
        let sent = self.bench.withhold(Withheld::default());
        self.receive(sent);
    }

    pub(super) fn publish(&mut self) {
        self.published += 1;
        let contents: Vec<_> = self.world.values().map(u8::to_string).collect();
        let names = self.world.keys().zip(&contents);
        let resources: Vec<_> = names
            .map(|((kind, name), content)| (*kind, *name, &**content))
            .collect();
        self.bench.set(&resources);
    }

    fn subscribe(&mut self, kind: Kind, name: &'static str) {
        if kind.is_legacy_wildcard() || !self.wanted.entry(kind).or_default().insert(name) {
            return;
        }
        let names = if self.sotw() {
            self.names(kind)
        } else {
            vec![name.to_string()]
        };
        self.bench.send(Request {
            names,
            ..request(kind, &[])
        });
    }

    fn unsubscribe(&mut self, kind: Kind, name: &'static str) {
        if !self.wanted.entry(kind).or_default().remove(name) {
            return;
        }
        self.has.remove(&(kind, name.to_string()));
        let (names, unsubscribe) = match self.sotw() {
            true => (self.names(kind), Vec::new()),
            false => (Vec::new(), vec![name.to_string()]),
        };
        self.bench.send(Request {
            names,
            unsubscribe,
            ..request(kind, &[])
        });
    }

    fn names(&self, kind: Kind) -> Vec<String> {
        self.wanted[&kind]
            .iter()
            .map(|name| name.to_string())
            .collect()
    }

    fn answer(&mut self, kind: Kind, verdict: Verdict) {
        let Some(response) = self.inbox.entry(kind).or_default().pop_front() else {
            return;
        };
        let error = match verdict {
            Verdict::Accept => None,
            Verdict::Reject => Some("something is wrong".to_string()),
            Verdict::RejectByName => response
                .resources
                .first()
                .map(|bad| format!("{}: wrong", bad.name)),
        };
        if error.is_none() {
            self.apply(&response);
        } else {
            self.apply_removals(&response);
        }
        let names = if self.sotw() {
            self.names(kind)
        } else {
            Vec::new()
        };
        let nonce = response.nonce.clone();
        self.bench.send(Request {
            nonce,
            error,
            names,
            ..request(kind, &[])
        });
    }

    /// A request with a nonce of no response, and a nonce that may be one.
    fn noise(&mut self, kind: Kind, nonce: String, error: bool) {
        let known = self
            .inbox
            .entry(kind)
            .or_default()
            .iter()
            .any(|sent| sent.nonce == nonce);
        let names = if self.sotw() {
            self.names(kind)
        } else {
            Vec::new()
        };
        if known || self.bench.stream.tracks[kind.index()].wants_nothing() {
            return;
        }
        let error = error.then(|| "noise".to_string());
        self.bench.send(Request {
            nonce,
            error,
            names,
            ..request(kind, &[])
        });
    }

    fn apply(&mut self, response: &Response) {
        let kind = response.kind;
        self.apply_removals(response);
        for resource in &response.resources {
            let wanted = kind.is_legacy_wildcard() || self.wanted[&kind].contains(&*resource.name);
            if wanted {
                let content = String::from_utf8_lossy(&resource.body).into_owned();
                self.has.insert((kind, resource.name.to_string()), content);
            }
        }
    }

    /// Envoy takes away what a response leaves out or removes even if it refuses the rest.
    fn apply_removals(&mut self, response: &Response) {
        let kept: BTreeSet<&str> = response.resources.iter().map(|r| &*r.name).collect();
        if self.sotw() && response.kind.is_full_set() {
            self.has
                .retain(|(kind, name), _| *kind != response.kind || kept.contains(&**name));
        }
        for name in &response.removed {
            self.has.remove(&(response.kind, name.to_string()));
        }
    }

    /// What must hold for every response.
    fn receive(&mut self, responses: Vec<Response>) {
        assert!(
            self.published > 0 || responses.is_empty(),
            "sent before the first snapshot"
        );
        if !self.sotw() {
            self.assert_paired(&responses);
        }
        for response in responses {
            assert!(
                self.nonces.insert(response.nonce.clone()),
                "nonce {} twice",
                response.nonce
            );
            let mut names = BTreeSet::new();
            for name in response
                .resources
                .iter()
                .map(|r| &r.name)
                .chain(&response.removed)
            {
                assert!(
                    names.insert(Arc::clone(name)),
                    "{name} twice in {}",
                    text(&response)
                );
            }
            assert!(!self.sotw() || response.removed.is_empty());
            self.inbox
                .entry(response.kind)
                .or_default()
                .push_back(response);
        }
    }

    /// Endpoints that the client wants follow their cluster in the same flush.
    fn assert_paired(&self, responses: &[Response]) {
        for (at, response) in responses
            .iter()
            .enumerate()
            .filter(|(_, sent)| sent.kind == CDS)
        {
            let later = responses[at..].iter().filter(|sent| sent.kind == EDS);
            let sent: Vec<_> = later
                .flat_map(|sent| &sent.resources)
                .map(|r| &r.name)
                .collect();
            for cluster in &response.resources {
                let wanted = self.wanted[&EDS].contains(&*cluster.name);
                assert!(
                    !wanted || sent.contains(&&cluster.name),
                    "{} without EDS",
                    cluster.name
                );
            }
        }
    }

    /// Changes every resource once, so that nothing rejected is left, and accepts everything.
    pub(super) fn come_to_rest(&mut self) {
        for content in self.world.values_mut() {
            *content += 100;
        }
        self.publish();
        self.answer_all(Verdict::Accept);
    }

    /// Gives one answer to everything, until nothing more comes.
    pub(super) fn answer_all(&mut self, verdict: Verdict) {
        let sent = self.bench.poll();
        self.receive(sent);
        for _ in 0..100 {
            for kind in Kind::ALL {
                while self.inbox.get(&kind).is_some_and(|queue| !queue.is_empty()) {
                    self.answer(kind, verdict);
                }
            }
            let sent = self.bench.poll();
            let quiet = sent.is_empty();
            self.receive(sent);
            match (quiet, self.bench.stream.deadline()) {
                (true, None) => return,
                (true, Some(deadline)) => self.bench.now = self.bench.now.max(deadline),
                (false, _) => {}
            }
            let sent = self.bench.poll();
            self.receive(sent);
        }
        panic!("the stream does not come to rest");
    }

    /// Everything wanted that exists is there; of CDS and LDS nothing else.
    pub(super) fn assert_converged(&self) {
        for ((kind, name), content) in &self.world {
            if kind.is_legacy_wildcard() || self.wanted[kind].contains(name) {
                let has = self.has.get(&(*kind, name.to_string()));
                assert_eq!(has, Some(&content.to_string()), "{kind} {name}");
            }
        }
        for (kind, name) in self
            .has
            .keys()
            .filter(|(kind, _)| kind.is_legacy_wildcard())
        {
            let exists = self.world.keys().any(|(k, n)| k == kind && n == name);
            assert!(exists, "{kind} {name} was not taken away");
        }
    }
}
