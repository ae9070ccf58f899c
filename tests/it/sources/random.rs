//! Random histories of a Marathon: thousands of operations and faults, and then what the index
//! knows is what is true.
//!
//! Each history has a seed, which is printed; what the network makes of it is not repeatable, but
//! the order of operations is. `MARATHON_SEED` runs one seed alone, `MARATHON_SEEDS` so many more
//! than usual, `MARATHON_STEPS` makes them longer or shorter.

mod cluster; // the Marathon, and what goes wrong with it
mod follower; // source and index, and what must hold all the time
mod specs; // apps and pods of every shape
mod truth; // what should be known of them

use std::time::Duration;

use tokio::task::JoinSet;

use self::cluster::Cluster;
use self::follower::Follower;

/// How many histories run in each of the two ways.
const SEEDS: u64 = 2;
const STEPS: usize = 1000;
/// So many steps between two looks at the truth.
const CHAPTER: usize = 100;

/// How a history tells of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// By events alone, which may be late, double and out of order, but come.
    Events,
    /// Events may be lost and lists false; everything is read again from time to time.
    Resync,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_by_events_alone_ends_in_the_truth() {
    histories(Manner::Events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_with_lost_events_and_false_lists_ends_in_the_truth() {
    histories(Manner::Resync).await;
}

async fn histories(manner: Manner) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seeds = match number("MARATHON_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("MARATHON_SEEDS").unwrap_or(SEEDS) + 1,
    };
    let steps = number("MARATHON_STEPS").map_or(STEPS, |steps| steps.try_into().unwrap());
    let mut running = JoinSet::new();
    for seed in seeds {
        if running.len() >= 4 {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(history(seed, manner, steps));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

async fn history(seed: u64, manner: Manner, steps: usize) {
    let mut cluster = Cluster::start(seed, manner).await;
    let tag = format!("seed {seed}, {manner:?}, Marathon {}", cluster.version);
    println!("{tag}");
    let mut follower = Follower::start(cluster.urls(), manner, &tag);
    for step in 1..=steps {
        cluster.step().await;
        follower.pace(cluster.pause()).await;
        if step % CHAPTER == 0 {
            let tag = format!("{tag}, step {step}");
            cluster.heal(&tag).await;
            follower.knows(&tag, &cluster).await;
            failover_changes_nothing(&mut cluster, &mut follower, &tag).await;
            cluster.trouble_that_stays();
            follower.knows(&format!("{tag}, troubled"), &cluster).await;
        }
    }
    cluster.heal(&tag).await;
    follower.knows(&tag, &cluster).await;
    let fresh = Follower::start(cluster.urls(), manner, &tag);
    fresh.knows(&format!("{tag}, from scratch"), &cluster).await;
    follower.agrees_with(&fresh, &tag).await;
    cluster.was_busy(&tag, steps);
}

/// A new leader knows no results of health checks; nothing may come of it.
async fn failover_changes_nothing(cluster: &mut Cluster, follower: &mut Follower, tag: &str) {
    let known = truth::of(&cluster.simulator);
    let lists = follower.lists();
    cluster.fail_over_and_forget().await;
    follower.relisted(lists).await;
    follower
        .is(&known, &format!("{tag}, a leader that knows nothing"))
        .await;
    cluster.simulator.refill_health();
}

/// Longer than anything takes that works.
const DEADLINE: Duration = Duration::from_secs(30);
