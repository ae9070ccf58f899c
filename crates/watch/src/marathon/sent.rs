//! What was last sent, so that only differences are sent next, and nothing false is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::event::Event;
use api::istio::Problem;
use api::marathon::{HealthCheckResult, Workload, WorkloadKey, WorkloadKind};
use jiff::Timestamp;

use super::decode::{Entry, Listing, Undecodable};
use crate::code;

#[derive(Default)]
pub(super) struct Sent {
    workloads: BTreeMap<WorkloadKey, Workload>,
    /// By kind and id; entries without a readable id share the empty one.
    bad: BTreeMap<(WorkloadKind, String), String>,
}

// === impl Sent ===

impl Sent {
    /// Begins with what another run of this source sent.
    pub(super) fn remember(workloads: Vec<Workload>) -> Sent {
        let workloads = workloads.into_iter().map(|w| (w.key(), w));
        Sent {
            workloads: workloads.collect(),
            ..Sent::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.workloads.len()
    }

    pub(super) fn get(&self, key: &WorkloadKey) -> Option<&Workload> {
        self.workloads.get(key)
    }

    /// Everything, in order of kind and id.
    pub(super) fn all(&self) -> impl Iterator<Item = &Workload> {
        self.workloads.values()
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

    /// Takes a complete list; returns the differences.
    pub(super) fn replace(&mut self, listing: Listing) -> Vec<Event<Workload>> {
        let mut stay: BTreeSet<WorkloadKey> = listing.workloads.keys().cloned().collect();
        self.bad.clear();
        for bad in listing.bad {
            let hidden = self.workloads.keys().filter(|key| bad.may_be(key));
            stay.extend(hidden.cloned());
            self.note_bad(bad);
        }
        let gone: Vec<_> = self
            .workloads
            .keys()
            .filter(|k| !stay.contains(k))
            .cloned()
            .collect();
        let changed = listing.workloads.into_values().filter_map(|w| self.put(w));
        let mut events: Vec<_> = changed.collect();
        events.extend(gone.iter().filter_map(|key| self.remove(key)));
        events
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

    fn put(&mut self, workload: Workload) -> Option<Event<Workload>> {
        let key = workload.key();
        self.bad.remove(&(key.kind, key.id.to_string()));
        let same = self
            .workloads
            .get(&key)
            .is_some_and(|before| same(before, &workload));
        if same {
            return None;
        }
        self.workloads.insert(key, workload.clone());
        Some(Event::Apply(workload))
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

/// Equal but for the times of health checks: a check that passes once more is no news.
fn same(a: &Workload, b: &Workload) -> bool {
    match (a, b) {
        (Workload::App(x), Workload::App(y)) if x != y => {
            let checked = |w: &Workload| matches!(w, Workload::App(w) if w.app.tasks.iter().any(|t| !t.health_check_results.is_empty()));
            checked(a) && checked(b) && timeless(a) == timeless(b)
        }
        _ => a == b,
    }
}

fn timeless(workload: &Workload) -> Workload {
    let mut workload = workload.clone();
    if let Workload::App(w) = &mut workload {
        let tasks = Arc::make_mut(w).app.tasks.iter_mut();
        for result in tasks.flat_map(|task| &mut task.health_check_results) {
            let HealthCheckResult {
                last_failure,
                last_success,
                ..
            } = result;
            for time in [last_failure, last_success].into_iter().flatten() {
                *time = Timestamp::UNIX_EPOCH;
            }
        }
    }
    workload
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
            other => panic!("{other:?}"),
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
        mixed.workloads.extend(pods.workloads);
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
