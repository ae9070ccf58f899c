//! What an operator reads of Marathon's workloads: `/debug/registryz`, `/debug/endpointz` and
//! `/debug/sources`, and the same by `pilothouse get`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use pilot::{Config, NamedOptions, Running};
use serde_json::{Value, json};
use simulator::{Agent, Launch, Simulator};
use tokio::process::Command;

use crate::e2e::{eventually, pilothouse};
use crate::sources::source::timing;

const HOST: &str = "web.marathon.slave.mesos";

async fn marathon() -> Simulator {
    let agent = |last| Agent {
        region: Some("eu".into()),
        zone: Some(format!("eu-{last}")),
        ..Agent::at(Ipv4Addr::new(10, 0, 0, last))
    };
    let simulator = Simulator::start(simulator::Options {
        agents: vec![agent(1), agent(2)],
        launch: Launch::Manual,
        ..simulator::Options::default()
    });
    let simulator = simulator.await.unwrap();
    let app = json!({
        "id": "/web", "instances": 5, "labels": {"istio": "web", "version": "v1"},
        "networks": [{"mode": "container/bridge"}],
        "container": {"portMappings": [{"containerPort": 80, "hostPort": 0, "name": "http"}]},
        "healthChecks": [{"protocol": "MESOS_HTTP", "path": "/", "portIndex": 0}],
    });
    simulator.post_app(app).unwrap();
    simulator.until(|s| s.tasks().len() == 5).await;
    simulator
}

/// One task in each state that an operator asks about.
fn differ(simulator: &Simulator) -> BTreeMap<&'static str, String> {
    let mut tasks = simulator.tasks().into_iter().map(|task| task.id);
    let mut next = || tasks.next().unwrap();
    let (good, bad, new, killing, staging) = (next(), next(), next(), next(), next());
    for id in [&good, &bad, &new, &killing] {
        simulator.set_task_state(id, "TASK_RUNNING").unwrap();
    }
    simulator.set_health(&good, Some(true)).unwrap();
    simulator.set_health(&bad, Some(false)).unwrap();
    simulator.set_task_state(&killing, "TASK_KILLING").unwrap();
    BTreeMap::from([
        ("its health check passes", good),
        ("its health check fails", bad),
        ("its health check has no result yet", new),
        ("TASK_KILLING", killing),
        ("TASK_STAGING", staging),
    ])
}

async fn daemon(simulator: &Simulator) -> Running {
    let mut options = ::watch::marathon::Options::new([simulator.url().parse().unwrap()]);
    options.timing = timing();
    let marathons = vec![NamedOptions {
        name: "marathon".into(),
        options,
    }];
    let config = Config {
        marathons,
        ..Config::local()
    };
    pilot::start(config).await.unwrap()
}

async fn page(running: &Running, path: &str) -> String {
    let url = format!("http://{}{path}", running.http);
    let answer = reqwest::get(url).await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.text().await.unwrap()
}

async fn rows(running: &Running, path: &str) -> Vec<Value> {
    serde_json::from_str(&page(running, path).await).unwrap()
}

/// Each reason and the instance that it is told of.
fn reasons(row: &Value) -> Vec<(String, String)> {
    let lists = [&row["instances"], &row["others"]];
    let all = lists
        .iter()
        .flat_map(|list| list.as_array().into_iter().flatten());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|one| (text(&one["why"]), text(&one["id"])))
        .collect()
}

#[tokio::test]
async fn registryz_tells_of_each_instance_why_it_is_or_is_no_endpoint() {
    let simulator = marathon().await;
    let mut running = daemon(&simulator).await;
    // What is there at the first look counts as healthy; this is about what comes later.
    eventually("in step", async || {
        rows(&running, "/debug/sources").await[0]["state"] == "streaming"
    })
    .await;
    let expected = differ(&simulator);
    let told = |row: &Value| {
        let reasons = reasons(row);
        expected.iter().all(|(why, task)| {
            // An endpoint has the instance's id, which the task's begins with.
            let about = |(told, id): &(String, String)| told.contains(why) && task.starts_with(id);
            reasons.iter().any(about)
        })
    };
    let mut last = Value::Null;
    let path = format!("/debug/registryz?host={HOST}");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while !told(&last) {
        assert!(tokio::time::Instant::now() < deadline, "{last:#}");
        let rows = rows(&running, &path).await;
        assert_eq!(rows.last(), Some(&json!({})));
        last = rows[0].clone();
    }
    assert_eq!(last["instances"].as_array().unwrap().len(), 3, "{last:#}");
    assert_eq!(last["others"].as_array().unwrap().len(), 2, "{last:#}");
    assert_eq!(
        rows(&running, "/debug/registryz?host=other").await,
        [json!({})]
    );
    running.stop().await;
}

#[tokio::test]
async fn a_task_that_only_moves_on_towards_its_start_is_told_without_a_new_generation() {
    let simulator = marathon().await;
    let mut running = daemon(&simulator).await;
    let task = simulator.tasks().remove(0).id;
    for state in ["TASK_STAGING", "TASK_STARTING"] {
        simulator.set_task_state(&task, state).unwrap();
        eventually(state, async || {
            let rows = rows(&running, "/debug/registryz").await;
            rows.iter().any(|row| {
                let others = row["others"].as_array().cloned().unwrap_or_default();
                others
                    .iter()
                    .any(|o| o["id"] == task.as_str() && o["state"] == state)
            })
        })
        .await;
    }
    running.stop().await;
}

#[tokio::test]
async fn endpointz_has_the_shape_of_istio_1_0() {
    let simulator = marathon().await;
    let mut running = daemon(&simulator).await;
    let good = simulator.tasks().remove(0);
    simulator.set_task_state(&good.id, "TASK_RUNNING").unwrap();
    simulator.set_health(&good.id, Some(true)).unwrap();
    let mut found = Vec::new();
    eventually("the endpoint", async || {
        found = rows(&running, "/debug/endpointz").await;
        found.iter().any(|row| row["ep"][0]["health"] == "HEALTHY")
    })
    .await;
    assert_eq!(
        found.len(),
        2,
        "one port, and Pilot's empty object: {found:#?}"
    );
    assert_eq!(found[1], json!({}));
    assert_eq!(found[0]["svc"], format!("{HOST}:http"));
    let (host_port, ip) = (good.ports[0].host_port.unwrap(), good.container_ip.unwrap());
    let both = found[0]["ep"].as_array().unwrap();
    // The agent's address, the container's, and the empty object.
    assert_eq!(both.len(), 3, "{both:#?}");
    assert_eq!(both[0]["endpoint"]["Address"], good.agent_ip.to_string());
    assert_eq!(both[0]["endpoint"]["Port"], host_port);
    assert_eq!(
        both[0]["endpoint"]["ServicePort"],
        json!({"name": "http", "port": 80, "protocol": "HTTP"})
    );
    assert_eq!(both[0]["labels"], json!({"istio": "web", "version": "v1"}));
    assert_eq!(
        both[0]["serviceaccount"],
        "spiffe://cluster.local/ns/default/sa/default"
    );
    assert_eq!(both[0]["service"]["hostname"], HOST);
    assert_eq!(both[1]["endpoint"]["Address"], ip.to_string());
    assert_eq!(
        (&both[1]["endpoint"]["Port"], &both[1]["same_agent"]),
        (&json!(80), &json!(true))
    );

    let account = "spiffe://cluster.local/ns/default/sa/default";
    let line = |at: String| format!("{HOST}:http 0 {at} istio=web,version=v1 {account}\n");
    let agent = line(format!("{}:{host_port}", good.agent_ip));
    let expected = agent + &line(format!("{ip}:80"));
    assert_eq!(page(&running, "/debug/endpointz?brief=1").await, expected);
    running.stop().await;
}

#[tokio::test]
async fn sources_tell_the_leader_and_for_how_long_it_is_away() {
    let simulator = marathon().await;
    let mut running = daemon(&simulator).await;
    let mut row = Value::Null;
    eventually("in step", async || {
        row = rows(&running, "/debug/sources").await.remove(0);
        row["state"] == "streaming"
    })
    .await;
    assert_eq!(row["leader"], simulator.addr().to_string());
    assert_eq!(row["away_seconds"], Value::Null);
    assert!(row["last_resync_seconds"].is_u64(), "{row:#}");
    simulator.pause().await;
    eventually("away", async || {
        row = rows(&running, "/debug/sources").await.remove(0);
        row["away_seconds"].is_u64()
    })
    .await;
    assert_eq!(row["state"], "retrying");
    assert!(row["last_error"].is_string(), "{row:#}");
    running.stop().await;
}

#[tokio::test]
async fn the_command_line_shows_the_same() {
    let simulator = marathon().await;
    let mut running = daemon(&simulator).await;
    let staging = simulator.tasks().remove(0).id;
    let server = format!("http://{}", running.http);
    let get = async |what: &[&str]| {
        let mut command = Command::new(pilothouse());
        let output = command.arg("get").args(what).args(["--server", &server]);
        let output = output.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    eventually("the tasks are known", async || {
        get(&["instances", HOST]).await.contains(&staging)
    })
    .await;
    let instances = get(&["instances"]).await;
    assert!(
        instances.contains("its task is TASK_STAGING"),
        "{instances}"
    );
    let sources = get(&["sources"]).await;
    assert!(
        sources.contains("streaming") && sources.contains(&simulator.addr().to_string()),
        "{sources}"
    );
    let services = get(&["services"]).await;
    assert!(
        services.contains(HOST) && services.contains("80/HTTP"),
        "{services}"
    );
    let json: Vec<Value> = serde_json::from_str(&get(&["endpoints", "-o", "json"]).await).unwrap();
    assert_eq!(json[0]["svc"], format!("{HOST}:http"));
    running.stop().await;
}
