//! What can be seen of a source from outside: its state, and when it last heard something.

use api::event::SourceId;
use jiff::Timestamp;

/// The state of one source, published on a `tokio::sync::watch` channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub name: SourceId,
    /// Where the source reads: a URL without credentials, or a directory.
    pub detail: String,
    /// Whether the first complete list was sent.
    pub synced: bool,
    pub state: State,
    /// When the origin last told of a change.
    pub last_event: Option<Timestamp>,
    /// When everything was last read.
    pub last_resync: Option<Timestamp>,
    /// The last thing that went wrong, also when it is over.
    pub last_error: Option<String>,
    /// Who of several members answers for all, if the origin tells.
    pub leader: Option<String>,
    /// The origin's name in Mesos, if it tells.
    pub framework: Option<String>,
    /// How often everything was read.
    pub resyncs: u64,
    /// How many changes the origin told of.
    pub events: u64,
}

/// What a source is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Starting,
    Connecting,
    /// In step with the origin.
    Streaming,
    /// The origin is away; what it said before stays in force.
    Retrying {
        error: String,
        /// When the trouble began.
        since: Timestamp,
    },
}

// === impl Status ===

impl Status {
    /// The status of a source that has not begun.
    pub fn starting(name: SourceId, detail: impl Into<String>) -> Status {
        Status {
            name,
            detail: detail.into(),
            synced: false,
            state: State::Starting,
            last_event: None,
            last_resync: None,
            last_error: None,
            leader: None,
            framework: None,
            resyncs: 0,
            events: 0,
        }
    }

    pub(crate) fn connecting(&mut self) {
        // A retry is not a fresh start: the error stays visible until it is over.
        if !matches!(self.state, State::Retrying { .. }) {
            self.state = State::Connecting;
        }
    }

    pub(crate) fn resynced(&mut self) {
        self.synced = true;
        self.state = State::Streaming;
        self.last_resync = Some(Timestamp::now());
        self.resyncs += 1;
    }

    pub(crate) fn heard(&mut self, events: u64) {
        self.last_event = Some(Timestamp::now());
        self.events += events;
    }

    /// Returns whether this is news, so that a long absence does not fill the log.
    pub(crate) fn failed(&mut self, error: String) -> bool {
        let (news, since) = match &self.state {
            State::Retrying {
                error: before,
                since,
            } => (*before != error, *since),
            _ => (true, Timestamp::now()),
        };
        self.last_error = Some(error.clone());
        self.state = State::Retrying { error, since };
        news
    }
}

impl State {
    /// One word, for tables and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Connecting => "connecting",
            State::Streaming => "streaming",
            State::Retrying { .. } => "retrying",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_keeps_its_beginning_and_only_a_new_error_is_news() {
        let mut status = Status::starting("x".into(), "here");
        status.connecting();
        assert!(status.failed("refused".into()));
        let State::Retrying { since, .. } = status.state.clone() else {
            panic!("{status:?}");
        };
        status.connecting();
        assert!(!status.failed("refused".into()));
        assert!(status.failed("401".into()));
        let State::Retrying {
            error,
            since: later,
        } = &status.state
        else {
            panic!("{status:?}");
        };
        assert_eq!((error.as_str(), *later), ("401", since));
    }

    #[test]
    fn an_old_error_stays_readable_after_recovery() {
        let mut status = Status::starting("x".into(), "here");
        status.failed("refused".into());
        status.resynced();
        assert_eq!(status.state, State::Streaming);
        assert_eq!(status.last_error.as_deref(), Some("refused"));
    }
}
