//! The real source and the real index behind it, and what must hold at every moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::watch::Status;
use ::watch::marathon::{Marathon, Options, Timing};
use api::event::Update;
use index::{Index, Settings};
use model::{Hostname, World};
use reqwest::Url;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::cluster::{ANCHORS, Cluster};
use super::truth::{self, Rows};
use super::{DEADLINE, Manner};

pub(super) struct Follower {
    world: watch::Receiver<Arc<World>>,
    status: watch::Receiver<Status>,
    indexing: JoinHandle<()>,
    _shutdown: DropGuard,
}

impl Follower {
    pub(super) fn start(urls: Vec<Url>, manner: Manner, tag: &str) -> Follower {
        let mut options = Options::new(urls);
        options.timing = timing(manner);
        let marathon = Marathon::new(options, "marathon").unwrap();
        let (updates_tx, updates) = mpsc::channel(64);
        let (status_tx, status) = watch::channel(marathon.status());
        let (world_tx, world) = watch::channel(Arc::new(World::default()));
        let shutdown = CancellationToken::new();
        tokio::spawn(marathon.run(updates_tx, status_tx, shutdown.clone()));
        Follower {
            world,
            status,
            indexing: tokio::spawn(index(updates, world_tx, tag.to_owned())),
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// Waits for the next World, but not longer.
    pub(super) async fn pace(&mut self, longest: Duration) {
        let _ = timeout(longest, self.world.changed()).await;
    }

    /// How often everything was read.
    pub(super) fn lists(&self) -> u64 {
        self.status.borrow().resyncs
    }

    /// Waits until everything was read again.
    pub(super) async fn relisted(&self, lists: u64) {
        let mut status = self.status.clone();
        let again = status.wait_for(|status| status.resyncs > lists);
        assert!(timeout(DEADLINE, again).await.is_ok(), "no list again");
    }

    /// Waits until what is known is what is true.
    pub(super) async fn knows(&self, tag: &str, cluster: &Cluster) {
        self.is(&truth::of(&cluster.simulator), tag).await;
    }

    pub(super) async fn is(&self, truth: &Rows, tag: &str) {
        let mut worlds = self.world.clone();
        let knows = worlds.wait_for(|world| truth::known(world) == *truth);
        let told = timeout(DEADLINE, knows).await;
        if matches!(told, Ok(Ok(_))) {
            return;
        }
        let known = truth::known(&self.world.borrow());
        panic!(
            "{tag}: {:#?}\n{:#?}\nthe index ended: {}",
            truth::difference(truth, &known),
            *self.status.borrow(),
            self.indexing.is_finished(),
        );
    }

    /// Waits until a history and a beginning lead to the same, findings included.
    pub(super) async fn agrees_with(&self, fresh: &Follower, tag: &str) {
        let fresh = fresh.world.borrow().clone();
        let mut worlds = self.world.clone();
        let same = |world: &Arc<World>| {
            (
                &world.services,
                &world.endpoints,
                &world.instances,
                &world.diagnostics,
            ) == (
                &fresh.services,
                &fresh.endpoints,
                &fresh.instances,
                &fresh.diagnostics,
            )
        };
        let agreed = timeout(DEADLINE, worlds.wait_for(same)).await;
        assert!(
            matches!(agreed, Ok(Ok(_))),
            "{tag}: a history leads elsewhere than a beginning\n{:#?}\n{fresh:#?}",
            *self.world.borrow()
        );
    }
}

/// Follows the source as the daemon does.
async fn index(
    mut updates: mpsc::Receiver<Update>,
    worlds: watch::Sender<Arc<World>>,
    tag: String,
) {
    let mut index = Index::new(Settings {
        mesh: model::Mesh::default(),
        sources: vec!["marathon".into()],
    });
    let mut seen = BTreeSet::new();
    while let Some(update) = updates.recv().await {
        index.apply(update);
        while let Ok(update) = updates.try_recv() {
            index.apply(update);
        }
        if let Some(published) = index.publish() {
            holds(&published.world, &mut seen, &tag);
            let _ = worlds.send(published.world);
        }
    }
}

/// What is true of every World, whatever happens: no address stands twice, and services whose
/// tasks nobody touched have endpoints.
fn holds(world: &World, seen: &mut BTreeSet<Hostname>, tag: &str) {
    for (port, endpoints) in &world.endpoints {
        let addresses: BTreeSet<_> = endpoints.iter().filter_map(|e| e.reach.anywhere).collect();
        let count = endpoints.iter().filter(|e| e.reach.anywhere.is_some());
        assert_eq!(
            addresses.len(),
            count.count(),
            "{tag}: {port:?} {endpoints:#?}"
        );
    }
    for (_, service) in ANCHORS {
        let host: Hostname = format!("{service}.marathon.slave.mesos").parse().unwrap();
        let used = world.endpoints_of(&host, 9080).iter();
        let used = used
            .filter(|e| e.health != model::Health::Unhealthy)
            .count();
        if used > 0 {
            seen.insert(host);
        } else {
            assert!(
                !seen.contains(&host),
                "{tag}: {host} has lost its endpoints"
            );
        }
    }
}

fn timing(manner: Manner) -> Timing {
    let millis = Duration::from_millis;
    Timing {
        resync: match manner {
            Manner::Events => Duration::from_secs(3600),
            Manner::Resync => millis(250),
        },
        idle: millis(300),
        backoff: (millis(1), millis(20)),
        confirm: millis(10),
        aftermath: millis(50),
        quiet: millis(5),
        most: millis(50),
        ..Timing::default()
    }
}
