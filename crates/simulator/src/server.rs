//! The state and who must hear of its changes; the clockwork's driver.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::member::Member;
use crate::state::State;

/// The state, shared by connections, driver and handles. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Wakes the driver.
    work: Notify,
    changes: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
    members: Vec<Member>,
    heartbeat: Duration,
    leader_wait: Duration,
    /// Ends everything.
    end: CancellationToken,
}

impl Shared {
    pub(crate) fn new(state: State) -> Shared {
        let end = CancellationToken::new();
        let members = state.members.iter();
        let members = members.map(|addr| Member::new(*addr, end.child_token()));
        Shared(Arc::new(Inner {
            members: members.collect(),
            heartbeat: state.options.heartbeat,
            leader_wait: state.options.leader_wait,
            state: Mutex::new(state),
            work: Notify::new(),
            changes: watch::Sender::new(0),
            frozen: watch::Sender::new(false),
            end,
        }))
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.lock())
    }

    /// Lets `change` work on the state, then wakes the driver and the watchers
    /// if it published anything.
    pub(crate) fn mutate<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.state.lock();
        let before = state.revision;
        let result = change(&mut state);
        let changed = state.revision != before;
        drop(state);
        if changed {
            self.0.changes.send_modify(|n| *n += 1);
        }
        self.0.work.notify_one();
        result
    }

    /// Where a member listens.
    pub(crate) fn addr(&self, member: usize) -> SocketAddr {
        self.0.members[member].addr
    }

    /// The number of members.
    pub(crate) fn members(&self) -> usize {
        self.0.members.len()
    }

    pub(crate) fn member(&self, member: usize) -> &Member {
        &self.0.members[member]
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        self.0.heartbeat
    }

    pub(crate) fn leader_wait(&self) -> Duration {
        self.0.leader_wait
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    pub(crate) fn frozen(&self) -> watch::Receiver<bool> {
        self.0.frozen.subscribe()
    }

    pub(crate) fn freeze(&self, frozen: bool) {
        self.0.frozen.send_replace(frozen);
    }

    /// Runs something beside, until the simulator ends.
    pub(crate) fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.0.end.clone().run_until_cancelled_owned(work));
    }

    /// Ends driver, listeners and connections, some time soon.
    pub(crate) fn end(&self) {
        self.0.end.cancel();
    }

    /// Steps the state whenever something may move. Between two steps others
    /// get their turn, so that intermediate states can be seen.
    pub(crate) async fn drive(self) {
        loop {
            self.0.work.notified().await;
            while self.step() {
                tokio::task::yield_now().await;
            }
        }
    }

    fn step(&self) -> bool {
        let moved = self.0.state.lock().step();
        if moved {
            self.0.changes.send_modify(|n| *n += 1);
        }
        moved
    }
}
