//! Durations counted by size, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in seconds; one more bucket takes what is longer. Pilot's start at
/// 0.1, which would put all of ours into the first.
const BOUNDS: [f64; 14] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0,
];

/// Durations counted by size, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many fell into each bucket, in order of [`Histogram::bounds`], and one for the rest.
    pub counts: [u64; BOUNDS.len() + 1],
    /// All durations together.
    pub sum: Duration,
}

/// A histogram being filled by many.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    counts: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

// === impl Histogram ===

impl Histogram {
    /// Upper bounds of the buckets in seconds, inclusive.
    pub fn bounds() -> &'static [f64] {
        &BOUNDS
    }

    /// How many durations there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

// === impl Recorder ===

impl Recorder {
    pub(super) fn record(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Histogram {
        let count = |at: usize| self.counts[at].load(Ordering::Relaxed);
        Histogram {
            counts: std::array::from_fn(count),
            sum: Duration::from_micros(self.micros.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_the_bucket_that_ends_with_them() {
        let recorder = Recorder::default();
        for micros in [0, 1_000, 1_001, 30_000_000, 31_000_000] {
            recorder.record(Duration::from_micros(micros));
        }
        let read = recorder.read();
        assert_eq!((read.counts[0], read.counts[1]), (2, 1));
        assert_eq!((read.counts[13], read.counts[14]), (1, 1));
        assert_eq!(
            (read.count(), read.sum),
            (5, Duration::from_micros(61_002_001))
        );
    }
}
