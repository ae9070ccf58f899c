//! What events have made doubtful, and when to read it again.
//!
//! The first event after a calm is followed at once; those behind it are gathered until none
//! came for a moment, because a deployment sends dozens in a row.

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
    everything: bool,
    /// When what waits must be read.
    due: Option<Instant>,
    /// When the oldest that waits came.
    first: Instant,
    /// When something last happened: an event, or the beginning of a reading.
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
            everything: false,
            due: None,
            first: Instant::now(),
            active: None,
            aftermath: None,
            later: BTreeMap::new(),
        }
    }

    /// Notes what an event of this moment affects.
    pub(super) fn note(&mut self, affected: Affected, now: Instant) {
        match affected {
            Affected::Nothing => return,
            Affected::Ids(mut ids) => self.ids.append(&mut ids),
            Affected::Everything => self.everything = true,
        }
        // An empty id would be the list of all apps.
        self.everything |= self.ids.remove("/");
        let calm = self.active.is_none_or(|active| now >= active + self.quiet);
        self.due = Some(match self.due {
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
        [self.due, self.aftermath, later]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes what waits, at the beginning of its reading.
    pub(super) fn take(&mut self, now: Instant) -> Work {
        self.everything |= self.aftermath.take_if(|at| *at <= now).is_some();
        self.due = None;
        self.active = Some(now);
        let mut ids = std::mem::take(&mut self.ids);
        self.later.retain(|id, at| {
            let waits = *at > now;
            if !waits {
                ids.insert(id.clone());
            }
            waits
        });
        if std::mem::take(&mut self.everything) {
            Work::Everything
        } else {
            Work::Ids(ids)
        }
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

    /// Notes ids at milliseconds and tells when they are due.
    fn due(dirty: &mut Dirty, zero: Instant, at: u64) -> Option<u128> {
        dirty.note(
            Affected::Ids(ids(&["/a"])),
            zero + Duration::from_millis(at),
        );
        dirty.due().map(|due| due.duration_since(zero).as_millis())
    }

    #[test]
    fn the_first_event_is_due_at_once_and_the_next_after_a_quiet_moment() {
        let zero = Instant::now();
        let mut dirty = Dirty::new(QUIET, MOST);
        assert_eq!(due(&mut dirty, zero, 0), Some(0));
        assert_eq!(dirty.take(zero), Work::Ids(ids(&["/a"])));
        assert_eq!(dirty.due(), None);
        assert_eq!(due(&mut dirty, zero, 20), Some(120));
        assert_eq!(due(&mut dirty, zero, 90), Some(190));
        dirty.take(zero + Duration::from_millis(190));
        assert_eq!(due(&mut dirty, zero, 400), Some(400), "calm again");
    }

    #[test]
    fn a_storm_is_read_after_the_longest_wait() {
        let zero = Instant::now();
        let mut dirty = Dirty::new(QUIET, MOST);
        due(&mut dirty, zero, 0);
        dirty.take(zero);
        let last = (10..=1000)
            .step_by(10)
            .map(|at| due(&mut dirty, zero, at))
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
            due(&mut dirty, now, 0);
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
        due(&mut dirty, zero, 0);
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
