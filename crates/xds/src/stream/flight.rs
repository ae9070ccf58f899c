//! Responses that were sent and not yet answered.
//!
//! Clients acknowledge by nonce, in order, sometimes late: Envoy withholds CDS answers while a
//! cluster warms. Until then we remember what each response brought and what stood there before,
//! so that a rejection can be undone in our picture of the client.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::ledger::Held;
use crate::resource::{Resource, Version};

/// One response under way.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) seq: u64,
    pub(crate) version: Version,
    pub(crate) at: Instant,
    /// When the change that it brings was known; none for an answer to a subscription.
    pub(crate) news_of: Option<Instant>,
    pub(crate) items: Vec<Item>,
}

/// One resource that a response added or changed.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) name: Arc<str>,
    pub(crate) version: Version,
    /// What the client had before, if anything.
    pub(crate) before: Option<Held>,
}

/// All responses of one kind under way, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    queue: VecDeque<Flight>,
    items: usize,
}

impl Item {
    pub(crate) fn new(resource: &Resource, before: Option<Held>) -> Item {
        Item {
            name: Arc::clone(&resource.name),
            version: resource.version,
            before,
        }
    }
}

impl Flights {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether any response under way adds or changes something.
    pub(crate) fn carry_items(&self) -> bool {
        self.items > 0
    }

    /// When the newest was sent.
    pub(crate) fn newest(&self) -> Option<Instant> {
        self.queue.back().map(|flight| flight.at)
    }

    /// Names of everything that is added or changed by a response under way.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.items().map(|item| &*item.name).collect()
    }

    /// Whether a response under way adds or changes that name.
    pub(crate) fn carry(&self, name: &str) -> bool {
        self.items().any(|item| *item.name == *name)
    }

    /// Adds a response. `limit` bounds the memory that a client which never answers can hold: the
    /// oldest are forgotten, as if they had been accepted.
    pub(crate) fn push(&mut self, flight: Flight, limit: usize) {
        self.items += flight.items.len();
        self.queue.push_back(flight);
        while self.queue.len() > 1 && self.items + self.queue.len() > limit {
            if let Some(oldest) = self.queue.pop_front() {
                self.items -= oldest.items.len();
            }
        }
    }

    /// Takes out the response with that number and all before it; empty if it is not under way.
    ///
    /// Earlier ones are answered with it: clients handle responses in order, and Envoy reports the
    /// error of a paused type together with a later nonce.
    pub(crate) fn settle(&mut self, seq: u64) -> Vec<Flight> {
        let Some(at) = self.queue.iter().position(|flight| flight.seq == seq) else {
            return Vec::new();
        };
        let settled: Vec<Flight> = self.queue.drain(..=at).collect();
        self.items -= settled
            .iter()
            .map(|flight| flight.items.len())
            .sum::<usize>();
        settled
    }

    /// The content `rejected` was refused, so what a later response replaced is what stood before.
    /// Returns whether there is such a response.
    pub(crate) fn rebase(&mut self, rejected: &Item) -> bool {
        let later = self.queue.iter_mut().flat_map(|flight| &mut flight.items);
        let replaced = later
            .filter(|item| item.name == rejected.name)
            .find(|item| {
                item.before
                    .as_ref()
                    .is_some_and(|held| held.is(rejected.version))
            });
        if let Some(item) = replaced {
            item.before.clone_from(&rejected.before);
            return true;
        }
        false
    }

    /// The next response repeats `item`, as full sets do: what the client says to that counts.
    pub(crate) fn carry_over(&mut self, item: Item) {
        if let Some(next) = self.queue.front_mut() {
            self.items += 1;
            next.items.push(item);
        }
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.queue.iter().flat_map(|flight| &flight.items)
    }
}
