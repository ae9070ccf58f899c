//! A rejection: who is guilty, what the client has now, what goes out again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::blame;
use super::flight::{Flight, Item};
use super::ledger::Held;
use super::status::{Guilty, Nack};
use super::track::Track;

/// What is kept of the client's words. Envoy's can list thousands of resources.
const MAX_MESSAGE: usize = 8 * 1024;

impl Track {
    /// Takes a NACK that covers `settled` responses, and returns it with the contents found
    /// guilty.
    ///
    /// What is not guilty is sent again, unless the client says that it took it. If the message
    /// names nobody, suspects are told apart by sending them in smaller responses.
    pub(crate) fn reject(
        &mut self,
        settled: Vec<Flight>,
        nonce: String,
        message: &str,
        now: Instant,
    ) -> (Nack, Vec<Guilty>) {
        self.counters.nacked += 1;
        let items: Vec<Item> = settled
            .into_iter()
            .flat_map(|flight| flight.items)
            .collect();
        let alone = items.len() == 1;
        let guilty: BTreeSet<Arc<str>> = items
            .iter()
            .filter(|item| alone || blame::mentions(message, &item.name))
            .map(|item| Arc::clone(&item.name))
            .collect();
        let contents = guilty
            .iter()
            .filter_map(|name| content(&items, name))
            .collect();
        self.sort_out(items, &guilty, message);
        let nack = Nack {
            nonce,
            message: message[..message.floor_char_boundary(MAX_MESSAGE)].to_string(),
            names: guilty.iter().map(|name| name.to_string()).collect(),
            at: now,
        };
        self.nack = Some(Box::new(nack.clone()));
        (nack, contents)
    }

    fn sort_out(&mut self, items: Vec<Item>, guilty: &BTreeSet<Arc<str>>, message: &str) {
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
            } else if !(self.kind.is_full_set() && blame::applied_the_rest(message)) {
                self.doubt(item);
            }
        }
        if leave {
            self.look.defer();
        }
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
            self.ledger.put(&name, Some(Held::Unknown));
        }
    }

    /// Goes back to what the client had before. False if it does not matter any more, or not
    /// yet: the name is not wanted, or a later response has replaced or repeated the content.
    fn undo(&mut self, item: Item) -> bool {
        if !self.wants(&item.name) || self.flights.rebase(&item) {
            return false;
        }
        let has = self.ledger.has(&item.name);
        if !has.is_some_and(|has| has.is(item.version)) {
            return false;
        }
        if self.full_set && !self.flights.is_empty() {
            self.flights.carry_over(item);
            return false;
        }
        self.ledger.put(&item.name, item.before);
        self.look.at(item.name);
        true
    }
}

/// The guilty content under a name, unless the rejection covers several, of which each may be it.
fn content(items: &[Item], name: &Arc<str>) -> Option<Guilty> {
    let mut contents = items.iter().filter(|item| item.name == *name);
    let item = contents.next()?;
    let last_good = item.before.as_ref().and_then(|held| held.look().body());
    contents.next().is_none().then(|| Guilty {
        name: Arc::clone(name),
        version: item.version,
        last_good: last_good.map(Arc::clone),
    })
}
