//! Whether the apiserver is well: asked every few seconds, since a watch that is silent tells
//! nothing. An apiserver without its etcd keeps its connections and answers no to this.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Timing;
use super::chorus::Word;
use super::failure::Failure;
use super::servers::Servers;

/// How often a server that is away is tried.
const AWAY: Duration = Duration::from_millis(500);

pub(super) struct Health {
    servers: Servers,
    timing: Timing,
    /// Counts the recoveries.
    recovered: watch::Sender<u64>,
}

// === impl Health ===

impl Health {
    pub(super) fn new(servers: Servers, timing: Timing) -> Health {
        Health {
            servers,
            timing,
            recovered: watch::Sender::new(0),
        }
    }

    /// Changes when the apiserver is back: whoever waits need not wait any longer.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.recovered.subscribe()
    }

    pub(super) async fn run(self, words: mpsc::Sender<Word>) {
        let mut away = false;
        loop {
            let failure = self.probe().await;
            let pause = match &failure {
                Some(_) => AWAY.min(self.timing.probe),
                None => self.timing.probe,
            };
            if away && failure.is_none() {
                self.recovered.send_modify(|count| *count += 1);
            }
            away = failure.is_some();
            if words.send(Word::Health(failure)).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Servers before 1.16 have no `/readyz`; both pages tell whether etcd answers. Who may not
    /// read them at least hears that the server lives.
    async fn probe(&self) -> Option<Failure> {
        let mut last = None;
        for path in ["/readyz", "/healthz"] {
            match self.servers.text(path, self.timing.answer / 2).await {
                Ok(_) => return None,
                Err(failure) if failure.is_missing() => last = None,
                Err(failure) if failure.is_away() => last = Some(failure),
                Err(_) => return None,
            }
            if last.is_some() {
                break;
            }
        }
        last
    }
}
