//! Leader and standby, and the change from one to the other.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Failover, Launch, Options, Simulator};
use tokio::net::TcpStream;

use crate::marathon::client::{
    Events, briefs, call, exchange_with, get_from, get_json, soon, start_with,
};
use crate::marathon::sequences::{app, settled};

async fn cluster(adjust: impl FnOnce(&mut Options)) -> Simulator {
    start_with(|o| {
        o.standbys = vec![o.listen];
        o.leader_wait = Duration::ZERO;
        adjust(o);
    })
    .await
}

fn checked_app() -> Value {
    let mut app = app(1);
    app["healthChecks"] = json!([{ "protocol": "HTTP", "path": "/" }]);
    app
}

async fn results(sim: &Simulator) -> Value {
    let tasks = get_json(sim, "/v2/apps/web/tasks").await;
    tasks["tasks"][0]["healthCheckResults"].clone()
}

#[tokio::test]
async fn a_standby_passes_requests_on() {
    let sim = cluster(|_| ()).await;
    let direct = get_from(sim.addr(), "/v2/leader").await;
    let passed = get_from(sim.addr_of(1), "/v2/leader").await;
    assert_eq!(direct.json(), passed.json());
    assert_eq!(passed.json()["leader"], sim.addr().to_string());
    assert_eq!(passed.headers["x-marathon-leader"], sim.url());
    let via = format!("1.1 {}", sim.addr_of(1));
    assert_eq!(passed.headers["x-marathon-via"], via);
    assert!(!direct.headers.contains_key("x-marathon-via"));
    // A leader that does not answer is no leader for its standbys.
    sim.stop_member(0).await;
    assert_eq!(get_from(sim.addr_of(1), "/v2/apps").await.status, 502);
}

#[tokio::test]
async fn events_on_a_standby_are_redirected_since_1_7() {
    for (version, redirected) in [("1.5", false), ("1.7", true), ("1.8", true)] {
        let sim = cluster(|o| o.version = version.into()).await;
        let mut events = Events::open_at(sim.addr_of(1), "?event_type=api_post_event").await;
        if redirected {
            assert!(events.head.starts_with("HTTP/1.1 302 "), "{}", events.head);
            let location = format!(
                "Location: {}/v2/events?event_type=api_post_event\r\n",
                sim.url()
            );
            assert!(events.head.contains(&location), "{}", events.head);
            continue;
        }
        assert!(
            events.head.contains("X-Marathon-Via: 1.1 "),
            "{}",
            events.head
        );
        sim.post_app(app(1)).expect("accepted");
        assert_eq!(events.until("api_post_event").await.len(), 1);
    }
}

#[tokio::test]
async fn without_a_leader_nobody_answers() {
    let sim = cluster(|_| ()).await;
    let mut events = Events::open(&sim).await;
    sim.abdicate().await;
    assert_eq!(events.next().await, None);
    assert!(TcpStream::connect(sim.addr()).await.is_err());
    let standby = sim.addr_of(1);
    let leader = get_from(standby, "/v2/leader").await;
    assert_eq!(
        (leader.status, leader.json()["message"].as_str()),
        (404, Some("There is no leader"))
    );
    for path in ["/v2/apps", "/v2/events", "/ping"] {
        assert_eq!(get_from(standby, path).await.status, 502, "{path}");
    }
    // Nothing is launched either, until somebody leads again.
    sim.post_app(app(1)).expect("accepted");
    assert_eq!(sim.tasks(), []);
    sim.elect(1, 0).await.expect("its port");
    settled(&sim).await;
    assert_eq!(
        get_from(standby, "/v2/leader").await.json()["leader"],
        standby.to_string()
    );
}

#[tokio::test]
async fn requests_wait_a_moment_for_a_leader() {
    let sim = cluster(|o| o.leader_wait = Duration::from_secs(20)).await;
    sim.abdicate().await;
    let standby = sim.addr_of(1);
    let waiting = tokio::spawn(async move { get_from(standby, "/v2/apps").await.status });
    sim.elect(1, 0).await.expect("its port");
    assert_eq!(soon(waiting).await.expect("answered"), 200);
}

#[tokio::test]
async fn a_new_leader_closes_streams_until_it_is_ready() {
    let sim = cluster(|_| ()).await;
    let how = Failover {
        unready: 2,
        ..Failover::default()
    };
    sim.fail_over(&how).await.expect("ports");
    assert_eq!(sim.leader(), Some(1));
    let request = b"GET /v2/events HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n";
    for _ in 0..2 {
        let bytes = soon(exchange_with(sim.addr_of(1), request)).await;
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(
            text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\n"),
            "{text}"
        );
        assert_eq!(
            text.matches("\r\n\r\n").count(),
            1,
            "a head and nothing else: {text}"
        );
    }
    let mut third = Events::open_at(sim.addr_of(1), "").await;
    assert_eq!(briefs(&third.until("event_stream_attached").await).len(), 1);
    // The old leader is a standby now.
    assert!(
        get_from(sim.addr(), "/ping")
            .await
            .headers
            .contains_key("x-marathon-via")
    );
}

#[tokio::test]
async fn health_results_are_gone_until_the_checks_have_run() {
    let sim = cluster(|_| ()).await;
    sim.post_app(checked_app()).expect("accepted");
    let mut mesos = checked_app();
    mesos["id"] = "/mesos".into();
    mesos["healthChecks"][0]["protocol"] = "MESOS_HTTP".into();
    sim.post_app(mesos).expect("accepted");
    let before = settled(&sim).await;
    assert_eq!(results(&sim).await[0]["alive"], true);
    sim.fail_over(&Failover::default()).await.expect("ports");
    assert_eq!(results(&sim).await, json!([]));
    let kept = get_json(&sim, "/v2/apps/mesos/tasks").await;
    assert_eq!(kept["tasks"][0]["healthCheckResults"][0]["alive"], true);
    let ids = |tasks: Vec<simulator::TaskView>| tasks.into_iter().map(|t| t.id).collect::<Vec<_>>();
    assert_eq!(ids(sim.tasks()), ids(before), "tasks do not notice");
    let mut events = Events::open_at(sim.addr_of(1), "").await;
    sim.refill_health();
    let seen = briefs(&events.until("health_status_changed_event").await);
    assert_eq!(
        seen.last().map(String::as_str),
        Some("health_status_changed true")
    );
    assert_eq!(results(&sim).await[0]["alive"], true);
}

#[tokio::test]
async fn failed_checks_fail_again_after_a_failover() {
    let sim = cluster(|_| ()).await;
    sim.post_app(checked_app()).expect("accepted");
    let task = settled(&sim).await.remove(0);
    sim.set_health(&task.id, Some(false)).expect("checked");
    // The memory outlives two changes of leader in a row.
    sim.fail_over(&Failover::default()).await.expect("ports");
    let how = Failover {
        refill: Some(0),
        ..Failover::default()
    };
    sim.fail_over(&how).await.expect("ports");
    soon(sim.until(|s| s.tasks()[0].healthy.is_some())).await;
    assert_eq!(sim.tasks()[0].healthy, Some(false));
}

#[tokio::test]
async fn deployments_go_on_under_their_id() {
    let sim = cluster(|o| o.launch = Launch::Manual).await;
    let id = sim.post_app(app(1)).expect("accepted");
    soon(sim.until(|s| s.tasks().iter().any(|t| t.state == "TASK_STAGING"))).await;
    sim.abdicate().await;
    sim.elect(1, 0).await.expect("its port");
    let mut events = Events::open_at(sim.addr_of(1), "").await;
    sim.set_launch(Launch::Immediate);
    let seen = events.until("deployment_success").await;
    assert_eq!(seen.last().map(|e| &e["id"]), Some(&json!(id.0)));
}

#[tokio::test]
async fn a_single_marathon_resigns_and_returns() {
    let sim = start_with(|o| o.failover.refill = Some(0)).await;
    let mut events = Events::open(&sim).await;
    let answer = call(&sim, "DELETE", "/v2/leader", json!({})).await;
    assert_eq!(answer.json()["message"], "Leadership abdicated");
    assert_eq!(events.next().await, None);
    soon(sim.until(|s| s.leader() == Some(0))).await;
    Events::open(&sim).await;
}
