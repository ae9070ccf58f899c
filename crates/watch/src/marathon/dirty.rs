//! What events have made doubtful, and when to read it again.
//!
//! What an event names is read at once; more events gather only while a reading is under way. The
//! whole list costs more: the first event after a calm that asks for it is followed at once, and
//! those behind it are gathered until none came for a moment, because a deployment sends dozens in
//! a row.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::marathon::Affected;
use tokio::time::Instant;

/// What must be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    Ids(BTreeSet<String>),
    Everything,
}

pub(super) struct Dirty {
    quiet: Duration,
    most: Duration,
    ids: BTreeSet<String>,
    /// When the oldest of these ids was named.
    named: Option<Instant>,
    /// When the whole list must be read.
    whole: Option<Instant>,
    /// When the oldest event that asks for the whole list came.
    first: Instant,
    /// When something last happened to the list: such an event, or the beginning of its reading.
    active: Option<Instant>,
    /// When everything is to be read once more, whatever happens until then.
    aftermath: Option<Instant>,
    /// What is to be read at a later time, whatever happens until then.
    later: BTreeMap<String, Instant>,
}

// === impl Dirty ===

impl Dirty {
    pub(super) fn new(quiet: Duration, most: Duration) -> Dirty {
        Dirty {
            quiet,
            most,
            ids: BTreeSet::new(),
            named: None,
            whole: None,
            first: Instant::now(),
            active: None,
            aftermath: None,
            later: BTreeMap::new(),
        }
    }

    /// Notes what an event of this moment affects.
    pub(super) fn note(&mut self, affected: Affected, now: Instant) {
        match affected {
            Affected::Nothing => {}
            Affected::Ids(mut ids) => {
                // An empty id would be the list of all apps.
                if ids.remove("/") {
                    self.note_whole(now);
                }
                if !ids.is_empty() {
                    self.named.get_or_insert(now);
                    self.ids.append(&mut ids);
                }
            }
            Affected::Everything => self.note_whole(now),
        }
    }

    fn note_whole(&mut self, now: Instant) {
        let calm = self.active.is_none_or(|active| now >= active + self.quiet);
        self.whole = Some(match self.whole {
            None => {
                self.first = now;
                now + if calm { Duration::ZERO } else { self.quiet }
            }
            // Overdue: the reader is busy and will come at once.
            Some(due) if due <= now => due,
            Some(_) => (now + self.quiet).min(self.first + self.most),
        });
        self.active = Some(now);
    }

    /// Wants everything read at a later time, too.
    pub(super) fn note_aftermath(&mut self, at: Instant) {
        self.aftermath = Some(at);
    }

    /// Wants one workload read at a later time, too; of several times the last counts.
    pub(super) fn note_later(&mut self, id: String, at: Instant) {
        self.later.insert(id, at);
    }

    /// When to read; `None` while nothing waits.
    pub(super) fn due(&self) -> Option<Instant> {
        let later = self.later.values().min().copied();
        [self.named, self.whole, self.aftermath, later]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes what is due, at the beginning of its reading.
    pub(super) fn take(&mut self, now: Instant) -> Work {
        let whole = self.whole.take_if(|at| *at <= now).is_some();
        let aftermath = self.aftermath.take_if(|at| *at <= now).is_some();
        self.named = None;
        let mut ids = std::mem::take(&mut self.ids);
        self.later.retain(|id, at| {
            let waits = *at > now;
            if !waits {
                ids.insert(id.clone());
            }
            waits
        });
        if whole || aftermath {
            self.whole = None;
            self.active = Some(now);
            return Work::Everything;
        }
        Work::Ids(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_millis(1000);

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| id.to_string()).collect()
    }

    fn at(zero: Instant, milliseconds: u64) -> Instant {
        zero + Duration::from_millis(milliseconds)
    }

    /// Notes something at milliseconds and tells when the next reading is due.
    fn due(dirty: &mut Dirty, zero: Instant, now: u64, affected: Affected) -> Option<u128> {
        dirty.note(affected, at(zero, now));
        dirty.due().map(|due| due.duration_since(zero).as_millis())
    }

    fn one() -> Affected {
        Affected::Ids(ids(&["/a"]))
    }

    #[test]
    fn what_is_named_is_due_at_once_however_many_events_come() {
        let zero = Instant::now();
        let mut dirty = Dirty::new(QUIET, MOST);
        for now in [0, 1, 20, 90] {
            assert_eq!(due(&mut dirty, zero, now, one()), Some(now.into()));
            assert_eq!(dirty.take(at(zero, now)), Work::Ids(ids(&["/a"])));
            assert_eq!(dirty.due(), None);
        }
        // Behind a reading that is under way they gather, and are overdue when it ends.
        dirty.note(one(), at(zero, 100));
        dirty.note(Affected::Ids(ids(&["/b"])), at(zero, 130));
        assert_eq!(dirty.due(), Some(at(zero, 100)));
        assert_eq!(dirty.take(at(zero, 150)), Work::Ids(ids(&["/a", "/b"])));
    }

    #[test]
    fn the_whole_list_is_due_at_once_and_the_next_after_a_quiet_moment() {
        let zero = Instant::now();
        let mut dirty = Dirty::new(QUIET, MOST);
        let whole = || Affected::Everything;
        assert_eq!(due(&mut dirty, zero, 0, whole()), Some(0));
        assert_eq!(dirty.take(zero), Work::Everything);
        assert_eq!(dirty.due(), None);
        assert_eq!(due(&mut dirty, zero, 20, whole()), Some(120));
        // What is named meanwhile does not wait for it, nor does it hurry the list.
        assert_eq!(due(&mut dirty, zero, 30, one()), Some(30));
        assert_eq!(dirty.take(at(zero, 30)), Work::Ids(ids(&["/a"])));
        assert_eq!(due(&mut dirty, zero, 90, whole()), Some(190));
        assert_eq!(dirty.take(at(zero, 190)), Work::Everything);
        assert_eq!(due(&mut dirty, zero, 400, whole()), Some(400), "calm again");
    }

    #[test]
    fn a_storm_of_lists_is_read_after_the_longest_wait() {
        let zero = Instant::now();
        let mut dirty = Dirty::new(QUIET, MOST);
        due(&mut dirty, zero, 0, Affected::Everything);
        dirty.take(zero);
        let last = (10..=1000)
            .step_by(10)
            .map(|now| due(&mut dirty, zero, now, Affected::Everything))
            .last();
        assert_eq!(last, Some(Some(1010)));
    }

    #[test]
    fn nothing_is_due_after_an_event_that_affects_nothing() {
        let mut dirty = Dirty::new(QUIET, MOST);
        dirty.note(Affected::Nothing, Instant::now());
        assert_eq!(dirty.due(), None);
    }

    #[test]
    fn everything_includes_all_ids_and_the_root_is_everything() {
        let now = Instant::now();
        for affected in [Affected::Everything, Affected::Ids(ids(&["/"]))] {
            let mut dirty = Dirty::new(QUIET, MOST);
            dirty.note(one(), now);
            dirty.note(affected, now);
            assert_eq!(dirty.take(now), Work::Everything);
            assert_eq!(dirty.take(now), Work::Ids(ids(&[])));
        }
    }

    #[test]
    fn what_is_wanted_later_is_read_then_and_once() {
        let zero = Instant::now();
        let later = zero + Duration::from_secs(30);
        let mut dirty = Dirty::new(QUIET, MOST);
        dirty.note_later("/b".into(), zero + Duration::from_secs(10));
        dirty.note_later("/b".into(), later);
        dirty.note(one(), zero);
        assert_eq!(dirty.take(zero), Work::Ids(ids(&["/a"])));
        assert_eq!(dirty.due(), Some(later));
        assert_eq!(dirty.take(later), Work::Ids(ids(&["/b"])));
        assert_eq!(dirty.due(), None);
    }

    #[test]
    fn an_aftermath_comes_even_if_its_event_was_followed_already() {
        let zero = Instant::now();
        let later = zero + Duration::from_secs(2);
        let mut dirty = Dirty::new(QUIET, MOST);
        dirty.note(Affected::Everything, zero);
        dirty.note_aftermath(later);
        assert_eq!(dirty.take(zero), Work::Everything);
        assert_eq!(dirty.due(), Some(later));
        assert_eq!(dirty.take(later), Work::Everything);
        assert_eq!(dirty.due(), None);
    }
}
