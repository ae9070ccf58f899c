//! Numbers to give away: host ports and addresses.
//!
//! They are handed out in a circle, so that a port or address is not reused as
//! long as another one is free: clients must see new ones after a restart.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Numbers from a range.
pub(super) struct Pool<N> {
    range: RangeInclusive<N>,
    last: Option<N>,
    used: BTreeSet<N>,
}

impl<N: Copy + Ord> Pool<N>
where
    RangeInclusive<N>: Iterator<Item = N> + Clone,
{
    pub(super) fn new(range: RangeInclusive<N>) -> Pool<N> {
        Pool {
            range,
            last: None,
            used: BTreeSet::new(),
        }
    }

    pub(super) fn take(&mut self) -> Option<N> {
        let start = self.last.unwrap_or(*self.range.start());
        let after = (start..=*self.range.end()).filter(|n| Some(*n) != self.last);
        let mut circle = after.chain(self.range.clone());
        let free = circle.find(|n| !self.used.contains(n))?;
        self.last = Some(free);
        self.used.insert(free);
        Some(free)
    }

    /// The lowest free number, be it one that was just given back.
    pub(super) fn take_again(&mut self) -> Option<N> {
        self.last = None;
        self.take()
    }

    /// A number that was asked for by name need not be in the range: Mesos
    /// offers what the operator configured, and tests ask for what they like.
    pub(super) fn reserve(&mut self, number: N) {
        self.used.insert(number);
    }

    pub(super) fn is_free(&self, number: N) -> bool {
        !self.used.contains(&number)
    }

    pub(super) fn give_back(&mut self, number: N) {
        self.used.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_go_round_before_they_reuse() {
        let mut pool = Pool::new(1u16..=3);
        assert_eq!(pool.take(), Some(1));
        pool.give_back(1);
        assert_eq!(pool.take(), Some(2));
        pool.reserve(3);
        assert_eq!(pool.take(), Some(1));
        assert_eq!(pool.take(), None);
        pool.give_back(3);
        assert_eq!(pool.take(), Some(3));
    }

    #[test]
    fn pools_reuse_at_once_when_told() {
        let mut pool = Pool::new(1u16..=3);
        assert_eq!(pool.take(), Some(1));
        assert_eq!(pool.take(), Some(2));
        pool.give_back(1);
        assert_eq!(pool.take_again(), Some(1));
    }
}
