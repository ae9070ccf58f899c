//! The Marathon source against servers that refuse, redirect and mislead.

use ::watch::State;
use ::watch::marathon::{Credentials, Options};
use reqwest::Url;
use serde_json::json;

use crate::sources::ear::Ear;
use crate::sources::fake::{Answer, Fake};
use crate::sources::source::{app, four, listen, options};

fn secret(mut options: Options) -> Options {
    options.credentials = Some(Credentials::Basic {
        user: "me".into(),
        password: "secret".into(),
    });
    options
}

async fn error(ear: &mut Ear) -> String {
    ear.until_status("an error", |s| matches!(s.state, State::Retrying { .. }))
        .await;
    match ear.status().state {
        State::Retrying { error, .. } => error,
        _ => ear.status().last_error.expect("it was there a moment ago"),
    }
}

#[tokio::test]
async fn the_stream_is_asked_for_exactly_and_before_the_lists() {
    let pods = vec![json!({"id": "/p", "spec": {"id": "/p"}})];
    let fake = Fake::start(vec![app("/a", "x")], pods).await;
    let mut ear = listen(options(&[&fake.url]));
    ear.until_list(1).await;
    assert_eq!(ear.words(), ["init", "init+ /a", "init+ /p", "done"]);
    ear.until_status("in step", |s| s.synced && s.state == State::Streaming)
        .await;
    let requests = fake.asked("/");
    let first = &requests[0];
    assert!(
        first
            .target
            .starts_with("/v2/events?plan-format=light&event_type=")
    );
    assert_eq!(first.headers["accept"], "text/event-stream");
    assert!(!first.headers.contains_key("accept-encoding"));
    assert!(
        requests
            .iter()
            .all(|r| !r.headers.contains_key("authorization"))
    );
    assert!(
        requests
            .iter()
            .any(|r| r.target.starts_with("/v2/apps?embed=apps.tasks"))
    );
}

#[tokio::test]
async fn row12_refusals_tell_what_to_do() {
    for (path, status, words) in [
        ("/v2/events", 401, "--marathonUser"),
        ("/v2/events", 403, "view apps"),
        ("/v2/events", 404, "path prefix"),
        ("/v2/events", 405, "Accept: text/event-stream"),
        ("/v2/apps", 401, "--marathonUser"),
        ("/v2/pods/::status", 502, "Marathon's log"),
    ] {
        let fake = Fake::start(four(), vec![]).await;
        fake.script()
            .always
            .insert(path.into(), Answer::new(status, "no"));
        let mut ear = listen(secret(options(&[&fake.url])));
        let error = error(&mut ear).await;
        assert!(
            error.contains(words) && error.contains(&status.to_string()),
            "{error}"
        );
        assert!(error.contains(path) && !error.contains("secret"), "{error}");
        assert_eq!(
            ear.words(),
            [""; 0],
            "nothing is said while Marathon is away"
        );
        fake.script().always.clear();
        ear.until_list(1).await;
    }
}

#[tokio::test]
async fn answers_of_something_else_are_told_as_such() {
    let html = Answer::new(200, "<html>log in").header("Content-Type", "text/html");
    for path in ["/v2/events", "/v2/apps", "/v2/pods/::status"] {
        let fake = Fake::start(four(), vec![]).await;
        fake.script().always.insert(path.into(), html.clone());
        let mut ear = listen(options(&[&fake.url]));
        let error = error(&mut ear).await;
        assert!(
            error.contains("login page") && error.contains(path),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_next_url_is_tried_when_one_is_dead() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url: Url = format!("http://{}", dead.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(dead);
    let fake = Fake::start(four(), vec![]).await;
    let mut ear = listen(options(&[&url, &fake.url]));
    ear.until_list(1).await;
    ear.until_status("in step", |s| s.state == State::Streaming)
        .await;
    assert_eq!(ear.status().detail, fake.url.as_str());
    let error = ear.status().last_error.unwrap();
    assert!(
        error.contains(url.as_str()) && error.contains("cannot be reached"),
        "{error}"
    );
}

#[tokio::test]
async fn credentials_go_to_the_listed_urls() {
    let fake = Fake::start(four(), vec![]).await;
    let mut ear = listen(secret(options(&[&fake.url])));
    ear.until_list(1).await;
    let basic = "Basic bWU6c2VjcmV0";
    assert!(
        fake.asked("/")
            .iter()
            .all(|r| r.headers["authorization"] == basic)
    );
    assert!(!format!("{:?}", ear.status()).contains("secret"));
}

/// A standby that redirects to a leader; returns what the leader was told about who we are.
async fn redirected(leader: &Fake, standby: &Fake, urls: &[&Url]) -> Option<String> {
    let to = format!("{}v2/events?plan-format=light", leader.url);
    standby
        .script()
        .always
        .insert("/v2/events".into(), Answer::redirect(&to));
    let mut ear = listen(secret(options(urls)));
    ear.until_list(1).await;
    let asked = leader.asked("/v2/events");
    assert_eq!(asked[0].headers["accept"], "text/event-stream");
    asked[0].headers.get("authorization").cloned()
}

#[tokio::test]
async fn a_redirect_carries_credentials_only_to_known_hosts() {
    let (leader, standby) = (
        Fake::start(vec![], vec![]).await,
        Fake::start(vec![], vec![]).await,
    );
    let names = |leader: &str| Answer::json(&json!({ "leader": leader }));
    // Unknown: neither listed nor what Marathon says.
    standby
        .script()
        .always
        .insert("/v2/leader".into(), names("elsewhere:8080"));
    assert_eq!(redirected(&leader, &standby, &[&standby.url]).await, None);
    // Marathon itself names it.
    leader.script().requests.clear();
    standby
        .script()
        .always
        .insert("/v2/leader".into(), names(&leader.authority()));
    assert!(
        redirected(&leader, &standby, &[&standby.url])
            .await
            .is_some()
    );
    // Listed: nobody is asked.
    leader.script().requests.clear();
    standby.script().requests.clear();
    assert!(
        redirected(&leader, &standby, &[&standby.url, &leader.url])
            .await
            .is_some()
    );
    assert!(standby.asked("/v2/leader").is_empty());
}

#[tokio::test]
async fn a_second_redirect_is_not_followed() {
    let (a, b) = (
        Fake::start(vec![], vec![]).await,
        Fake::start(vec![], vec![]).await,
    );
    for (from, to) in [(&a, &b), (&b, &a)] {
        let to = format!("{}v2/events", to.url);
        from.script()
            .always
            .insert("/v2/events".into(), Answer::redirect(&to));
    }
    let mut ear = listen(options(&[&a.url]));
    let error = error(&mut ear).await;
    assert!(error.contains("redirects once more"), "{error}");
}

#[tokio::test]
async fn a_token_that_is_refused_is_read_again_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let fake = Fake::start(four(), vec![]).await;
    let mut options = options(&[&fake.url]);
    options.credentials = Some(Credentials::TokenFile(file.clone()));
    let mut ear = listen(options);
    ear.until_list(1).await;
    std::fs::write(&file, "second\n").unwrap();
    let refusal = Answer::new(401, "expired");
    fake.script()
        .once
        .insert("/v2/apps/a", [refusal].into_iter().collect());
    fake.script().apps[0] = app("/a", "y");
    fake.touch("/a");
    ear.until("a", |ear| {
        crate::sources::source::label(ear, "/a") == Some("y")
    })
    .await;
    let sent: Vec<String> = fake
        .asked("/v2/apps/a")
        .iter()
        .map(|r| r.headers["authorization"].clone())
        .collect();
    assert_eq!(sent, ["token=second", "token=second"]);
    assert_eq!(
        fake.asked("/v2/events")[0].headers["authorization"],
        "token=first"
    );
    assert_eq!(ear.status().last_error, None, "no session ended for it");
}
