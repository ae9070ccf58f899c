//! How long to wait before the next attempt: twice as long each time, never in step with others.

use std::time::Duration;

pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

// === impl Backoff ===

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Backoff {
        Backoff {
            first,
            most,
            next: first,
        }
    }

    /// The next wait. Jitter takes away up to half, so that replicas do not return together.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A duration that differs from `about` by a tenth at most.
pub(crate) fn jittered(about: Duration) -> Duration {
    about.mul_f64(rand::random_range(0.9..=1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_begin_anew_after_a_reset() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(250), ms(1000));
        for full in [250, 500, 1000, 1000] {
            let wait = backoff.wait();
            assert!(
                wait >= ms(full) / 2 && wait <= ms(full),
                "{wait:?} of {full}"
            );
        }
        backoff.reset();
        assert!(backoff.wait() <= ms(250));
    }
}
