//! One kind on one stream: what the client asked for, what it has, what it answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flight::{Flight, Flights, Item};
use super::ledger::{Held, Ledger, add_all, remove_all};
use super::look::Look;
use super::status::{Counters, KindStatus, Mark, Nack};
use super::subscription::{Book, Change, Subscription};
use crate::kind::Kind;
use crate::message::{Mode, Request};
use crate::resource::{Resource, Version};
use crate::snapshot::{Layers, Snapshot};
use crate::withheld::Withheld;

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
    pub(crate) ledger: Ledger,
    /// The client told versions that have not been compared with the snapshot.
    unconfirmed: bool,
    /// Names to be sent even if the client seems to have them.
    pub(crate) due: BTreeSet<Arc<str>>,
    /// Names of a rejected response that named no culprit, and how many of them may share the next
    /// response.
    pub(crate) suspects: BTreeMap<Arc<str>, usize>,
    /// Content that the client rejected. Not sent again until it changes.
    pub(crate) rejected: BTreeMap<Arc<str>, Version>,
    pub(crate) flights: Flights,
    /// What may have to be sent: snapshot or subscription changed since the last look.
    pub(crate) look: Look,
    /// When the oldest change was known that has not been sent yet.
    pub(crate) news: Option<Instant>,
    /// Since when content has waited for clusters to be ready.
    pub(crate) waiting_since: Option<Instant>,
    /// Names to be taken from the client once nothing refers to them, and since when.
    pub(crate) gone: BTreeMap<Arc<str>, Instant>,
    sent: Option<Stamp>,
    pub(super) acked: Option<Stamp>,
    pub(super) nack: Option<Box<Nack>>,
    pub(crate) counters: Counters,
}

/// A response that was sent or answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) seq: u64,
    pub(crate) version: Version,
    pub(crate) at: Instant,
}

// === impl Stamp ===

impl From<Stamp> for Mark {
    fn from(stamp: Stamp) -> Mark {
        Mark {
            nonce: stamp.seq.to_string(),
            version: stamp.version.to_string(),
            at: stamp.at,
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
            ledger: Ledger::default(),
            unconfirmed: false,
            due: BTreeSet::new(),
            suspects: BTreeMap::new(),
            rejected: BTreeMap::new(),
            flights: Flights::default(),
            look: Look::default(),
            news: None,
            waiting_since: None,
            gone: BTreeMap::new(),
            sent: None,
            acked: None,
            nack: None,
            counters: Counters::default(),
        }
    }

    /// Whether the client asked for that name, or for everything.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.subscription.is_wildcard() || self.ledger.is_named(name)
    }

    pub(crate) fn wants_nothing(&self) -> bool {
        !self.subscription.is_wildcard() && self.ledger.named() == 0
    }

    /// Whether there is a reason to look for something to send.
    pub(crate) fn has_work(&self) -> bool {
        self.started && (!self.look.is_clean() || self.answer_owed)
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

    /// Takes the names of a state-of-the-world request.
    pub(crate) fn replace(&mut self, list: &[String], known: Option<&Layers>) -> Change {
        let ledger = &mut self.ledger;
        self.subscription
            .replace(self.kind, list, Book { ledger, known })
    }

    /// Takes the names of a delta request.
    pub(crate) fn adjust(
        &mut self,
        is_first: bool,
        request: &Request,
        known: Option<&Layers>,
    ) -> Change {
        let legacy = is_first && request.names.is_empty() && self.kind.is_legacy_wildcard();
        let ledger = &mut self.ledger;
        let book = Book { ledger, known };
        self.subscription
            .adjust(legacy, &request.names, &request.unsubscribe, book)
    }

    /// A snapshot came that differs in these names; `None` if any may. What the client has is
    /// written down relative to it from now on. The first one of a stream brings no news: it may
    /// be older than the stream.
    pub(crate) fn turn(
        &mut self,
        changed: Option<&[Arc<str>]>,
        snapshot: &Snapshot,
        is_first: bool,
    ) {
        self.ledger.rebase(snapshot.layers(self.kind), changed);
        if !self.started || changed.is_some_and(<[_]>::is_empty) {
            return;
        }
        self.look.at_each(changed);
        if !is_first {
            self.news = self.news.or(snapshot.made_at);
        }
    }

    /// The client lost a name: nothing we know about it counts any more.
    pub(crate) fn forget(&mut self, name: &Arc<str>) {
        self.ledger.put(name, None);
        self.due.remove(name);
        self.suspects.remove(name);
        self.rejected.remove(name);
        self.gone.remove(name);
    }

    /// The wildcard is gone: only names count from now on.
    pub(crate) fn shrink(&mut self, wildcard_dropped: bool) {
        if wildcard_dropped {
            self.ledger.keep_named();
            let ledger = &self.ledger;
            self.gone.retain(|name, _| ledger.is_named(name));
            self.rejected.retain(|name, _| ledger.is_named(name));
        }
    }

    /// Takes what the client says it has from an earlier stream.
    pub(crate) fn resume(&mut self, versions: &BTreeMap<String, String>, known: Option<&Layers>) {
        self.fresh = versions.is_empty();
        self.unconfirmed = !self.fresh;
        for (name, version) in versions {
            if !name.is_empty() && self.wants(name) {
                let known = known.and_then(|layers| layers.get(name));
                let key = known.map_or_else(|| name.as_str().into(), |r| Arc::clone(&r.name));
                let held = version
                    .parse()
                    .map_or(Held::Unknown, |v| Held::Told(Box::new(v)));
                self.ledger.put(&key, Some(held));
            }
        }
    }

    /// What the client told us and that is what we would send counts as sent from now on.
    pub(crate) fn confirm(&mut self, snapshot: &Snapshot) {
        if std::mem::take(&mut self.unconfirmed) {
            self.ledger.confirm(snapshot.layers(self.kind));
        }
    }

    /// The client asked for names, so they are answered whatever we believe it has.
    pub(crate) fn ask(&mut self, names: impl IntoIterator<Item = Arc<str>>) {
        let names: BTreeSet<Arc<str>> = names.into_iter().collect();
        self.rejected.retain(|name, _| !names.contains(name));
        self.look.at_all(&names);
        add_all(&mut self.due, names);
    }

    /// Rejected content that has changed since may go out again.
    pub(crate) fn forgive(&mut self, snapshot: &Snapshot, withheld: &Withheld) {
        if self.rejected.is_empty() {
            return;
        }
        let kind = self.kind;
        self.rejected
            .retain(|name, version| match snapshot.get(kind, name) {
                Some(current) => {
                    let stand_in = withheld.stand_in(kind, current);
                    current.version == *version || stand_in.is_some_and(|s| s.version == *version)
                }
                // The empty answer to an unknown name can be rejected too.
                None => !kind.is_full_set(),
            });
    }

    /// A rejection is over when nothing that was rejected is wanted any more and nothing is left to
    /// say. No answer will come that could tell, for instance when a new listener was refused and
    /// then deleted: the client never had it.
    pub(crate) fn recover(&mut self, now: Instant) {
        let over = self.rejected.is_empty() && self.suspects.is_empty() && self.gone.is_empty();
        if self.nack.is_some() && over && self.is_idle() {
            self.nack = None;
            self.acked = self.sent.map(|stamp| Stamp { at: now, ..stamp });
        }
    }

    /// Whether that content is not to be sent to this client.
    pub(crate) fn is_refused(&self, resource: &Resource, withheld: &Withheld) -> bool {
        self.rejected.get(&resource.name) == Some(&resource.version)
            || withheld.holds(self.kind, &resource.name, resource.version)
    }

    /// The names of which the snapshot's content is not sent, because this client or others like
    /// it refused it.
    pub(crate) fn refusals(&self, snapshot: &Snapshot, withheld: &Withheld) -> BTreeSet<Arc<str>> {
        let held_back = withheld.names(self.kind).filter(|name| {
            let wanted = snapshot.get(self.kind, name);
            let has = |version| self.ledger.has(name).is_some_and(|has| has.is(version));
            let holds = |version| withheld.holds(self.kind, name, version);
            self.wants(name) && wanted.is_some_and(|w| holds(w.version) && !has(w.version))
        });
        let rejected = self.rejected.keys();
        let rejected = rejected.filter(|name| snapshot.get(self.kind, name).is_some());
        rejected.chain(held_back).map(Arc::clone).collect()
    }

    /// Writes down a response that is being sent: `changed` are the resources that are new to the
    /// client, `removed` the names that it loses.
    pub(crate) fn record(
        &mut self,
        stamp: Stamp,
        news_of: Option<Instant>,
        changed: &[Arc<Resource>],
        removed: &[Arc<str>],
    ) {
        // After a reconnect, state of the world does not tell which names the client still has.
        let blind = self.full_set && !self.fresh && self.acked.is_none();
        let unseen = blind.then_some(Held::Unknown);
        remove_all(&mut self.due, changed);
        for resource in changed {
            let name = &resource.name;
            self.suspects.remove(name);
            // What stands in for withheld content must not make us forget that it was refused.
            if self.rejected.get(name) == Some(&resource.version) {
                self.rejected.remove(name);
            }
        }
        let before = self.ledger.put_all(changed).into_iter();
        let items = changed
            .iter()
            .zip(before)
            .map(|(resource, before)| Item::new(resource, before.or_else(|| unseen.clone())));
        let items = items.collect();
        for name in removed {
            self.due.remove(name);
            self.ledger.put(name, None);
            self.gone.remove(name);
        }
        let flight = Flight {
            seq: stamp.seq,
            version: stamp.version,
            at: stamp.at,
            news_of,
            items,
        };
        self.flights.push(flight, 4 * self.ledger.most() + 256);
        self.counters.sent += 1;
        self.answered = true;
        self.answer_owed = false;
        self.sent = Some(stamp);
    }

    /// Takes an ACK of `settled` responses.
    pub(crate) fn accept(&mut self, settled: &[Flight], now: Instant) {
        let Some(last) = settled.last() else { return };
        self.counters.acked += settled.len() as u64;
        self.acked = Some(Stamp {
            seq: last.seq,
            version: last.version,
            at: now,
        });
        self.nack = None;
    }

    /// Whether a full set without these names would take something from the client that we have
    /// no body of, from an earlier stream.
    pub(crate) fn would_tear(&self, without: &BTreeSet<Arc<str>>) -> bool {
        use super::ledger::Has;
        let unseen = |name: &Arc<str>| matches!(self.ledger.has(name), Some(Has::Unknown));
        self.full_set && (!self.answered || without.iter().any(unseen))
    }

    pub(crate) fn last_seq(&self) -> Option<u64> {
        self.sent.map(|stamp| stamp.seq)
    }

    pub(crate) fn status(&self, withheld: BTreeSet<Arc<str>>) -> KindStatus {
        KindStatus {
            subscribed: self.ledger.named(),
            wildcard: self.subscription.is_wildcard(),
            sent: self.sent.map(Mark::from),
            acked: self.acked.map(Mark::from),
            nack: self.nack.as_deref().cloned(),
            withheld: withheld.iter().map(|name| name.to_string()).collect(),
            counters: self.counters,
        }
    }
}
