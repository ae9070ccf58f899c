//! A Marathon source that listens to a fake, and what tests ask about it.

use std::time::Duration;

use ::watch::marathon::{Marathon, Options, Timing};
use api::marathon::Workload;
use reqwest::Url;
use serde_json::{Value, json};

use crate::sources::ear::Ear;
use crate::sources::fake::Fake;

pub(crate) fn app(id: &str, label: &str) -> Value {
    json!({"id": id, "labels": {"istio": label}})
}

pub(crate) fn four() -> Vec<Value> {
    ["/a", "/b", "/c", "/d"].map(|id| app(id, "x")).into()
}

/// Patient enough for a busy machine where nothing is to happen, quick where something is.
pub(crate) fn timing() -> Timing {
    Timing {
        resync: Duration::from_secs(3600),
        idle: Duration::from_secs(3600),
        backoff: (Duration::from_millis(1), Duration::from_millis(20)),
        confirm: Duration::from_millis(20),
        aftermath: Duration::from_secs(1),
        quiet: Duration::from_millis(20),
        ..Timing::default()
    }
}

pub(crate) fn options(urls: &[&Url]) -> Options {
    let mut options = Options::new(urls.iter().map(|url| (*url).clone()));
    options.timing = timing();
    options
}

pub(crate) fn listen(options: Options) -> Ear {
    let marathon = Marathon::new(options, "marathon").unwrap();
    Ear::listen(marathon.status(), |tx, status, shutdown| {
        marathon.run(tx, status, shutdown)
    })
}

pub(crate) async fn with_apps(apps: Vec<Value>) -> (Fake, Ear) {
    let fake = Fake::start(apps, vec![]).await;
    let mut ear = listen(options(&[&fake.url]));
    ear.until_list(1).await;
    ear.words();
    (fake, ear)
}

pub(crate) fn label<'a>(ear: &'a Ear, id: &str) -> Option<&'a str> {
    let workload = ear.workloads.now.values().find(|w| &*w.key().id == id)?;
    let labels = match workload {
        Workload::App(w) => &w.app.labels,
        Workload::Pod(w) => &w.status.spec.labels,
    };
    labels.get("istio").map(String::as_str)
}
