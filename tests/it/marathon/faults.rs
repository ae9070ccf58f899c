//! Answers and events that go wrong on demand.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::{Effect, EventFaults, Fault, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::marathon::client::{Events, briefs, exchange, get, get_json, soon, start, start_with};
use crate::marathon::sequences::{app, settled};

fn fault(path: &str, times: Option<u32>, effect: Effect) -> Fault {
    let path = path.to_owned();
    Fault {
        path,
        times,
        effect,
    }
}

async fn with_apps(count: usize) -> Simulator {
    let sim = start().await;
    for i in 0..count {
        sim.post_app(json!({ "id": format!("/a{i}"), "cmd": "x" }))
            .expect("accepted");
    }
    settled(&sim).await;
    sim
}

async fn raw(sim: &Simulator, path: &str) -> (usize, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
    let bytes = soon(exchange(sim, request.as_bytes())).await;
    let head = bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a head")
        + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = text.split("content-length: ").nth(1).expect("a length");
    let length = length.lines().next().expect("a line");
    (length.parse().expect("a number"), bytes[head..].to_vec())
}

#[tokio::test]
async fn bursts_of_errors_end() {
    let sim = with_apps(1).await;
    sim.add_fault(fault("/v2/apps", Some(2), Effect::Status(503)));
    assert_eq!(get(&sim, "/v2/pods").await.status, 200);
    assert_eq!(get(&sim, "/v2/apps").await.status, 503);
    assert_eq!(get(&sim, "/v2/apps/a0").await.status, 503);
    assert_eq!(get(&sim, "/v2/apps").await.status, 200);
    sim.add_fault(fault("", None, Effect::Status(500)));
    assert_eq!(get(&sim, "/v2/events").await.status, 500);
    assert_eq!(get(&sim, "/ping").await.status, 500);
    assert_eq!(sim.faults().len(), 1);
    sim.clear_faults();
    assert_eq!(get(&sim, "/ping").await.status, 200);
}

#[tokio::test]
async fn lists_shrink() {
    let sim = with_apps(4).await;
    sim.add_fault(fault("/v2/apps", Some(1), Effect::Empty));
    sim.add_fault(fault("/v2/apps", Some(1), Effect::Half));
    for left in [0, 2, 4] {
        let apps = get_json(&sim, "/v2/apps").await;
        assert_eq!(apps["apps"].as_array().map(Vec::len), Some(left));
    }
}

#[tokio::test]
async fn bodies_end_too_early() {
    let sim = with_apps(2).await;
    sim.add_fault(fault("/v2/apps", Some(1), Effect::Truncate));
    let (length, body) = raw(&sim, "/v2/apps").await;
    assert_eq!(length, body.len(), "nothing tells of it but the JSON");
    assert!(serde_json::from_slice::<Value>(&body).is_err());
    sim.add_fault(fault("/v2/apps", Some(1), Effect::Cut));
    let (length, body) = raw(&sim, "/v2/apps").await;
    assert_eq!(body.len(), length / 2);
}

#[tokio::test]
async fn bodies_take_their_time() {
    let sim = with_apps(1).await;
    sim.add_fault(fault("/v2/apps", Some(1), Effect::Slow(20)));
    let begin = Instant::now();
    let apps = get_json(&sim, "/v2/apps").await;
    assert_eq!(apps["apps"][0]["id"], "/a0");
    assert!(begin.elapsed() >= Duration::from_millis(8 * 20 - 20));
}

#[tokio::test]
async fn any_field_can_be_null() {
    let sim = with_apps(1).await;
    let names = ["ipAddresses", "labels"].map(str::to_owned).to_vec();
    sim.add_fault(fault("/v2/apps", None, Effect::Null(names)));
    let apps = get_json(&sim, "/v2/apps?embed=apps.tasks").await;
    let app = &apps["apps"][0];
    assert_eq!(app.get("labels"), Some(&Value::Null));
    assert_eq!(app["tasks"][0].get("ipAddresses"), Some(&Value::Null));
    assert_eq!(app["tasks"][0]["state"], "TASK_RUNNING");
}

#[tokio::test]
async fn answers_can_be_compressed() {
    let sim = start_with(|o| o.gzip = true).await;
    sim.post_app(app(1)).expect("accepted");
    let client = reqwest::Client::new();
    let url = format!("{}/v2/apps", sim.url());
    let plain = client.get(&url).header("accept-encoding", "identity");
    assert!(
        plain
            .send()
            .await
            .expect("answered")
            .json::<Value>()
            .await
            .is_ok()
    );
    let request = b"GET /v2/apps HTTP/1.1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let bytes = soon(exchange(&sim, request)).await;
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("Content-Encoding: gzip\r\n"), "{text}");
    // reqwest asks for gzip by itself and unpacks it.
    let apps: Value = client
        .get(&url)
        .send()
        .await
        .expect("answered")
        .json()
        .await
        .expect("JSON");
    assert_eq!(apps["apps"][0]["id"], "/web");
}

/// Creates an app with faulty events and tells what a stream has seen.
async fn seen_with(faults: EventFaults, heartbeat: Duration) -> Vec<String> {
    let sim = start_with(|o| o.heartbeat = heartbeat).await;
    let mut events = Events::open(&sim).await;
    sim.set_event_faults(faults);
    sim.post_app(app(1)).expect("accepted");
    settled(&sim).await;
    sim.set_event_faults(EventFaults::default());
    sim.delete("/web").expect("accepted");
    briefs(&events.until("app_terminated_event").await)
}

#[tokio::test]
async fn events_are_lost_doubled_and_overtaken() {
    let none = Duration::from_secs(3600);
    let good = seen_with(EventFaults::default(), none).await;
    let lossy = EventFaults {
        drop: 1.0,
        types: vec!["status_update_event".into()],
        ..EventFaults::default()
    };
    let lossy = seen_with(lossy, none).await;
    let missing = ["STAGING", "STARTING", "RUNNING"].map(|s| format!("status_update TASK_{s}"));
    assert!(
        missing
            .iter()
            .all(|m| good.contains(m) && !lossy.contains(m))
    );
    assert_eq!(lossy.len(), good.len() - 3);

    let double = EventFaults {
        duplicate: 1.0,
        types: vec!["api_post_event".into()],
        ..EventFaults::default()
    };
    assert_eq!(seen_with(double, none).await[..2], ["api_post", "api_post"]);

    let late = EventFaults {
        reorder: 1.0,
        types: vec!["api_post_event".into()],
        ..EventFaults::default()
    };
    assert_eq!(
        seen_with(late, none).await[..2],
        ["group_change_success", "api_post"]
    );

    let random = EventFaults {
        drop: 0.3,
        duplicate: 0.3,
        reorder: 0.3,
        ..EventFaults::default()
    };
    let first = seen_with(random.clone(), none).await;
    assert_ne!(first, good);
    assert_eq!(seen_with(random, none).await, first, "the seed decides");
}

#[tokio::test]
async fn events_that_nothing_overtakes_come_with_a_heartbeat() {
    let sim = start_with(|o| o.heartbeat = Duration::from_millis(20)).await;
    let mut events = Events::open_with(&sim, "?event_type=deployment_success").await;
    sim.set_event_faults(EventFaults {
        reorder: 1.0,
        ..EventFaults::default()
    });
    sim.post_app(app(1)).expect("accepted");
    assert_eq!(events.until("deployment_success").await.len(), 1);
}

#[tokio::test]
async fn events_can_be_late() {
    let sim = start().await;
    let mut events = Events::open(&sim).await;
    sim.set_event_faults(EventFaults {
        delay: 100,
        ..EventFaults::default()
    });
    let begin = Instant::now();
    sim.post_app(app(1)).expect("accepted");
    settled(&sim).await;
    let seen = events.until("deployment_success").await;
    assert!(begin.elapsed() >= Duration::from_millis(100));
    assert_eq!(briefs(&seen)[0], "api_post", "late, but in order");
}

#[tokio::test]
async fn bytes_are_cut_anywhere() {
    let sim = start().await;
    sim.set_event_faults(EventFaults {
        shred: true,
        ..EventFaults::default()
    });
    let mut socket = TcpStream::connect(sim.addr()).await.expect("listening");
    let request = b"GET /v2/events?event_type=api_post_event HTTP/1.1\r\n\
                    Accept: text/event-stream\r\n\r\n";
    socket.write_all(request).await.expect("sent");
    soon(sim.until(|s| s.streams() == 1)).await;
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        soon(socket.read_buf(&mut bytes)).await.expect("a head");
    }
    bytes.clear();
    let mut labelled = app(1);
    labelled["labels"] = json!({ "name": "ÄÖÜ€😀".repeat(50) });
    sim.post_app(labelled).expect("accepted");
    let mut reads = 0;
    while !bytes.ends_with(b"\r\n\r\n") {
        soon(socket.read_buf(&mut bytes)).await.expect("open");
        reads += 1;
    }
    assert!(reads > 1, "one event in several pieces");
    let text = String::from_utf8(bytes).expect("whole again");
    assert!(text.contains("ÄÖÜ€😀") && text.starts_with("event: api_post_event\r\ndata: {"));
}
