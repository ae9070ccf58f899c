//! Changes of leader: the old one exits, nobody leads for a while, the next one
//! is not ready at once and must run its health checks again.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::server::Shared;

/// How a failover goes. The default is as quick as can be: the next member
/// leads at once, the old one is back as a standby, and results of Marathon's
/// own health checks stay away until `refill_health`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Failover {
    /// The next leader, by its place among the members; otherwise the next one
    /// that listens, or the old one when there is no other.
    pub to: Option<usize>,
    /// So many milliseconds nobody leads.
    pub leaderless: u64,
    /// So many milliseconds the old leader does not listen.
    pub down: u64,
    /// So many event streams the new leader closes as soon as it has accepted
    /// them.
    pub unready: u32,
    /// The results of health checks are back after so many milliseconds.
    pub refill: Option<u64>,
}

impl Shared {
    /// The leader's process ends: its streams close and it stops listening.
    pub(crate) async fn abdicate(&self) {
        let old = self.mutate(|state| state.end_term());
        if let Some(old) = old {
            self.down(old).await;
        }
    }

    /// A member leads from now on; it listens, too.
    pub(crate) async fn elect(&self, member: usize, unready: u32) -> io::Result<()> {
        self.up(member).await?;
        self.mutate(|state| state.begin_term(member, unready));
        Ok(())
    }

    /// A whole failover. Returns when the new leader is there; the return of
    /// the old one and of health results may still be under way.
    pub(crate) async fn fail_over(&self, how: &Failover) -> io::Result<()> {
        let old = self.read(|state| state.leader);
        self.abdicate().await;
        sleep(Duration::from_millis(how.leaderless)).await;
        let next = how.to.unwrap_or_else(|| self.successor(old));
        let rest = Duration::from_millis(how.down.saturating_sub(how.leaderless));
        if Some(next) == old {
            sleep(rest).await;
        }
        self.elect(next, how.unready).await?;
        if let Some(old) = old.filter(|old| *old != next) {
            self.come_back(old, rest).await?;
        }
        if let Some(refill) = how.refill {
            let shared = self.clone();
            self.background(async move {
                sleep(Duration::from_millis(refill)).await;
                shared.mutate(|state| state.refill_health());
            });
        }
        Ok(())
    }

    async fn come_back(&self, old: usize, rest: Duration) -> io::Result<()> {
        if rest.is_zero() {
            return self.up(old).await;
        }
        let shared = self.clone();
        self.background(async move {
            sleep(rest).await;
            if let Err(error) = shared.up(old).await {
                tracing::warn!(%error, member = old, "marathon simulator: member stays away");
            }
        });
        Ok(())
    }

    /// The next listening member after the old leader, or the old one.
    fn successor(&self, old: Option<usize>) -> usize {
        let old = old.unwrap_or(0);
        let count = self.members();
        let others = (1..count).map(|i| (old + i) % count);
        let mut listening = others.filter(|i| self.is_up(*i));
        listening.next().unwrap_or(old)
    }
}
