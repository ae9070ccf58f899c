//! Control requests that change which members listen or lead.

use std::io;
use std::time::Duration;

use serde::Deserialize;

use crate::failover::Failover;
use crate::server::Shared;

/// What begins once the answer is sent, because it may close the connection
/// that the answer goes to.
#[derive(Clone, Debug)]
pub(crate) enum After {
    /// The failover that the options describe.
    Resign,
    FailOver(Failover),
    Abdicate,
    Elect(Elect),
    Up(usize),
    Down(usize),
    /// Every member is away for so long.
    Pause(Duration),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Elect {
    member: usize,
    #[serde(default)]
    unready: u32,
}

impl After {
    /// The member that must exist.
    pub(super) fn member(&self) -> Option<usize> {
        match self {
            After::FailOver(how) => how.to,
            After::Elect(elect) => Some(elect.member),
            After::Up(member) | After::Down(member) => Some(*member),
            After::Resign | After::Abdicate | After::Pause(_) => None,
        }
    }

    /// Begins, beside whatever else goes on.
    pub(crate) fn begin(self, shared: &Shared) {
        let this = shared.clone();
        shared.background(async move {
            if let Err(error) = self.run(&this).await {
                tracing::warn!(%error, "marathon simulator: a member cannot listen");
            }
        });
    }

    async fn run(self, shared: &Shared) -> io::Result<()> {
        match self {
            After::Resign => {
                let how = shared.read(|s| s.options.failover.clone());
                shared.fail_over(&how).await
            }
            After::FailOver(how) => shared.fail_over(&how).await,
            After::Abdicate => {
                shared.abdicate().await;
                Ok(())
            }
            After::Elect(elect) => shared.elect(elect.member, elect.unready).await,
            After::Up(member) => shared.up(member).await,
            After::Down(member) => {
                shared.down(member).await;
                Ok(())
            }
            After::Pause(pause) => {
                shared.pause().await;
                tokio::time::sleep(pause).await;
                shared.resume().await
            }
        }
    }
}
