//! The guide of docs/guide, executed word for word on a rig: real iptables, Envoys, etcd,
//! kube-apiserver and kubectl; only Marathon is simulated.
//!
//! In the guide a `sh` block is what the operator types; a `text` block right after it is what the
//! operator sees, where `…` stands for anything. What is seen may take a moment, so a block is run
//! again until it is, for as long as an operator would wait.

mod chapter; // from Markdown to steps
mod expect; // what is seen, against what should be

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chapter::{Step, chapters};
use rig::{Options, Rig, Store};

/// How long an operator would try again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries of a step; what a step does may cost a second by itself.
const PAUSE: Duration = Duration::from_millis(250);

#[tokio::test]
async fn every_step_shows_what_the_guide_says() {
    let options = Options {
        index: None,
        own: pilothouse(),
        store: Store::Kube,
    };
    let rig = Rig::start(options).await.unwrap();
    rig.listening().await.unwrap();
    let mut failed = None;
    for step in chapters(&root().join("docs/guide")) {
        if let Err(error) = take(&rig, &step).await {
            failed = Some(error);
            break;
        }
    }
    if let Some(error) = &failed {
        let log = rig.layout().directory().join("master/pilothouse.log");
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        eprintln!("{error}\nthe control plane, last line first:\n{}", tail.join("\n"));
    }
    rig.stop().await.unwrap();
    assert!(failed.is_none(), "{}", failed.unwrap_or_default());
}

/// Runs a step until it shows what it should.
async fn take(rig: &Rig, step: &Step) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    let line = format!("cd {} && {}", root().display(), step.command);
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

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests are in the workspace").into()
}

/// The binary of the build that this test belongs to.
fn pilothouse() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("pilothouse");
    assert!(built.exists(), "{}: build the workspace first", built.display());
    built
}
