//! One kind on one stream: what the client asked for, what it has, what it answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::blame;
use super::flight::{Flight, Flights, Item};
use super::status::{Counters, KindStatus, Mark, Nack};
use super::subscription::Subscription;
use crate::kind::Kind;
use crate::message::Mode;
use crate::resource::{Resource, Version};
use crate::snapshot::Snapshot;

/// What the client has under a name.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// Sent on this stream.
    Sent(Arc<Resource>),
    /// Named by the client, with this version, when it reconnected.
    Told(Box<Version>),
    /// It may have something, we cannot know what.
    Unknown,
}

/// One kind on one stream.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) kind: Kind,
    /// Responses must hold everything, because the client deletes what is missing.
    pub(crate) full_set: bool,
    /// The client asked for this kind on this stream.
    pub(crate) started: bool,
    /// It had nothing of this kind from an earlier stream.
    pub(crate) fresh: bool,
    /// It got at least one response.
    pub(crate) answered: bool,
    /// It must get a response even if there is nothing to say.
    pub(crate) answer_owed: bool,
    pub(crate) subscription: Subscription,
    pub(crate) held: BTreeMap<Arc<str>, Held>,
    /// Names to be sent even if the client seems to have them.
    pub(crate) due: BTreeSet<Arc<str>>,
    /// Names of a rejected response that named no culprit, and how many of them may share the next
    /// response.
    pub(crate) suspects: BTreeMap<Arc<str>, usize>,
    /// Content that the client rejected. Not sent again until it changes.
    pub(crate) rejected: BTreeMap<Arc<str>, Version>,
    pub(crate) flights: Flights,
    /// There may be something to send: snapshot or subscription changed since the last look.
    pub(crate) dirty: bool,
    /// Since when content has waited for clusters to be ready.
    pub(crate) waiting_since: Option<Instant>,
    /// Names to be taken from the client once nothing refers to them, and since when.
    pub(crate) gone: BTreeMap<Arc<str>, Instant>,
    sent: Option<Mark>,
    acked: Option<Mark>,
    nack: Option<Nack>,
    pub(crate) counters: Counters,
}

// === impl Held ===

impl Held {
    pub(crate) fn is(&self, version: Version) -> bool {
        match self {
            Held::Sent(resource) => resource.version == version,
            Held::Told(told) => **told == version,
            Held::Unknown => false,
        }
    }

    pub(crate) fn body(&self) -> Option<&Arc<Resource>> {
        match self {
            Held::Sent(resource) => Some(resource),
            Held::Told(_) | Held::Unknown => None,
        }
    }
}

// === impl Track ===

impl Track {
    pub(crate) fn new(kind: Kind, mode: Mode) -> Track {
        Track {
            kind,
            full_set: mode == Mode::Sotw && kind.is_full_set(),
            started: false,
            fresh: true,
            answered: false,
            answer_owed: false,
            subscription: Subscription::default(),
            held: BTreeMap::new(),
            due: BTreeSet::new(),
            suspects: BTreeMap::new(),
            rejected: BTreeMap::new(),
            flights: Flights::default(),
            dirty: false,
            waiting_since: None,
            gone: BTreeMap::new(),
            sent: None,
            acked: None,
            nack: None,
            counters: Counters::default(),
        }
    }

    /// Whether there is a reason to look for something to send.
    pub(crate) fn has_work(&self) -> bool {
        self.started && (self.dirty || self.answer_owed)
    }

    /// Whether the client has accepted, or at least answered, all there is.
    pub(crate) fn is_idle(&self) -> bool {
        !self.has_work() && self.flights.is_empty()
    }

    /// Until when an unanswered response keeps the next one back: one at a time, latest wins, but
    /// a lost answer must not freeze the kind.
    pub(crate) fn blocked_until(&self, now: Instant, guard: Duration) -> Option<Instant> {
        let until = self.flights.newest()? + guard;
        (now < until).then_some(until)
    }

    /// The client dropped a name: nothing we know about it counts any more.
    pub(crate) fn forget(&mut self, name: &str) {
        self.held.remove(name);
        self.due.remove(name);
        self.suspects.remove(name);
        self.rejected.remove(name);
        self.gone.remove(name);
    }

    /// The wildcard is gone: only names count from now on.
    pub(crate) fn shrink(&mut self, wildcard_dropped: bool) {
        if wildcard_dropped {
            let subscription = &self.subscription;
            self.held.retain(|name, _| subscription.contains(name));
            self.gone.retain(|name, _| subscription.contains(name));
            self.rejected.retain(|name, _| subscription.contains(name));
        }
    }

    /// Takes what the client says it has from an earlier stream.
    pub(crate) fn resume(&mut self, versions: &BTreeMap<String, String>) {
        self.fresh = versions.is_empty();
        for (name, version) in versions {
            if !name.is_empty() && self.subscription.contains(name) {
                let held = version
                    .parse()
                    .map_or(Held::Unknown, |v| Held::Told(Box::new(v)));
                self.held.insert(name.as_str().into(), held);
            }
        }
    }

    /// The client asked for a name, so it is answered whatever we believe it has.
    pub(crate) fn ask(&mut self, name: Arc<str>) {
        self.rejected.remove(&name);
        self.due.insert(name);
    }

    /// Rejected content that has changed since may go out again.
    pub(crate) fn forgive(&mut self, snapshot: &Snapshot) {
        let kind = self.kind;
        self.rejected
            .retain(|name, version| match snapshot.get(kind, name) {
                Some(current) => current.version == *version,
                // The empty answer to an unknown name can be rejected too.
                None => !kind.is_full_set(),
            });
    }

    /// Whether the client refuses something that it should run now.
    pub(crate) fn refuses(&self, snapshot: &Snapshot) -> bool {
        self.rejected
            .keys()
            .any(|name| snapshot.get(self.kind, name).is_some())
    }

    /// Writes down a response that is being sent: `changed` are the resources that are new to the
    /// client, `removed` the names that it loses.
    pub(crate) fn record(
        &mut self,
        mark: Mark,
        seq: u64,
        changed: &[Arc<Resource>],
        removed: &[Arc<str>],
    ) {
        // After a reconnect, state of the world does not tell which names the client still has.
        let blind = self.full_set && !self.fresh && self.acked.is_none();
        let unseen = blind.then_some(Held::Unknown);
        let mut items = Vec::with_capacity(changed.len());
        for resource in changed {
            let name = Arc::clone(&resource.name);
            self.due.remove(&name);
            self.suspects.remove(&name);
            self.rejected.remove(&name);
            self.gone.remove(&name);
            let before = self.held.insert(name, Held::Sent(Arc::clone(resource)));
            items.push(Item::new(resource, before.or_else(|| unseen.clone())));
        }
        for name in removed {
            self.due.remove(name);
            self.held.remove(name);
            self.gone.remove(name);
        }
        let flight = Flight {
            seq,
            version_info: mark.version.clone(),
            at: mark.at,
            items,
        };
        self.flights.push(flight, 4 * self.held.len() + 256);
        self.counters.sent += 1;
        self.answered = true;
        self.answer_owed = false;
        self.sent = Some(mark);
    }

    /// Takes an ACK of `settled` responses.
    pub(crate) fn accept(&mut self, settled: &[Flight], now: Instant) {
        let Some(last) = settled.last() else { return };
        self.counters.acked += settled.len() as u64;
        self.acked = Some(Mark {
            nonce: last.seq.to_string(),
            version: last.version_info.clone(),
            at: now,
        });
        self.nack = None;
    }

    /// Whether a full set without these names would take something from the client that we have
    /// no body of, from an earlier stream.
    pub(crate) fn would_tear(&self, without: &BTreeSet<Arc<str>>) -> bool {
        let unseen = |name| matches!(self.held.get(name), Some(Held::Unknown));
        self.full_set && (!self.answered || without.iter().any(unseen))
    }

    /// Takes a NACK that covers `settled` responses, and returns it with the names found guilty.
    ///
    /// What is not guilty is sent again, unless the client says that it took it. If the message
    /// names nobody, suspects are told apart by sending them in smaller responses.
    pub(crate) fn reject(
        &mut self,
        settled: Vec<Flight>,
        nonce: String,
        message: String,
        now: Instant,
    ) -> Nack {
        self.counters.nacked += 1;
        let items: Vec<Item> = settled
            .into_iter()
            .flat_map(|flight| flight.items)
            .collect();
        let alone = items.len() == 1;
        let guilty: BTreeSet<Arc<str>> = items
            .iter()
            .filter(|item| alone || blame::mentions(&message, &item.name))
            .map(|item| Arc::clone(&item.name))
            .collect();
        let names = guilty.iter().map(|name| name.to_string()).collect();
        // A full set cannot be sent in single resources; its news are halved until one is left. But
        // halves would take from a client what it has from an earlier stream: better leave it so.
        let group = if self.full_set { items.len() / 2 } else { 1 };
        let unseen = items
            .iter()
            .any(|item| matches!(item.before, Some(Held::Unknown)));
        let leave = self.full_set && unseen && guilty.is_empty();
        for item in items {
            if guilty.contains(&item.name) {
                self.refuse(item);
            } else if leave {
                self.doubt(item);
            } else if guilty.is_empty() {
                self.suspects.insert(Arc::clone(&item.name), group.max(1));
                self.doubt(item);
            } else if !(self.kind.is_full_set() && blame::applied_the_rest(&message)) {
                self.doubt(item);
            }
        }
        self.dirty &= !leave;
        let nack = Nack {
            nonce,
            message,
            names,
            at: now,
        };
        self.nack = Some(nack.clone());
        nack
    }

    /// The content is bad: the client keeps what it had, and we do not offer it again.
    fn refuse(&mut self, item: Item) {
        let (name, version) = (Arc::clone(&item.name), item.version);
        if self.undo(item) {
            self.rejected.insert(name, version);
        }
    }

    /// The content is good or unknown, and the client may not have it: it goes out again.
    fn doubt(&mut self, item: Item) {
        let name = Arc::clone(&item.name);
        // In a full set the last good content must stand in for it meanwhile.
        if self.undo(item) && !self.full_set {
            self.held.insert(name, Held::Unknown);
        }
    }

    /// Goes back to what the client had before. False if it does not matter any more: the name is
    /// not wanted, or a later response has replaced the content.
    fn undo(&mut self, item: Item) -> bool {
        if !self.subscription.contains(&item.name) || self.flights.rebase(&item) {
            return false;
        }
        if !self
            .held
            .get(&item.name)
            .is_some_and(|held| held.is(item.version))
        {
            return false;
        }
        match item.before {
            Some(before) => self.held.insert(item.name, before),
            None => self.held.remove(&item.name),
        };
        self.dirty = true;
        true
    }

    pub(crate) fn last_nonce(&self) -> Option<&str> {
        self.sent.as_ref().map(|mark| &*mark.nonce)
    }

    pub(crate) fn status(&self) -> KindStatus {
        KindStatus {
            subscribed: self.subscription.names().len(),
            wildcard: self.subscription.is_wildcard(),
            sent: self.sent.clone(),
            acked: self.acked.clone(),
            nack: self.nack.clone(),
            withheld: self.rejected.keys().map(|name| name.to_string()).collect(),
            counters: self.counters,
        }
    }
}
