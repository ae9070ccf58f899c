//! How fast we write: a burst, and then so many per second, whatever happens to the mesh.

use tokio::time::Instant;

pub(crate) struct Pace {
    /// Writes that may be made at once.
    most: f64,
    per_second: f64,
    left: f64,
    at: Instant,
}

// === impl Pace ===

impl Pace {
    pub(crate) fn new(most: u32, per_second: u32) -> Pace {
        Pace {
            most: f64::from(most),
            per_second: f64::from(per_second),
            left: f64::from(most),
            at: Instant::now(),
        }
    }

    /// Whether one more write may be made now.
    pub(crate) fn take(&mut self) -> bool {
        let now = Instant::now();
        let gained = (now - self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.most);
        self.at = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }

    /// When the next write may be made, if none may now.
    #[cfg(test)]
    fn wait(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64((1.0 - self.left).max(0.0) / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_followed_by_a_trickle() {
        let mut pace = Pace::new(3, 2);
        let taken = (0..10).filter(|_| pace.take()).count();
        assert_eq!(taken, 3);
        tokio::time::advance(pace.wait()).await;
        assert!(pace.take() && !pace.take());
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        assert_eq!((0..10).filter(|_| pace.take()).count(), 3);
    }
}
