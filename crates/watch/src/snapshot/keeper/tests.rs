//! What is passed on, what is kept, and for whom the keeper speaks.

use std::path::Path;

use api::istio::{Envelope, Object};
use api::marathon::{AppWorkload, Workload};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;

fn workload(id: &str) -> Workload {
    let app = json!({"id": id, "labels": {"istio": "x"}, "tasks": [{"id": "t", "ports": [31000], "startedAt": "2024-05-02T00:00:00Z"}]});
    Workload::App(std::sync::Arc::new(AppWorkload {
        app: serde_json::from_value(app).unwrap(),
        versions: Vec::new(),
    }))
}

fn object(name: &str) -> Object {
    let document = json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "creationTimestamp": "2024-05-02T00:00:00Z"}, "spec": {"selector": {"a": "b"}}});
    match Object::from_document(document, None).unwrap() {
        Envelope::Object(object) => object,
        Envelope::Foreign(kind) => panic!("{kind}"),
    }
}

fn update(source: &str, change: Change) -> Update {
    Update {
        source: source.into(),
        change,
    }
}

/// The words for a list of apps.
fn list(ids: &[&str]) -> Vec<Change> {
    let words = words(Some(ids.iter().map(|id| workload(id)).collect()));
    words.map(Change::Workload).collect()
}

/// A keeper that runs, its two ends, and the file.
struct Rig {
    dir: TempDir,
    from: mpsc::Sender<Update>,
    to: mpsc::Receiver<Update>,
    restored: watch::Receiver<Restored>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Rig {
    fn start(dir: TempDir) -> Rig {
        let path = dir.path().join("snapshot");
        let snapshot = Snapshot::load(&path).unwrap_or(None);
        let keeper = Keeper::new(
            path,
            snapshot,
            ["marathon", "directory"].map(Into::into).to_vec(),
        );
        let (from, inlet) = mpsc::channel(64);
        let (outlet, to) = mpsc::channel(64);
        let (tell, restored) = watch::channel(Restored::default());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(keeper.run(inlet, outlet, tell, shutdown.clone()));
        Rig {
            dir,
            from,
            to,
            restored,
            shutdown,
            task,
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("snapshot")
    }

    async fn say(&mut self, source: &str, changes: Vec<Change>) {
        for change in changes {
            let update = update(source, change);
            self.from.send(update.clone()).await.unwrap();
            assert_eq!(self.to.recv().await, Some(update));
        }
    }

    /// Ends the process, as a signal would.
    async fn stop(self) -> TempDir {
        self.shutdown.cancel();
        self.task.await.unwrap();
        self.dir
    }

    async fn hear(&mut self, words: usize) -> Vec<Update> {
        let mut heard = Vec::new();
        for _ in 0..words {
            heard.push(self.to.recv().await.unwrap());
        }
        heard
    }
}

fn ids(path: &Path, source: &str) -> Vec<String> {
    let snapshot = Snapshot::load(path).unwrap().unwrap();
    let workloads = snapshot.workloads(source).iter();
    workloads.map(|w| w.key().id.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_silent_source_is_spoken_for_until_it_delivers() {
    let mut first = Rig::start(tempfile::tempdir().unwrap());
    first.say("marathon", list(&["/a", "/b"])).await;
    let objects = words(Some(vec![object("g")])).map(Change::Config);
    first.say("directory", objects.collect()).await;
    first
        .say(
            "marathon",
            vec![
                Change::Workload(Event::Apply(workload("/c"))),
                Change::Workload(Event::Delete(workload("/a").key())),
            ],
        )
        .await;
    let mut second = Rig::start(first.stop().await);
    assert!(second.restored.borrow().sources.is_empty());
    // The directory delivers in time, Marathon does not.
    second
        .say(
            "directory",
            words(Some(vec![object("new")]))
                .map(Change::Config)
                .collect(),
        )
        .await;
    let heard = second.hear(4).await;
    let expected: Vec<Update> = list(&["/b", "/c"])
        .into_iter()
        .map(|c| update("marathon", c))
        .collect();
    assert_eq!(heard, expected);
    let sources: Vec<_> = second.restored.borrow().sources.keys().cloned().collect();
    assert_eq!(sources, ["marathon".into()]);
    // Back again, with something else.
    second.say("marathon", list(&["/d"])).await;
    assert!(second.restored.borrow().sources.is_empty());
    let dir = second.stop().await;
    assert_eq!(ids(&dir.path().join("snapshot"), "marathon"), ["/d"]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_has_begun_a_list_is_not_interrupted() {
    let mut first = Rig::start(tempfile::tempdir().unwrap());
    first.say("marathon", list(&["/a"])).await;
    let mut second = Rig::start(first.stop().await);
    let mut words = list(&["/b"]);
    let rest = words.split_off(1);
    second.say("marathon", words).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    second.say("marathon", rest).await;
    assert!(second.restored.borrow().sources.is_empty());
}

#[tokio::test(start_paused = true)]
async fn lists_that_are_kept_stay_over_a_second_restart() {
    let mut first = Rig::start(tempfile::tempdir().unwrap());
    first.say("marathon", list(&["/a"])).await;
    let mut second = Rig::start(first.stop().await);
    assert_eq!(second.hear(3).await.len(), 3);
    second
        .say(
            "directory",
            words(Some(vec![object("g")])).map(Change::Config).collect(),
        )
        .await;
    let mut third = Rig::start(second.stop().await);
    assert_eq!(third.hear(6).await.len(), 6);
    assert_eq!(third.restored.borrow().sources.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_new_list_tells_to_be_as_it_was_is_kept_as_it_was() {
    let mut rig = Rig::start(tempfile::tempdir().unwrap());
    rig.say("marathon", list(&["/a", "/b", "/c"])).await;
    let key = |id: &str| workload(id).key();
    let words = vec![
        Event::Init,
        Event::InitApply(workload("/a")),
        Event::InitSame(key("/b")),
        Event::InitSame(key("/never")),
        Event::InitDone,
    ];
    rig.say(
        "marathon",
        words.into_iter().map(Change::Workload).collect(),
    )
    .await;
    let path = rig.path();
    let _dir = rig.stop().await;
    assert_eq!(ids(&path, "marathon"), ["/a", "/b"]);
    let snapshot = Snapshot::load(&path).unwrap().unwrap();
    assert_eq!(snapshot.workloads("marathon")[1], workload("/b"));
}

#[tokio::test(start_paused = true)]
async fn a_list_is_kept_only_when_it_is_complete() {
    let mut rig = Rig::start(tempfile::tempdir().unwrap());
    rig.say("marathon", list(&["/a"])).await;
    let mut half = list(&["/b"]);
    half.pop();
    rig.say("marathon", half).await;
    let dir = rig.stop().await;
    assert_eq!(ids(&dir.path().join("snapshot"), "marathon"), ["/a"]);
}

#[tokio::test]
async fn a_damaged_file_counts_as_none_and_is_replaced() {
    let mut rig = Rig::start(tempfile::tempdir().unwrap());
    rig.say("marathon", list(&["/a"])).await;
    let path = rig.path();
    let dir = rig.stop().await;
    let good = std::fs::read(&path).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [
        &flipped[..],
        &good[..good.len() - 1],
        b"",
        b"pilothouse-snapshot 0 0 0\n{}",
        b"junk",
    ] {
        std::fs::write(&path, damaged).unwrap();
        let told = Snapshot::load(&path).unwrap_err().to_string();
        assert!(told.contains("damaged"), "{told}");
    }
    let mut rig = Rig::start(dir);
    rig.say("marathon", list(&["/b"])).await;
    let _dir = rig.stop().await;
    assert_eq!(ids(&path, "marathon"), ["/b"]);
}

#[tokio::test]
async fn the_file_is_private_and_trouble_with_it_is_told_without_harm() {
    use std::os::unix::fs::PermissionsExt;
    let mut rig = Rig::start(tempfile::tempdir().unwrap());
    rig.say("marathon", list(&["/a"])).await;
    let path = rig.path();
    let dir = rig.stop().await;
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let mut rig = Rig::start(dir);
    rig.say("marathon", list(&["/b"])).await;
    let mut restored = rig.restored.clone();
    let told = restored.wait_for(|restored| restored.error.is_some());
    assert!(
        tokio::time::timeout(Duration::from_secs(20), told)
            .await
            .is_ok()
    );
    rig.say("marathon", list(&["/c"])).await;
}
