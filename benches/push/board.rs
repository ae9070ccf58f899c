//! Where the client's threads write down what they saw, and the case waits for it.
//!
//! All times are nanoseconds since one moment of the monotonic clock. A waiting case is woken
//! once, when a count is reached, so that waiting costs the server nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::resource::Kind;

/// One response at one proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) kind: Kind,
    pub(crate) bytes: usize,
    pub(crate) resources: usize,
    pub(crate) removed: usize,
}

/// One change, seen by one proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) change: u64,
    pub(crate) proxy: u32,
    pub(crate) at: u64,
}

/// How a change is recognised: it is in a resource of that name when one of the needles is.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) change: u64,
    pub(crate) resource: Vec<u8>,
    pub(crate) needles: Vec<Vec<u8>>,
}

/// What all threads of a fleet share.
pub(crate) struct Board {
    zero: Instant,
    arrivals: Mutex<Vec<Arrival>>,
    sightings: Mutex<Vec<Sighting>>,
    completions: Mutex<Vec<u64>>,
    marks: RwLock<HashMap<Vec<u8>, Mark>>,
    armed: AtomicUsize,
    /// Proxies that have everything.
    pub(crate) complete: Tally,
    /// Proxies that got a first answer on their present stream.
    pub(crate) answered: Tally,
    /// Sightings of the current marks.
    pub(crate) sighted: Tally,
    /// Streams that were refused, or ended by the server.
    pub(crate) lost: Tally,
    waiting: Mutex<()>,
    woken: Condvar,
}

/// A count, and the value at which somebody wants to be woken. Sequentially consistent: one side
/// writes the goal and reads the count, the other the reverse, and one of them must see the other.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    count: AtomicUsize,
    goal: AtomicUsize,
}

// === impl Board ===

impl Board {
    pub(crate) fn new() -> Board {
        Board {
            zero: Instant::now(),
            arrivals: Mutex::default(),
            sightings: Mutex::default(),
            completions: Mutex::default(),
            marks: RwLock::default(),
            armed: AtomicUsize::new(0),
            complete: Tally::default(),
            answered: Tally::default(),
            sighted: Tally::default(),
            lost: Tally::default(),
            waiting: Mutex::new(()),
            woken: Condvar::new(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.zero.elapsed().as_nanos() as u64
    }

    pub(crate) fn arrived(&self, arrival: Arrival) {
        lock(&self.arrivals).push(arrival);
    }

    /// A proxy has everything, since now.
    pub(crate) fn completed(&self, at: u64) {
        lock(&self.completions).push(at);
        self.add(|board| &board.complete);
    }

    pub(crate) fn completions(&self) -> Vec<u64> {
        lock(&self.completions).clone()
    }

    pub(crate) fn add(&self, tally: impl Fn(&Board) -> &Tally) {
        let tally = tally(self);
        if tally.count.fetch_add(1, Ordering::SeqCst) + 1 == tally.goal.load(Ordering::SeqCst) {
            let _guard = lock(&self.waiting);
            self.woken.notify_all();
        }
    }

    /// Waits until a count is reached; false if the time is up before.
    pub(crate) fn wait(
        &self,
        tally: impl Fn(&Board) -> &Tally,
        goal: usize,
        patience: Duration,
    ) -> bool {
        let tally = tally(self);
        tally.goal.store(goal, Ordering::SeqCst);
        let short = |_: &mut ()| tally.get() < goal;
        let guard = lock(&self.waiting);
        let waited = self.woken.wait_timeout_while(guard, patience, short);
        let (_guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    // === changes ===

    /// From now on the change counts when it is seen. A later one on the same resource replaces it.
    pub(crate) fn mark(&self, mark: Mark) {
        let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
        marks.insert(mark.resource.clone(), mark);
        self.armed.store(marks.len(), Ordering::Release);
    }

    pub(crate) fn unmark(&self) {
        self.marks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.armed.store(0, Ordering::Release);
        self.sighted.reset();
    }

    /// The change that is in this resource, if one is awaited there.
    pub(crate) fn change_in(&self, name: &[u8], body: &[u8]) -> Option<u64> {
        if self.armed.load(Ordering::Acquire) == 0 {
            return None;
        }
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        let mark = marks.get(name)?;
        mark.needles
            .iter()
            .any(|needle| memmem::find(body, needle).is_some())
            .then_some(mark.change)
    }

    pub(crate) fn saw(&self, sighting: Sighting) {
        lock(&self.sightings).push(sighting);
        self.add(|board| &board.sighted);
    }

    /// What was seen since the last call.
    pub(crate) fn take(&self) -> (Vec<Arrival>, Vec<Sighting>) {
        (
            std::mem::take(&mut lock(&self.arrivals)),
            std::mem::take(&mut lock(&self.sightings)),
        )
    }
}

// === impl Tally ===

impl Tally {
    pub(crate) fn get(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(crate) fn reset(&self) {
        self.count.store(0, Ordering::SeqCst);
        self.goal.store(0, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(change: u64, needle: &[u8]) -> Mark {
        Mark {
            change,
            resource: b"r".to_vec(),
            needles: vec![b"never".to_vec(), needle.to_vec()],
        }
    }

    #[test]
    fn a_change_is_seen_in_its_resource_only_and_the_last_one_counts() {
        let board = Board::new();
        assert_eq!(
            board.change_in(b"r", b"xx one xx"),
            None,
            "nothing is awaited"
        );
        board.mark(mark(1, b"one"));
        assert_eq!(board.change_in(b"r", b"xx one xx"), Some(1));
        assert_eq!(board.change_in(b"other", b"xx one xx"), None);
        board.mark(mark(2, b"two"));
        assert_eq!(board.change_in(b"r", b"xx one xx"), None);
        assert_eq!(board.change_in(b"r", b"two"), Some(2));
        board.unmark();
        assert_eq!(board.change_in(b"r", b"two"), None);
    }

    #[test]
    fn a_wait_ends_with_the_count_or_with_the_time() {
        let board = Board::new();
        assert!(!board.wait(|b| &b.complete, 1, Duration::from_millis(1)));
        std::thread::scope(|scope| {
            scope.spawn(|| (0..3).for_each(|i| board.completed(i)));
            assert!(board.wait(|b| &b.complete, 3, Duration::from_secs(60)));
        });
        assert_eq!(
            (board.complete.get(), board.completions()),
            (3, vec![0, 1, 2])
        );
    }
}
