//! How long clusters warm: every Envoy's own count of those that are not ready yet, looked at again
//! and again while a test does something else.

use std::time::{Duration, Instant};

use demo::envoy::Admin;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Envoy's gauge, set the moment a cluster begins to warm and the moment it ends.
const GAUGE: &str = "cluster_manager.warming_clusters";

/// Between two looks at one Envoy, besides what an answer takes.
const PERIOD: Duration = Duration::from_millis(10);

/// What was seen at all Envoys together.
#[derive(Debug, Default)]
pub(super) struct Warmth {
    pub(super) looks: u64,
    /// Times at which something was warming.
    pub(super) spells: u64,
    /// From the last look that found nothing warming to the next that does so: at most this long.
    pub(super) longest: Duration,
}

/// Looks until it is asked what it saw.
pub(super) struct Watch {
    ended: watch::Sender<bool>,
    watchers: JoinSet<Warmth>,
}

impl Watch {
    pub(super) fn start(envoys: impl IntoIterator<Item = Admin>) -> Watch {
        let (ended, end) = watch::channel(false);
        let watchers = envoys
            .into_iter()
            .map(|envoy| observe(envoy, end.clone()))
            .collect();
        Watch { ended, watchers }
    }

    pub(super) async fn finish(self) -> Warmth {
        self.ended.send_replace(true);
        let all = self.watchers.join_all().await;
        all.into_iter().fold(Warmth::default(), Warmth::and)
    }
}

async fn observe(envoy: Admin, end: watch::Receiver<bool>) -> Warmth {
    let mut warmth = Warmth::default();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut cold, mut warming) = (Instant::now(), false);
    while !*end.borrow() {
        ticks.tick().await;
        let asked = Instant::now();
        let count = envoy.stat(GAUGE).await.unwrap().expect(GAUGE);
        warmth.looks += 1;
        match (warming, count > 0) {
            (false, true) => warmth.spells += 1,
            (true, false) => warmth.longest = warmth.longest.max(cold.elapsed()),
            _ => {}
        }
        warming = count > 0;
        if !warming {
            cold = asked;
        }
    }
    warmth
}

impl Warmth {
    fn and(self, other: Warmth) -> Warmth {
        Warmth {
            looks: self.looks + other.looks,
            spells: self.spells + other.spells,
            longest: self.longest.max(other.longest),
        }
    }
}
