//! What the Marathon source reads after which event, and what it believes.

use std::collections::VecDeque;
use std::time::Duration;

use ::watch::State;
use api::marathon::Workload;
use serde_json::json;

use crate::sources::ear::Ear;
use crate::sources::fake::{Answer, Fake};
use crate::sources::source::{app, four, label, listen, options, with_apps};

#[tokio::test]
async fn an_event_makes_only_its_workload_read_again_and_only_a_difference_is_told() {
    let (fake, mut ear) = with_apps(four()).await;
    fake.script().apps[1] = app("/b", "y");
    fake.touch("/a");
    fake.touch("/b");
    ear.until("b", |ear| label(ear, "/b") == Some("y")).await;
    assert_eq!(ear.words(), ["+ /b"]);
    assert!(fake.asked("/v2/apps/c").is_empty());
    assert_eq!(fake.asked("/v2/apps?").len(), 1);
    ear.until_status("counted", |s| s.events == 2).await;
}

#[tokio::test]
async fn a_workload_that_is_gone_is_deleted_and_a_new_one_found_whatever_its_kind() {
    let (fake, mut ear) = with_apps(four()).await;
    fake.script().apps.remove(0);
    fake.touch("/a");
    ear.until("a gone", |ear| label(ear, "/a").is_none()).await;
    // The same id comes back as a pod, and the event does not tell.
    fake.script()
        .pods
        .push(json!({"id": "/a", "spec": {"labels": {"istio": "pod"}}}));
    fake.touch("/a");
    ear.until("a is a pod", |ear| label(ear, "/a") == Some("pod"))
        .await;
    assert_eq!(ear.words(), ["- /a", "+ /a"]);
    assert_eq!(fake.asked("/v2/apps?").len(), 1);
}

#[tokio::test]
async fn an_app_that_becomes_a_pod_under_a_single_event_is_replaced() {
    let (fake, mut ear) = with_apps(four()).await;
    {
        let mut script = fake.script();
        script.apps.remove(0);
        script
            .pods
            .push(json!({"id": "/a", "spec": {"labels": {"istio": "pod"}}}));
    }
    fake.touch("/a");
    ear.until("a is a pod", |ear| label(ear, "/a") == Some("pod"))
        .await;
    assert_eq!(ear.workloads.now.len(), 4);
}

#[tokio::test]
async fn an_event_without_an_id_makes_everything_read_again() {
    let (fake, mut ear) = with_apps(four()).await;
    fake.script()
        .pods
        .push(json!({"id": "/p", "spec": {"labels": {"istio": "p"}}}));
    fake.event("pod_created_event", &json!({"uri": "/v2/pods"}));
    ear.until("p", |ear| label(ear, "/p").is_some()).await;
    assert_eq!(ear.words(), ["+ /p"]);
}

#[tokio::test]
async fn row03_a_change_of_groups_is_read_once_more_afterwards() {
    let (fake, mut ear) = with_apps(four()).await;
    fake.event("group_change_success", &json!({"groupId": "/"}));
    fake.until_asked("/v2/apps?", 3).await;
    fake.script().apps[0] = app("/a", "y");
    fake.touch("/a");
    ear.until("a", |ear| label(ear, "/a") == Some("y")).await;
    assert_eq!(ear.words(), ["+ /a"]);
}

#[tokio::test]
async fn a_change_during_the_first_reading_is_not_lost() {
    let fake = Fake::start(four(), vec![]).await;
    fake.hold(true);
    let mut ear = listen(options(&[&fake.url]));
    // The answer is made, but on its way when the change happens.
    fake.until_asked("/v2/apps?", 1).await;
    fake.script().apps[2] = app("/c", "y");
    fake.touch("/c");
    ear.until_status("the event was heard", |s| s.events == 1)
        .await;
    fake.hold(false);
    ear.until("c", |ear| label(ear, "/c") == Some("y")).await;
    let words = ear.words();
    assert_eq!(words.last().map(String::as_str), Some("+ /c"), "{words:?}");
}

#[tokio::test]
async fn a_lost_event_is_made_up_for_by_the_safety_resync() {
    let fake = Fake::start(four(), vec![]).await;
    let mut options = options(&[&fake.url]);
    options.timing.resync = Duration::from_millis(50);
    let mut ear = listen(options);
    ear.until_list(1).await;
    ear.words();
    fake.script().apps[0] = app("/a", "y");
    ear.until("a", |ear| label(ear, "/a") == Some("y")).await;
    assert_eq!(ear.words(), ["+ /a"]);
    ear.until_status("more readings", |s| s.resyncs >= 4).await;
    assert_eq!(ear.words(), [""; 0], "an unchanged list is no news");
}

#[tokio::test]
async fn row14_a_short_list_is_not_believed_until_a_second_one_agrees() {
    let (fake, mut ear) = with_apps(four()).await;
    let half = json!({"apps": [app("/a", "x"), app("/b", "x")]});
    for list in [json!({"apps": []}), json!({"apps": [app("/a", "x")]}), half] {
        let before = fake.asked("/v2/apps?").len();
        fake.script()
            .once
            .insert("/v2/apps", VecDeque::from([Answer::json(&list)]));
        fake.event("pod_created_event", &json!({}));
        fake.until_asked("/v2/apps?", before + 2).await;
    }
    // A real change shows that both doubts ended without a word.
    fake.script().apps[0] = app("/a", "y");
    fake.touch("/a");
    ear.until("a", |ear| label(ear, "/a") == Some("y")).await;
    assert_eq!(ear.words(), ["+ /a"]);
}

#[tokio::test]
async fn what_a_list_lacks_is_asked_for_before_it_counts_as_gone() {
    let (fake, mut ear) = with_apps(four()).await;
    // One of four is no half, and a list may have grown before it lost its end.
    let three = json!({"apps": [app("/a", "x"), app("/b", "x"), app("/c", "x"), app("/e", "x")]});
    fake.script()
        .once
        .insert("/v2/apps", VecDeque::from([Answer::json(&three)]));
    fake.event("pod_created_event", &json!({}));
    ear.until("e", |ear| label(ear, "/e").is_some()).await;
    assert_eq!(ear.words(), ["+ /e"]);
    // The next list tells the truth, and Marathon knows nothing else.
    fake.script().apps.pop();
    fake.event("pod_created_event", &json!({}));
    ear.until("d and e gone", |ear| ear.workloads.now.len() == 3)
        .await;
    assert_eq!(ear.words(), ["- /d", "- /e"]);
}

#[tokio::test]
async fn a_short_list_that_is_repeated_is_believed() {
    let (fake, mut ear) = with_apps(four()).await;
    fake.script().apps.clear();
    fake.event("pod_created_event", &json!({}));
    ear.until("all gone", |ear| ear.workloads.now.is_empty())
        .await;
    assert_eq!(fake.asked("/v2/apps?").len(), 3);
    assert_eq!(ear.words(), ["- /a", "- /b", "- /c", "- /d"]);
}

#[tokio::test]
async fn a_reconnect_to_an_emptied_marathon_is_doubted_too() {
    let (fake, mut ear) = with_apps(four()).await;
    let empty = Answer::json(&json!({"apps": []}));
    fake.script()
        .once
        .insert("/v2/apps", VecDeque::from([empty]));
    fake.send(b"");
    ear.until_list(2).await;
    assert_eq!(
        ear.words(),
        [
            "init", "init+ /a", "init+ /b", "init+ /c", "init+ /d", "done"
        ]
    );
}

#[tokio::test]
async fn row10_a_stream_that_ends_begins_a_new_complete_list() {
    let (fake, mut ear) = with_apps(four()).await;
    {
        let mut script = fake.script();
        script.apps.pop();
        // The new leader is not ready at first: it accepts and closes.
        script.stillborn = 2;
    }
    fake.send(b"");
    ear.until("d gone", |ear| ear.workloads.now.len() == 3)
        .await;
    let words = ear.words();
    assert!(
        words.iter().all(|w| !w.starts_with('-')),
        "a list replaces: {words:?}"
    );
    ear.until_status("in step", |s| s.state == State::Streaming)
        .await;
    fake.until_asked("/v2/events", 4).await;
    // And the stream works.
    fake.until_asked("/v2/apps?", 2).await;
    ear.until_status("in step", |s| s.state == State::Streaming)
        .await;
    fake.script().apps[0] = app("/a", "y");
    ear.until("a", |ear| {
        fake.touch("/a");
        label(ear, "/a") == Some("y")
    })
    .await;
}

#[tokio::test]
async fn row11_a_silent_stream_is_given_up_and_heartbeats_keep_it() {
    let fake = Fake::start(four(), vec![]).await;
    let mut options = options(&[&fake.url]);
    options.timing.idle = Duration::from_secs(1);
    let mut ear = listen(options);
    ear.until_list(1).await;
    // Heartbeats for longer than the limit, CR and LF apart.
    let until = tokio::time::Instant::now() + Duration::from_millis(1300);
    let mut beat = tokio::time::interval(Duration::from_millis(50));
    while tokio::time::Instant::now() < until {
        beat.tick().await;
        fake.send(b"\r");
        fake.send(b"\n");
    }
    assert_eq!(fake.asked("/v2/events").len(), 1);
    ear.until_list(2).await;
    let error = ear.status().last_error.unwrap();
    assert!(error.contains("silent"), "{error}");
}

#[tokio::test]
async fn an_undecodable_workload_keeps_its_last_state_and_harms_no_other() {
    let (fake, mut ear) = with_apps(four()).await;
    {
        let mut script = fake.script();
        script.apps[0] = json!({"id": "/a", "tasks": [{"id": "t", "ports": ["x"]}]});
        script.apps[1] = app("/b", "y");
    }
    fake.touch("/a");
    fake.touch("/b");
    ear.until("b, and a problem", |ear| {
        label(ear, "/b") == Some("y") && ear.codes() == ["PH0201"]
    })
    .await;
    let why = &ear.problems[0].why;
    assert!(why.starts_with("app /a: tasks[0].ports[0]: "), "{why}");
    assert_eq!(label(&ear, "/a"), Some("x"));
    // After a reconnect the last readable state is part of the new list.
    fake.send(b"");
    ear.until_list(2).await;
    assert_eq!(
        (label(&ear, "/a"), ear.codes()),
        (Some("x"), vec!["PH0201"])
    );
    fake.script().apps[0] = app("/a", "z");
    ear.until("a is readable again", |ear| {
        fake.touch("/a");
        label(ear, "/a") == Some("z") && ear.problems.is_empty()
    })
    .await;
}

#[tokio::test]
async fn old_versions_are_read_once_and_for_as_long_as_a_task_runs_them() {
    let (v1, v2) = ("2026-01-01T00:00:01.000Z", "2026-01-01T00:00:02.000Z");
    let rolling = |label: &str, tasks: &[&str]| {
        let tasks: Vec<_> = tasks
            .iter()
            .map(|v| json!({"id": v, "version": v}))
            .collect();
        json!({"id": "/a", "version": v2, "labels": {"istio": label},
            "versionInfo": {"lastConfigChangeAt": v2}, "tasks": tasks})
    };
    let path = format!("/v2/apps/a/versions/{v1}");
    let fake = Fake::start(vec![rolling("x", &[v1, v2])], vec![]).await;
    let old = json!({"id": "/a", "version": v1, "labels": {"istio": "old"}});
    fake.script()
        .always
        .insert(path.clone(), Answer::json(&old));
    let mut ear = listen(options(&[&fake.url]));
    ear.until_list(1).await;
    let versions = |ear: &Ear| match ear.workloads.now.values().next() {
        Some(Workload::App(w)) => w
            .versions
            .iter()
            .map(|v| v.labels["istio"].clone())
            .collect(),
        _ => vec![],
    };
    assert_eq!(versions(&ear), ["old"]);
    fake.script().apps[0] = rolling("y", &[v1, v2]);
    fake.touch("/a");
    ear.until("y", |ear| label(ear, "/a") == Some("y")).await;
    assert_eq!(versions(&ear), ["old"]);
    assert_eq!(fake.asked(&path).len(), 1);
    fake.script().apps[0] = rolling("z", &[v2]);
    fake.touch("/a");
    ear.until("z", |ear| label(ear, "/a") == Some("z")).await;
    assert_eq!(versions(&ear), [""; 0]);
}
