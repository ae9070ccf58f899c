//! Listens to a source and waits for what a test expects, with a deadline.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use ::watch::Status;
use api::event::{Change, Event, Keyed, Update};
use api::istio::{Object, Problem};
use api::marathon::Workload;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

const DEADLINE: Duration = Duration::from_secs(20);

/// What a listener knows after applying every word that the source said.
pub(crate) struct Ear {
    pub(crate) objects: Known<Object>,
    pub(crate) workloads: Known<Workload>,
    pub(crate) problems: Vec<Problem>,
    /// `init`, `init+ a`, `done`, `+ a`, `- a`, `problems 1`, in the order of hearing.
    heard: Vec<String>,
    lists: usize,
    updates: mpsc::Receiver<Update>,
    status: watch::Receiver<Status>,
    _shutdown: DropGuard,
    _task: JoinHandle<()>,
}

/// Things by name, and the list that is being told.
pub(crate) struct Known<T: Keyed> {
    pub(crate) now: BTreeMap<T::Key, T>,
    list: Option<BTreeMap<T::Key, T>>,
}

impl Ear {
    pub(crate) fn listen<F, R>(status: Status, run: F) -> Ear
    where
        F: FnOnce(mpsc::Sender<Update>, watch::Sender<Status>, CancellationToken) -> R,
        R: Future<Output = ()> + Send + 'static,
    {
        let (updates_tx, updates) = mpsc::channel(4);
        let (status_tx, status) = watch::channel(status);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(updates_tx, status_tx, shutdown.clone()));
        Ear {
            objects: Known::default(),
            workloads: Known::default(),
            problems: Vec::new(),
            heard: Vec::new(),
            lists: 0,
            updates,
            status,
            _shutdown: shutdown.drop_guard(),
            _task: task,
        }
    }

    /// Hears until the condition holds, looking at whole lists only.
    pub(crate) async fn until(&mut self, what: &str, condition: impl Fn(&Ear) -> bool) {
        let hear = async {
            while self.objects.list.is_some() || self.workloads.list.is_some() || !condition(self) {
                let update = self.updates.recv().await.expect("the source runs");
                self.hear(update);
            }
        };
        if timeout(DEADLINE, hear).await.is_err() {
            panic!(
                "{what}: heard {:#?}, problems {:#?}, {:#?}",
                self.heard,
                self.problems,
                *self.status.borrow()
            );
        }
    }

    /// Waits until so many complete lists were heard since the beginning.
    pub(crate) async fn until_list(&mut self, nth: usize) {
        self.until(&format!("list number {nth}"), |ear| ear.lists >= nth)
            .await;
    }

    /// Waits until the status is as expected, hearing meanwhile.
    pub(crate) async fn until_status(&mut self, what: &str, condition: impl Fn(&Status) -> bool) {
        let mut status = self.status.clone();
        let hear = async {
            loop {
                tokio::select! {
                    found = status.wait_for(|status| condition(status)) => {
                        found.expect("the source runs");
                        return;
                    }
                    update = self.updates.recv() => self.hear(update.expect("the source runs")),
                }
            }
        };
        if timeout(DEADLINE, hear).await.is_err() {
            panic!("{what}: {:#?}", *self.status.borrow());
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// The words since the last call.
    pub(crate) fn words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard)
    }

    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.problems.iter().map(|p| p.code).collect()
    }

    fn hear(&mut self, update: Update) {
        assert_eq!(update.source, self.status.borrow().name);
        let word = match update.change {
            Change::Config(event) => self.objects.hear(event, |key| key.name.to_string()),
            Change::Workload(event) => self.workloads.hear(event, |key| key.id.to_string()),
            Change::Problems(problems) => {
                assert_ne!(problems, self.problems, "the same problems twice");
                self.problems = problems;
                format!("problems {}", self.problems.len())
            }
        };
        self.lists += usize::from(word == "done");
        self.heard.push(word);
    }
}

impl<T: Keyed> Default for Known<T> {
    fn default() -> Self {
        Known {
            now: BTreeMap::new(),
            list: None,
        }
    }
}

impl<T: Keyed + Clone> Known<T> {
    /// Applies one word as `index` does, and holds the source to the order of words.
    fn hear(&mut self, event: Event<T>, name: impl Fn(&T::Key) -> String) -> String {
        match event {
            Event::Init => {
                assert!(self.list.is_none(), "a list inside a list");
                self.list = Some(BTreeMap::new());
                "init".into()
            }
            Event::InitApply(thing) => {
                let list = self.list.as_mut().expect("a list began");
                let key = thing.key();
                let word = format!("init+ {}", name(&key));
                assert!(list.insert(key, thing).is_none(), "{word} twice");
                word
            }
            Event::InitSame(key) => {
                let list = self.list.as_mut().expect("a list began");
                let word = format!("init= {}", name(&key));
                let thing = self
                    .now
                    .get(&key)
                    .unwrap_or_else(|| panic!("{word} of nothing"));
                assert!(list.insert(key, thing.clone()).is_none(), "{word} twice");
                word
            }
            Event::InitDone => {
                self.now = self.list.take().expect("a list began");
                "done".into()
            }
            Event::Apply(thing) => {
                assert!(self.list.is_none(), "a change inside a list");
                let key = thing.key();
                let word = format!("+ {}", name(&key));
                self.now.insert(key, thing);
                word
            }
            Event::Delete(key) => {
                assert!(self.list.is_none(), "a change inside a list");
                let word = format!("- {}", name(&key));
                assert!(self.now.remove(&key).is_some(), "{word} of nothing");
                word
            }
        }
    }
}
