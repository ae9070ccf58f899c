//! Marathon goes away, and other things that tests do to clients.

use serde_json::json;
use simulator::{ApiError, Launch, Options, Simulator};
use tokio::net::TcpStream;

use crate::marathon::client::{Events, get_json, soon, start, start_with};

#[tokio::test]
async fn a_pause_cuts_everything_and_ends() {
    let sim = start().await;
    sim.post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    soon(sim.settled()).await;
    let mut events = Events::open(&sim).await;
    let (url, task) = (sim.url(), sim.tasks().remove(0));
    soon(sim.pause()).await;
    assert_eq!(events.next().await, None);
    assert!(TcpStream::connect(sim.addr()).await.is_err());
    assert_eq!(sim.streams(), 0);
    // The world goes on without Marathon's API.
    sim.crash_task(&task.id).expect("running");
    soon(sim.settled()).await;
    sim.resume().await.expect("the same port");
    sim.resume().await.expect("once is enough");
    assert_eq!(sim.url(), url);
    let tasks = get_json(&sim, "/v2/apps/a/tasks").await;
    assert_eq!(tasks["tasks"][0]["id"], sim.tasks()[0].id);
    Events::open(&sim).await;
}

#[tokio::test]
async fn shutdown_frees_the_port() {
    let sim = start().await;
    let addr = sim.addr();
    soon(sim.shutdown()).await;
    let again = start_with(|o| o.listen = addr).await;
    assert_eq!(again.addr(), addr);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let ids = async |seed: u64| {
        let options = Options {
            seed,
            ..Options::default()
        };
        let sim = Simulator::start(options).await.expect("a free port");
        sim.post_app(json!({ "id": "/a", "cmd": "x", "instances": 2 }))
            .expect("accepted");
        soon(sim.settled()).await;
        sim.tasks().into_iter().map(|t| t.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(1).await, ids(1).await);
    assert_ne!(ids(1).await, ids(2).await);
}

#[tokio::test]
async fn changes_wake_waiters() {
    let sim = start_with(|o| o.launch = Launch::Manual).await;
    let mut changes = sim.changes();
    let before = *changes.borrow_and_update();
    sim.post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    soon(changes.changed()).await.expect("alive");
    assert!(*changes.borrow() > before);
}

#[tokio::test]
async fn control_refuses_like_rest() {
    let sim = start().await;
    assert_eq!(sim.scale("/none", 1).map_err(|e| e.status()), Err(404));
    assert_eq!(sim.delete("/none").map_err(|e| e.status()), Err(404));
    assert!(matches!(sim.crash_task("none"), Err(ApiError::NotFound(_))));
    sim.post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    assert!(matches!(sim.restart("/a"), Err(ApiError::Locked(_))));
    soon(sim.settled()).await;
    let task = sim.tasks().remove(0);
    assert_eq!(
        sim.set_health(&task.id, Some(true)).map_err(|e| e.status()),
        Err(400)
    );
    sim.set_launch(Launch::Manual);
    sim.crash_task(&task.id).expect("running");
    assert_eq!(sim.crash_task(&task.id).map_err(|e| e.status()), Err(409));
}
