//! What was last sent, so that only differences are sent next, and nothing false is believed.
//!
//! Of a workload a digest is kept: whoever was told of it has made of it what he needs, and the
//! document itself is many times as large.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use api::event::Event;
use api::istio::Problem;
use api::marathon::{Workload, WorkloadKey, WorkloadKind};

use super::decode::{Entry, Listing, Undecodable};
use super::versions::Last;
use crate::code;

#[derive(Default)]
pub(super) struct Sent {
    workloads: BTreeMap<WorkloadKey, Held>,
    /// What another run of this source sent, until this one tells its first list.
    remembered: BTreeMap<WorkloadKey, Workload>,
    /// By kind and id; entries without a readable id share the empty one.
    bad: BTreeMap<(WorkloadKind, String), String>,
}

/// What is kept of a workload.
struct Held {
    digest: u64,
    instances: usize,
    last: Last,
}

// === impl Sent ===

impl Sent {
    /// Begins with what another run of this source sent.
    pub(super) fn remember(workloads: Vec<Workload>) -> Sent {
        let mut sent = Sent::default();
        for mut workload in workloads {
            sent.take(&mut workload);
            sent.remembered.insert(workload.key(), workload);
        }
        sent
    }

    pub(super) fn len(&self) -> usize {
        self.workloads.len()
    }

    /// The instances of all workloads.
    pub(super) fn instances(&self) -> usize {
        self.workloads.values().map(|held| held.instances).sum()
    }

    pub(super) fn has(&self, key: &WorkloadKey) -> bool {
        self.workloads.contains_key(key)
    }

    /// What the versions of a workload said.
    pub(super) fn last(&self, key: &WorkloadKey) -> Option<&Last> {
        self.workloads.get(key).map(|held| &held.last)
    }

    /// Whether a list lost so much that a broken Marathon is likelier than the truth: half of the
    /// apps or of the pods that were there, whatever else is in it.
    pub(super) fn doubts(&self, listing: &Listing) -> bool {
        [WorkloadKind::App, WorkloadKind::Pod].iter().any(|kind| {
            let bad: Vec<&Undecodable> = listing.bad.iter().filter(|b| b.kind == *kind).collect();
            let unreadable = |key: &WorkloadKey| bad.iter().any(|b| b.id.as_ref() == Some(&key.id));
            let nameless = bad.iter().filter(|b| b.id.is_none()).count();
            let before: Vec<_> = self.workloads.keys().filter(|k| k.kind == *kind).collect();
            let lost = before
                .iter()
                .filter(|key| !listing.workloads.contains_key(key) && !unreadable(key))
                .count();
            lost > nameless && (lost - nameless) * 2 >= before.len()
        })
    }

    /// What was there and is in no way in a list.
    pub(super) fn missing(&self, listing: &Listing) -> Vec<WorkloadKey> {
        let hidden = |key: &WorkloadKey| listing.bad.iter().any(|bad| bad.may_be(key));
        self.workloads
            .keys()
            .filter(|key| !listing.workloads.contains_key(key) && !hidden(key))
            .cloned()
            .collect()
    }

    /// Takes the complete list that begins a session; returns it as it is to be told, in order of
    /// kind and id. What is unreadable in it is told to be as it was.
    pub(super) fn begin(&mut self, listing: Listing) -> Vec<Event<Workload>> {
        for key in self.settle(listing.bad, &listing.workloads) {
            self.remove(&key);
        }
        let mut list = BTreeMap::new();
        for (key, mut workload) in listing.workloads {
            self.take(&mut workload);
            list.insert(key, Event::InitApply(workload));
        }
        let mut remembered = std::mem::take(&mut self.remembered);
        for key in self.workloads.keys() {
            let as_it_was = || match remembered.remove(key) {
                Some(workload) => Event::InitApply(workload),
                None => Event::InitSame(key.clone()),
            };
            list.entry(key.clone()).or_insert_with(as_it_was);
        }
        let list = list.into_values();
        let begun = std::iter::once(Event::Init).chain(list);
        begun.chain([Event::InitDone]).collect()
    }

    /// Takes a complete list; returns the differences.
    pub(super) fn replace(&mut self, listing: Listing) -> Vec<Event<Workload>> {
        let gone = self.settle(listing.bad, &listing.workloads);
        let changed = listing.workloads.into_values().filter_map(|w| self.put(w));
        let mut events: Vec<_> = changed.collect();
        events.extend(gone.iter().filter_map(|key| self.remove(key)));
        events
    }

    /// Notes what is unreadable in a list; returns what is gone.
    fn settle(
        &mut self,
        bad: Vec<Undecodable>,
        readable: &BTreeMap<WorkloadKey, Workload>,
    ) -> Vec<WorkloadKey> {
        let hidden = |key: &&WorkloadKey| bad.iter().any(|bad| bad.may_be(key));
        let lacking = self.workloads.keys();
        let lacking = lacking.filter(|key| !readable.contains_key(*key));
        let gone = lacking.filter(|key| !hidden(key)).cloned().collect();
        self.bad.clear();
        for bad in bad {
            self.note_bad(bad);
        }
        gone
    }

    /// Takes what was read about one workload, `None` for nothing; returns the difference.
    pub(super) fn update(
        &mut self,
        key: WorkloadKey,
        entry: Option<Entry>,
    ) -> Option<Event<Workload>> {
        match entry {
            None => self.remove(&key),
            Some(Ok(workload)) => self.put(workload),
            Some(Err(mut bad)) => {
                bad.id = Some(key.id);
                self.note_bad(bad);
                None
            }
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        self.bad
            .iter()
            .map(|((kind, id), why)| self.problem(*kind, id, why))
            .collect()
    }

    fn put(&mut self, mut workload: Workload) -> Option<Event<Workload>> {
        self.take(&mut workload).then_some(Event::Apply(workload))
    }

    /// Keeps what is needed of a workload; tells whether it is another than before.
    fn take(&mut self, workload: &mut Workload) -> bool {
        let key = workload.key();
        self.bad.remove(&(key.kind, key.id.to_string()));
        let digest = digest(workload);
        let before = self.workloads.get(&key);
        if before.is_some_and(|before| before.digest == digest) {
            return false;
        }
        let held = Held {
            digest,
            instances: instances(workload),
            last: Last::of(workload),
        };
        self.workloads.insert(key, held);
        true
    }

    fn remove(&mut self, key: &WorkloadKey) -> Option<Event<Workload>> {
        self.bad.remove(&(key.kind, key.id.to_string()));
        let removed = self.workloads.remove(key);
        removed.map(|_| Event::Delete(key.clone()))
    }

    fn note_bad(&mut self, bad: Undecodable) {
        let id = bad.id.map(|id| id.to_string()).unwrap_or_default();
        self.bad.insert((bad.kind, id), bad.why);
    }

    fn problem(&self, kind: WorkloadKind, id: &str, why: &str) -> Problem {
        let key = WorkloadKey {
            kind,
            id: id.into(),
        };
        let (name, effect) = if id.is_empty() {
            let name = format!("an entry of the list of {kind:?}s without a readable id");
            (
                name.to_lowercase(),
                "the entry is not used, and until it is readable none is taken for deleted",
            )
        } else if self.workloads.contains_key(&key) {
            (
                key.to_string(),
                "its last readable state stays in force; all others are up to date",
            )
        } else {
            (
                key.to_string(),
                "it is not part of the mesh; all others are",
            )
        };
        Problem {
            code: code::UNDECODABLE_WORKLOAD,
            refused: true,
            object: None,
            location: None,
            why: format!("{name}: {why}"),
            effect: effect.into(),
            remedy:
                "correct its definition, or report this with its JSON and the version of Marathon"
                    .into(),
        }
    }
}

/// Of all that is in it, but for the times of health checks.
fn digest(workload: &Workload) -> u64 {
    let mut hasher = DefaultHasher::new();
    workload.hash(&mut hasher);
    hasher.finish()
}

fn instances(workload: &Workload) -> usize {
    match workload {
        Workload::App(w) => w.app.tasks.len(),
        Workload::Pod(w) => w.status.instances.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;

    fn apps(json: &str) -> Listing {
        decode::listing(format!("{{\"apps\":[{json}]}}").as_bytes(), b"[]").unwrap()
    }

    fn words(events: &[Event<Workload>]) -> Vec<String> {
        let word = |event: &Event<Workload>| match event {
            Event::Apply(w) => format!("+ {}", w.key().id),
            Event::Delete(k) => format!("- {}", k.id),
            Event::InitApply(w) => format!("init+ {}", w.key().id),
            Event::InitSame(k) => format!("init= {}", k.id),
            Event::Init | Event::InitDone => String::new(),
        };
        events.iter().map(word).collect()
    }

    fn sent(json: &str) -> Sent {
        let mut sent = Sent::default();
        sent.replace(apps(json));
        sent
    }

    #[test]
    fn a_list_yields_only_differences() {
        let mut sent = sent(r#"{"id":"/a"},{"id":"/b"}"#);
        let list = r#"{"id":"/b","labels":{"istio":"b"}},{"id":"/c"}"#;
        assert_eq!(words(&sent.replace(apps(list))), ["+ /b", "+ /c", "- /a"]);
        assert_eq!(words(&sent.replace(apps(list))), [""; 0]);
    }

    #[test]
    fn an_undecodable_entry_keeps_its_last_readable_state() {
        let mut sent = sent(r#"{"id":"/a"},{"id":"/b"}"#);
        assert_eq!(
            words(&sent.replace(apps(r#"{"id":"/a","tasks":7},{"id":"/b"}"#))),
            [""; 0]
        );
        let problems = sent.problems();
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].why.starts_with("app /a: tasks: "),
            "{}",
            problems[0].why
        );
        assert!(problems[0].effect.contains("stays in force"));
        sent.replace(apps(r#"{"id":"/a"},{"id":"/b"}"#));
        assert_eq!(sent.problems(), []);
    }

    #[test]
    fn a_session_begins_with_all_and_what_is_unreadable_is_as_it_was() {
        let mut sent = sent(r#"{"id":"/a"},{"id":"/b"},{"id":"/c"},{"id":"/d"}"#);
        let list = r#"{"id":"/a"},{"id":"/b","tasks":7},{"id":"/c","labels":{"istio":"c"}}"#;
        let told = words(&sent.begin(apps(list)));
        assert_eq!(told, ["", "init+ /a", "init= /b", "init+ /c", ""]);
        assert_eq!(
            words(&sent.replace(apps(
                r#"{"id":"/a"},{"id":"/b"},{"id":"/c","labels":{"istio":"c"}}"#
            ))),
            [""; 0]
        );
    }

    #[test]
    fn what_another_run_knew_is_told_in_the_first_list_and_then_known() {
        let before = apps(r#"{"id":"/a"},{"id":"/b"}"#).workloads;
        let before: Vec<Workload> = before.into_values().collect();
        let mut sent = Sent::remember(before.clone());
        let list = r#"{"id":"/a","tasks":7},{"id":"/b"},{"id":"/c","tasks":7}"#;
        let told = sent.begin(apps(list));
        assert_eq!(words(&told), ["", "init+ /a", "init+ /b", ""]);
        assert_eq!(told[1], Event::InitApply(before[0].clone()));
        let told = words(&sent.begin(apps(list)));
        assert_eq!(told, ["", "init= /a", "init+ /b", ""]);
    }

    #[test]
    fn while_an_id_is_unreadable_nothing_is_taken_for_deleted() {
        let mut sent = sent(r#"{"id":"/a"},{"id":"/b"}"#);
        assert_eq!(
            words(&sent.replace(apps(r#"{"id":"/a"},{"id":[]}"#))),
            [""; 0]
        );
        assert_eq!(sent.len(), 2);
        assert_eq!(words(&sent.replace(apps(r#"{"id":"/a"}"#))), ["- /b"]);
    }

    #[test]
    fn a_single_reading_updates_deletes_or_keeps() {
        let mut sent = sent(r#"{"id":"/a"}"#);
        let key = sent.workloads.keys().next().unwrap().clone();
        let read = |json: &str| {
            Some(decode::one(WorkloadKind::App, format!("{{\"app\":{json}}}").as_bytes()).unwrap())
        };
        assert_eq!(sent.update(key.clone(), read(r#"{"id":"/a"}"#)), None);
        assert_eq!(
            sent.update(key.clone(), read(r#"{"id":"/a","tasks":7}"#)),
            None
        );
        assert_eq!(sent.problems().len(), 1);
        assert_eq!(
            sent.update(key.clone(), None),
            Some(Event::Delete(key.clone()))
        );
        assert_eq!((sent.update(key, None), sent.problems()), (None, vec![]));
    }

    #[test]
    fn a_list_that_lost_half_of_a_kind_is_doubted() {
        let four = sent(r#"{"id":"/a"},{"id":"/b"},{"id":"/c"},{"id":"/d"}"#);
        let list = |ids: &[&str]| {
            let each: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
            apps(&each.join(","))
        };
        assert!(four.doubts(&list(&[])));
        assert!(four.doubts(&list(&["/a"])));
        assert!(four.doubts(&list(&["/a", "/b"])));
        assert!(!four.doubts(&list(&["/a", "/b", "/c"])));
        assert!(!four.doubts(&apps(r#"{"id":"/a"},{"id":"/b","tasks":7},{"id":"/c"}"#)));
        assert!(!four.doubts(&apps(r#"{"id":"/a"},{"id":"/b"},{"id":[]}"#)));
        // New ones do not make up for those that are missing.
        assert!(four.doubts(&list(&["/a", "/b", "/x", "/y", "/z"])));
        assert!(!Sent::default().doubts(&apps("")));
        let pods = decode::listing(br#"{"apps":[]}"#, br#"[{"id":"/p"}]"#).unwrap();
        let mut mixed = sent(r#"{"id":"/a"},{"id":"/b"},{"id":"/c"},{"id":"/d"}"#);
        let apps_only = apps(r#"{"id":"/a"},{"id":"/b"},{"id":"/c"},{"id":"/d"}"#);
        for pod in pods.workloads.into_values() {
            mixed.put(pod);
        }
        assert!(mixed.doubts(&apps_only), "all pods vanished");
    }

    #[test]
    fn a_health_check_that_passes_again_is_no_news_but_a_verdict_is() {
        let result = |alive: bool, success: &str| {
            format!(
                r#"{{"id":"/a","tasks":[{{"id":"t","healthCheckResults":[{{"alive":{alive},"lastSuccess":"{success}"}}]}}]}}"#
            )
        };
        let mut sent = sent(&result(true, "2026-01-01T00:00:00Z"));
        assert_eq!(
            words(&sent.replace(apps(&result(true, "2026-01-01T00:00:10Z")))),
            [""; 0]
        );
        assert_eq!(
            words(&sent.replace(apps(&result(false, "2026-01-01T00:00:10Z")))),
            ["+ /a"]
        );
    }
}
