//! From the words of a source to single changes.
//!
//! A list is kept aside until it is complete and then compared with what the source said before,
//! so that a resync replaces everything in one step and is never a window in which things lack.

use std::collections::{BTreeMap, BTreeSet};

use api::event::{Event, Keyed, SourceId};

/// A change of one thing.
#[derive(Debug, PartialEq)]
pub(crate) enum Step<T: Keyed> {
    Apply(T),
    Delete(T::Key),
}

/// What follows from one word.
#[derive(Debug)]
pub(crate) struct Absorbed<T: Keyed> {
    pub(crate) steps: Vec<Step<T>>,
    /// A list of the source is complete.
    pub(crate) completed: bool,
}

/// What each source has named, and the lists that have begun.
#[derive(Debug)]
pub(crate) struct Lists<T: Keyed> {
    by_source: BTreeMap<SourceId, Spoken<T>>,
}

#[derive(Debug)]
struct Spoken<T: Keyed> {
    keys: BTreeSet<T::Key>,
    list: Option<Begun<T>>,
}

/// A list that is not complete.
#[derive(Debug)]
struct Begun<T: Keyed> {
    things: Vec<T>,
    /// What is as it was.
    same: BTreeSet<T::Key>,
}

// === impl Lists ===

impl<T: Keyed> Default for Lists<T> {
    fn default() -> Lists<T> {
        Lists {
            by_source: BTreeMap::new(),
        }
    }
}

impl<T: Keyed> Lists<T> {
    pub(crate) fn absorb(&mut self, source: &SourceId, event: Event<T>) -> Absorbed<T> {
        let spoken = self.by_source.entry(source.clone()).or_insert(Spoken {
            keys: BTreeSet::new(),
            list: None,
        });
        let completed = matches!(event, Event::InitDone) && spoken.list.is_some();
        Absorbed {
            steps: spoken.absorb(event),
            completed,
        }
    }
}

// === impl Begun ===

impl<T: Keyed> Default for Begun<T> {
    fn default() -> Begun<T> {
        Begun {
            things: Vec::new(),
            same: BTreeSet::new(),
        }
    }
}

// === impl Spoken ===

impl<T: Keyed> Spoken<T> {
    fn absorb(&mut self, event: Event<T>) -> Vec<Step<T>> {
        match event {
            Event::Init => {
                self.list = Some(Begun::default());
                Vec::new()
            }
            Event::InitApply(thing) => {
                self.list.get_or_insert_default().things.push(thing);
                Vec::new()
            }
            Event::InitSame(key) => {
                self.list.get_or_insert_default().same.insert(key);
                Vec::new()
            }
            // Without a list that began, it would wrongly say that everything is gone.
            Event::InitDone => self.list.take().map_or_else(Vec::new, |l| self.replace(l)),
            Event::Apply(thing) => self.apply(thing),
            Event::Delete(key) => self.delete(key),
        }
    }

    fn apply(&mut self, thing: T) -> Vec<Step<T>> {
        // News during a list belong to it, or its end would undo them.
        if let Some(list) = &mut self.list {
            list.things.push(thing);
            return Vec::new();
        }
        self.keys.insert(thing.key());
        vec![Step::Apply(thing)]
    }

    fn delete(&mut self, key: T::Key) -> Vec<Step<T>> {
        if let Some(list) = &mut self.list {
            list.things.retain(|thing| thing.key() != key);
            list.same.remove(&key);
            return Vec::new();
        }
        match self.keys.remove(&key) {
            true => vec![Step::Delete(key)],
            false => Vec::new(),
        }
    }

    /// Named twice, a thing keeps its first place and its last value.
    fn replace(&mut self, list: Begun<T>) -> Vec<Step<T>> {
        let mut place_by_key: BTreeMap<T::Key, usize> = BTreeMap::new();
        let mut things: Vec<T> = Vec::with_capacity(list.things.len());
        for thing in list.things {
            match place_by_key.get(&thing.key()) {
                Some(place) => things[*place] = thing,
                None => {
                    place_by_key.insert(thing.key(), things.len());
                    things.push(thing);
                }
            }
        }
        let mut keys: BTreeSet<T::Key> = place_by_key.into_keys().collect();
        keys.extend(self.keys.intersection(&list.same).cloned());
        let gone = self.keys.difference(&keys).cloned().map(Step::Delete);
        let steps = gone.chain(things.into_iter().map(Step::Apply)).collect();
        self.keys = keys;
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Thing(&'static str, u8);

    impl Keyed for Thing {
        type Key = &'static str;

        fn key(&self) -> &'static str {
            self.0
        }
    }

    fn steps(lists: &mut Lists<Thing>, events: Vec<Event<Thing>>) -> Vec<Step<Thing>> {
        let source: SourceId = "test".into();
        events
            .into_iter()
            .flat_map(|e| lists.absorb(&source, e).steps)
            .collect()
    }

    #[test]
    fn a_list_takes_effect_at_its_end_and_removes_what_it_lacks() {
        let mut lists = Lists::default();
        steps(
            &mut lists,
            vec![Event::Apply(Thing("a", 1)), Event::Apply(Thing("b", 1))],
        );
        let begun = vec![
            Event::Init,
            Event::InitApply(Thing("b", 2)),
            Event::InitApply(Thing("c", 1)),
        ];
        assert_eq!(steps(&mut lists, begun), []);
        assert_eq!(
            steps(&mut lists, vec![Event::InitDone]),
            [
                Step::Delete("a"),
                Step::Apply(Thing("b", 2)),
                Step::Apply(Thing("c", 1))
            ]
        );
    }

    #[test]
    fn news_during_a_list_become_part_of_it() {
        let mut lists = Lists::default();
        let events = vec![
            Event::Init,
            Event::InitApply(Thing("a", 1)),
            Event::InitApply(Thing("b", 1)),
            Event::Apply(Thing("a", 2)),
            Event::Delete("b"),
            Event::InitDone,
        ];
        assert_eq!(steps(&mut lists, events), [Step::Apply(Thing("a", 2))]);
    }

    #[test]
    fn what_is_as_it_was_stays_and_what_never_was_does_not_begin_to_be() {
        let mut lists = Lists::default();
        let first = vec![
            Event::Apply(Thing("a", 1)),
            Event::Apply(Thing("b", 1)),
            Event::Apply(Thing("c", 1)),
            Event::Apply(Thing("d", 1)),
        ];
        steps(&mut lists, first);
        let list = vec![
            Event::Init,
            Event::InitSame("a"),
            Event::InitSame("b"),
            Event::InitSame("c"),
            Event::InitSame("z"),
            Event::Delete("b"),
            Event::Apply(Thing("c", 2)),
            Event::InitDone,
        ];
        assert_eq!(
            steps(&mut lists, list),
            [
                Step::Delete("b"),
                Step::Delete("d"),
                Step::Apply(Thing("c", 2))
            ]
        );
        let none = vec![Event::Init, Event::InitDone];
        assert_eq!(
            steps(&mut lists, none),
            [Step::Delete("a"), Step::Delete("c")]
        );
    }

    #[test]
    fn an_end_without_a_beginning_says_nothing() {
        let mut lists = Lists::default();
        steps(&mut lists, vec![Event::Apply(Thing("a", 1))]);
        let absorbed = lists.absorb(&"test".into(), Event::InitDone);
        assert!(absorbed.steps.is_empty() && !absorbed.completed);
    }

    #[test]
    fn a_list_that_begins_anew_forgets_the_one_before() {
        let mut lists = Lists::default();
        let events = vec![
            Event::Init,
            Event::InitApply(Thing("a", 1)),
            Event::Init,
            Event::InitApply(Thing("b", 1)),
            Event::InitDone,
        ];
        assert_eq!(steps(&mut lists, events), [Step::Apply(Thing("b", 1))]);
    }
}
