//! How much initial state is on its way at one time.
//!
//! A thousand proxies that connect together would otherwise all be half served for as long as the
//! whole takes. Each new stream asks for room as large as its snapshot, in order of arrival, and
//! gives it back when it has answered, or after [`HOLD`]: a client that goes silent must not keep
//! the others out. Nobody is refused, and a small mesh never waits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a stream may take for its initial state before others go on without it.
const HOLD: Duration = Duration::from_secs(10);
/// Room is counted in pieces of this size.
const PIECE: usize = 1024;

/// The room of one server. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    room: Option<(Arc<Semaphore>, u32)>,
}

/// Where one stream is.
pub(super) enum Entry {
    /// It has nothing to send yet.
    Outside,
    /// It waits its turn.
    Queued(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>),
    /// It is being sent its initial state.
    Entering(Room),
    /// It has answered.
    Inside,
}

/// Room that is taken, until then at most.
pub(super) struct Room {
    until: Instant,
    _permit: Option<OwnedSemaphorePermit>,
}

// === impl Admission ===

impl Admission {
    /// Room for so many bytes; none means no limit.
    pub(super) fn new(bytes: usize) -> Admission {
        let pieces = u32::try_from(bytes / PIECE).unwrap_or(u32::MAX);
        let pieces = pieces.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Admission {
            room: (pieces > 0).then(|| (Arc::new(Semaphore::new(pieces as usize)), pieces)),
        }
    }

    /// Queues for room of that size. What is larger than all the room takes all of it.
    pub(super) fn queue(&self, bytes: usize) -> Entry {
        let Some((room, all)) = &self.room else {
            return Entry::Inside;
        };
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let room = Arc::clone(room).acquire_many_owned(pieces.min(*all));
        Entry::Queued(Box::pin(async { room.await.ok() }))
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn is_queued(&self) -> bool {
        matches!(self, Entry::Queued(_))
    }

    /// Whether the stream may be sent something.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Entry::Entering(_) | Entry::Inside)
    }

    /// When the room is given back at the latest.
    pub(super) fn until(&self) -> Option<Instant> {
        match self {
            Entry::Entering(room) => Some(room.until),
            _ => None,
        }
    }

    /// Waits for the turn of a queued stream. Dropping this keeps the place in the queue.
    pub(super) async fn turn(&mut self, now: impl Fn() -> Instant) {
        let Entry::Queued(turn) = self else {
            return std::future::pending().await;
        };
        let _permit = turn.await;
        let until = now() + HOLD;
        *self = Entry::Entering(Room { until, _permit });
    }

    /// Gives the room back if the stream has answered, or takes too long.
    pub(super) fn leave(&mut self, settled: bool, now: Instant) {
        if let Entry::Entering(room) = self
            && (settled || room.until <= now)
        {
            *self = Entry::Inside;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn f07_streams_enter_in_order_while_there_is_room() {
        let start = Instant::now();
        let admission = Admission::new(10 * PIECE);
        let mut entries: Vec<Entry> = [6, 6, 2, 100]
            .map(|size| admission.queue(size * PIECE))
            .into();
        let mut turn = |n: usize| {
            let _ = entries[n].turn(|| start).now_or_never();
            entries.iter().map(Entry::is_open).collect::<Vec<_>>()
        };
        assert_eq!(turn(0), [true, false, false, false]);
        assert_eq!(turn(1), [true, false, false, false]);
        // Small enough, but not its turn.
        assert_eq!(turn(2), [true, false, false, false]);
        assert_eq!(turn(3), [true, false, false, false]);
        entries[0].leave(false, start);
        assert!(
            matches!(entries[0], Entry::Entering(_)),
            "it has not answered"
        );
        entries[0].leave(true, start);
        let open = |entries: &mut [Entry], n: usize| {
            let _ = entries[n].turn(|| start).now_or_never();
            entries[n].is_open()
        };
        assert!(open(&mut entries, 1) && open(&mut entries, 2));
        assert!(!open(&mut entries, 3));
        entries[1].leave(false, start + HOLD);
        entries[2].leave(true, start);
        assert!(
            open(&mut entries, 3),
            "larger than all the room takes all of it"
        );
    }

    #[test]
    fn f07_without_a_limit_nobody_waits() {
        assert!(matches!(Admission::new(0).queue(1 << 40), Entry::Inside));
    }
}
