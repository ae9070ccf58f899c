//! The guide of docs/guide, executed word for word on a rig: real iptables, Envoys, etcd,
//! kube-apiserver and kubectl; only Marathon is simulated.
//!
//! In the guide a `sh` block is what the operator types; a `text` block right after it is what the
//! operator sees, where `…` stands for anything. What is seen may take a moment, so a block is run
//! again until it is, for as long as an operator would wait.

use std::time::{Duration, Instant};

use rig::Rig;

use super::chapter::{Step, chapters};
use super::{expect, log_of, root, started};

/// How long an operator would try again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries of a step; what a step does may cost a second by itself.
const PAUSE: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_shows_what_the_guide_says() {
    let rig = started().await;
    let mut failed = None;
    for step in chapters(&root().join("docs/guide")) {
        if let Err(error) = take(&rig, &step).await {
            failed = Some(format!("{error}\n{}", log_of(&rig)));
            break;
        }
    }
    rig.stop().await.unwrap();
    assert!(failed.is_none(), "{}", failed.unwrap_or_default());
}

/// Runs a step until it shows what it should.
async fn take(rig: &Rig, step: &Step) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    // Like one shell all the way: what a step exports, later ones have.
    let exports = rig.layout().directory().join("exports");
    let line = format!(
        "cd {}; touch {exports}; . {exports}\n{}\nstatus=$?; export -p > {exports}; exit $status",
        root().display(),
        step.command,
        exports = exports.display(),
    );
    loop {
        let (success, shown) = rig.shell(&line).await.map_err(|e| e.to_string())?;
        let seen = match &step.shows {
            Some(shows) => expect::matches(shows, &shown),
            None => success,
        };
        if seen {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let shows = step.shows.as_deref().unwrap_or("(success)");
            return Err(format!(
                "{}: after {PATIENCE:?},\n{}\nshould show\n{shows}\nand shows\n{shown}",
                step.place, step.command
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
