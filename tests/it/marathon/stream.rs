//! The event stream down to its bytes.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::marathon::client::{Events, briefs, exchange, soon, start, start_with};

#[tokio::test]
async fn frames_and_heartbeats_are_those_of_marathon() {
    let sim = start_with(|o| o.heartbeat = Duration::from_millis(20)).await;
    let mut events = Events::open_with(&sim, "?plan-format=light").await;
    let head: Vec<&str> = events.head.trim_end().split("\r\n").collect();
    assert_eq!(head[0], "HTTP/1.1 200 OK");
    assert!(head.contains(&"Content-Type: text/event-stream;charset=utf-8"));
    assert!(head.contains(&"Connection: close"));
    assert!(head.contains(&format!("X-Marathon-Leader: {}", sim.url()).as_str()));
    assert!(!events.head.to_lowercase().contains("transfer-encoding"));
    let first = events.next().await.expect("attached");
    assert_eq!(first["eventType"], "event_stream_attached");
    // Two heartbeats and nothing else: CR LF CR LF.
    assert_eq!(&events.bytes(4).await[..4], b"\r\n\r\n");
}

#[tokio::test]
async fn carriage_return_and_line_feed_travel_apart() {
    let sim = start_with(|o| o.heartbeat = Duration::from_millis(20)).await;
    let mut socket = TcpStream::connect(sim.addr()).await.expect("listening");
    let request = b"GET /v2/events?event_type=none HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n";
    socket.write_all(request).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        soon(socket.read_buf(&mut head)).await.expect("a head");
    }
    // Read eagerly until one of the two arrives alone; they may be coalesced
    // by the kernel now and then, but not always.
    soon(async {
        let mut buffer = [0u8; 16];
        loop {
            let n = socket.read(&mut buffer).await.expect("open");
            if buffer[..n] == *b"\r" {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_exact_accept_header_will_do() {
    let sim = start().await;
    let accepts = [
        "Accept: */*\r\n",
        "Accept: text/event-stream, */*\r\n",
        "Accept: text/event-stream;q=1\r\n",
        "",
    ];
    for accept in accepts {
        let request = format!("GET /v2/events HTTP/1.1\r\nHost: m\r\n{accept}\r\n");
        let answer = soon(exchange(&sim, request.as_bytes())).await;
        let line = String::from_utf8_lossy(&answer);
        assert!(line.starts_with("HTTP/1.1 405 "), "{accept}: {line}");
    }
    assert_eq!(sim.streams(), 0);
}

#[tokio::test]
async fn filters_are_per_client() {
    let sim = start().await;
    let query = "?event_type=deployment_success&event_type=status_update_event";
    let mut some = Events::open_with(&sim, query).await;
    let mut all = Events::open(&sim).await;
    sim.post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    let seen = some.until("deployment_success").await;
    assert_eq!(
        briefs(&seen),
        [
            "status_update TASK_STAGING",
            "status_update TASK_STARTING",
            "status_update TASK_RUNNING",
            "deployment_success"
        ]
    );
    assert!(all.until("deployment_success").await.len() > seen.len());
}

#[tokio::test]
async fn others_hear_of_attached_and_detached_streams() {
    let sim = start().await;
    let mut staying = Events::open(&sim).await;
    let leaving = Events::open(&sim).await;
    assert_eq!(
        briefs(&staying.until("event_stream_attached").await).len(),
        1
    );
    drop(leaving);
    staying.until("event_stream_detached").await;
    assert_eq!(sim.streams(), 1);
}

#[tokio::test]
async fn frozen_streams_are_silent_and_catch_up() {
    let sim = start_with(|o| o.heartbeat = Duration::from_millis(1)).await;
    let mut events = Events::open(&sim).await;
    sim.freeze_events(true);
    sim.post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    soon(sim.settled()).await;
    sim.freeze_events(false);
    let seen = events.until("deployment_success").await;
    assert_eq!(briefs(&seen)[0], "api_post");
}

#[tokio::test]
async fn slow_clients_lose_their_stream() {
    let sim = start_with(|o| o.event_buffer = 8).await;
    let mut slow = Events::open(&sim).await;
    sim.freeze_events(true);
    sim.post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    soon(sim.until(|s| s.streams() == 0)).await;
    assert_eq!(slow.next().await, None);
}

#[tokio::test]
async fn streams_can_be_dropped() {
    let sim = start().await;
    let mut events = Events::open(&sim).await;
    sim.drop_streams();
    assert_eq!(events.next().await, None);
    let mut again = Events::open(&sim).await;
    sim.post_app(json!({ "id": "/a", "cmd": "x" }))
        .expect("accepted");
    again.until("deployment_success").await;
}
