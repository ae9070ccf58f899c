//! Time as Marathon writes it: milliseconds, UTC, one version per moment.

use std::fmt;

use jiff::Timestamp;

/// A moment in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(i64);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{time:.3}")
    }
}

/// The real clock, made monotonic.
#[derive(Default)]
pub(crate) struct Clock {
    last: i64,
}

impl Clock {
    /// Never before an earlier answer.
    pub(crate) fn now(&mut self) -> Stamp {
        self.last = self.last.max(Timestamp::now().as_millisecond());
        Stamp(self.last)
    }

    /// Later than every earlier answer: versions are the keys of history.
    pub(crate) fn version(&mut self) -> Stamp {
        self.last = (self.last + 1).max(Timestamp::now().as_millisecond());
        Stamp(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_three_digits_and_versions_differ() {
        assert_eq!(
            Stamp(1_558_435_414_700).to_string(),
            "2019-05-21T10:43:34.700Z"
        );
        assert_eq!(Stamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        let mut clock = Clock::default();
        let first = clock.version();
        assert!(clock.version() > first);
    }
}
