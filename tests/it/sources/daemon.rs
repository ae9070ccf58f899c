//! Several Marathons, and a start without any: the daemon with its sources.

use std::path::Path;
use std::time::Duration;

use ::watch::marathon::Options;
use pilot::{Config, NamedOptions, Running};
use serde_json::{Value, json};

use crate::sources::fake::Fake;
use crate::sources::source::timing;

const DEADLINE: Duration = Duration::from_secs(20);

fn app(id: &str, service: &str, ports: &[u16]) -> Value {
    let tasks = ports.iter().map(|port| {
        json!({"id": format!("{service}.{port}"), "host": "10.0.0.1", "state": "TASK_RUNNING", "ports": [port],
            "ipAddresses": [{"ipAddress": format!("172.17.0.{}", port - 30_900)}], "startedAt": "2024-05-02T00:00:00Z"})
    });
    json!({
        "id": id, "labels": {"istio": service}, "networks": [{"mode": "container/bridge"}],
        "container": {"portMappings": [{"containerPort": 80, "hostPort": 0, "name": "http"}]},
        "tasks": tasks.collect::<Vec<_>>(),
    })
}

fn config(marathons: &[(&str, &Fake)], snapshot: Option<&Path>) -> Config {
    let marathons = marathons.iter().map(|(name, fake)| {
        let mut options = Options::new([fake.url.clone()]);
        options.timing = timing();
        NamedOptions {
            name: (*name).to_owned(),
            options,
        }
    });
    Config {
        marathons: marathons.collect(),
        snapshot: snapshot.map(Path::to_owned),
        ..Config::local()
    }
}

async fn page(running: &Running, path: &str) -> Value {
    let url = format!("http://{}{path}", running.http);
    let answer = reqwest::get(url).await.unwrap();
    answer.json().await.unwrap_or(Value::Null)
}

/// Service, and the addresses of its instances, in order.
async fn registry(running: &Running) -> Vec<(String, Vec<String>)> {
    let page = page(running, "/debug/registryz").await;
    let rows = page.as_array().cloned().unwrap_or_default();
    rows.iter()
        .filter_map(|row| {
            let instances = row["instances"].as_array()?.iter();
            let addresses = instances.map(|i| i["address"].as_str().unwrap_or("-").to_owned());
            Some((row["hostname"].as_str()?.to_owned(), addresses.collect()))
        })
        .collect()
}

async fn until(running: &Running, expected: &[(&str, &[&str])]) {
    let expected: Vec<(String, Vec<String>)> = expected
        .iter()
        .map(|(service, addresses)| {
            let addresses = addresses.iter().map(|a| (*a).to_owned()).collect();
            (format!("{service}.marathon.slave.mesos"), addresses)
        })
        .collect();
    let mut last = Vec::new();
    let reached = tokio::time::timeout(DEADLINE, async {
        while last != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
            last = registry(running).await;
        }
    });
    if reached.await.is_err() {
        panic!("{last:#?} is not {expected:#?}");
    }
}

async fn sources(running: &Running) -> Vec<(String, String)> {
    let page = page(running, "/debug/sources").await;
    let rows = page.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter()
        .map(|row| (text(&row["name"]), text(&row["state"])))
        .collect()
}

#[tokio::test]
async fn one_marathon_that_fails_does_not_touch_the_others() {
    let one = Fake::start(vec![app("/a", "a", &[31000])], vec![]).await;
    let other = Fake::start(
        vec![app("/a", "a", &[31001]), app("/b", "b", &[31002])],
        vec![],
    )
    .await;
    let mut running = pilot::start(config(&[("one", &one), ("other", &other)], None))
        .await
        .unwrap();
    let (first, second, third) = ("10.0.0.1:31000", "10.0.0.1:31001", "10.0.0.1:31002");
    // The same id in both is two workloads of one service.
    until(&running, &[("a", &[first, second]), ("b", &[third])]).await;
    drop(other);
    one.script().apps.push(app("/c", "c", &[31009]));
    one.touch("/c");
    until(
        &running,
        &[
            ("a", &[first, second]),
            ("b", &[third]),
            ("c", &["10.0.0.1:31009"]),
        ],
    )
    .await;
    let states = sources(&running).await;
    assert_eq!(states[0], ("one".to_owned(), "streaming".to_owned()));
    assert_eq!(states[1].0, "other");
    running.stop().await;
}

#[tokio::test]
async fn a_restart_serves_the_snapshot_while_marathon_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("snapshot");
    let fake = Fake::start(vec![app("/a", "a", &[31000])], vec![]).await;
    let config = config(&[("marathon", &fake)], Some(&file));
    let mut running = pilot::start(config.clone()).await.unwrap();
    until(&running, &[("a", &["10.0.0.1:31000"])]).await;
    running.stop().await;
    // It answers, and nothing of what it says can be used.
    let refusal = crate::sources::fake::Answer::new(503, "no leader");
    fake.script().always.insert("/v2/events".into(), refusal);
    let mut running = pilot::start(config).await.unwrap();
    until(&running, &[("a", &["10.0.0.1:31000"])]).await;
    assert_eq!(
        sources(&running).await,
        [("marathon".to_owned(), "restored".to_owned())]
    );
    // Back again, with another task.
    fake.script().apps[0] = app("/a", "a", &[31005]);
    fake.script().always.clear();
    until(&running, &[("a", &["10.0.0.1:31005"])]).await;
    assert_eq!(
        sources(&running).await,
        [("marathon".to_owned(), "streaming".to_owned())]
    );
    running.stop().await;
}
