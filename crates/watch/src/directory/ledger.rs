//! What every file says, and what follows from all of them together.
//!
//! Pure bookkeeping: files come in, differences to the last settlement come out. Two rules make
//! the result independent of chance: of two files that define the same object, the first in
//! order wins; and a file with a broken document keeps what it said before, unless another file
//! says it now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::istio::{Location, Object, ObjectKey, Problem};

use super::parse::Parsed;
use crate::code;

#[derive(Default)]
pub(super) struct Ledger {
    /// Ordered by path.
    files: BTreeMap<Arc<str>, Page>,
    /// What holds since the last settlement.
    settled: BTreeMap<ObjectKey, Object>,
    duplicates: Vec<Problem>,
}

/// What one file says.
#[derive(Default)]
struct Page {
    objects: Vec<Object>,
    /// Said before, and now hidden by a broken document.
    kept: Vec<Object>,
    problems: Vec<Problem>,
}

/// What must be told after files changed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// In order of file and document.
    pub(super) applied: Vec<Object>,
    pub(super) deleted: Vec<ObjectKey>,
}

// === impl Ledger ===

impl Ledger {
    /// A file was read.
    pub(super) fn read(&mut self, file: Arc<str>, parsed: Parsed) {
        let before = self.files.remove(&file).unwrap_or_default();
        let mut page = Page {
            objects: parsed.objects,
            kept: Vec::new(),
            problems: parsed.problems,
        };
        if parsed.broken {
            page.keep(before);
        }
        self.files.insert(file, page);
    }

    /// A file is there but cannot be read.
    pub(super) fn unreadable(&mut self, file: Arc<str>, why: &str) {
        let before = self.files.remove(&file).unwrap_or_default();
        let mut page = Page {
            problems: vec![unreadable(&file, why)],
            ..Page::default()
        };
        page.keep(before);
        self.files.insert(file, page);
    }

    /// A file is gone.
    pub(super) fn gone(&mut self, file: &str) {
        self.files.remove(file);
    }

    /// Everything that holds now, in order of file and document.
    pub(super) fn objects(&mut self) -> Vec<Object> {
        self.settled.clear();
        self.settle().applied
    }

    /// Draws the sum of all files and tells how it differs from the last one.
    pub(super) fn settle(&mut self) -> Difference {
        let (winners, duplicates) = self.winners();
        self.duplicates = duplicates;
        let keys: BTreeSet<&ObjectKey> = winners.iter().map(|object| &object.key).collect();
        let deleted: Vec<_> = self
            .settled
            .keys()
            .filter(|key| !keys.contains(key))
            .cloned()
            .collect();
        let applied: Vec<_> = winners
            .into_iter()
            .filter(|object| self.settled.get(&object.key) != Some(object))
            .collect();
        for key in &deleted {
            self.settled.remove(key);
        }
        for object in &applied {
            self.settled.insert(object.key.clone(), object.clone());
        }
        Difference { applied, deleted }
    }

    /// What is wrong at the moment, in order of place. Complete after a settlement.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let pages = self.files.values().flat_map(|page| &page.problems);
        let mut problems: Vec<_> = pages.chain(&self.duplicates).cloned().collect();
        problems.sort_by(|a, b| (&a.location, a.code).cmp(&(&b.location, b.code)));
        problems
    }

    fn winners(&self) -> (Vec<Object>, Vec<Problem>) {
        let mut seen: BTreeMap<&ObjectKey, Option<&Location>> = BTreeMap::new();
        let mut winners = Vec::new();
        let mut duplicates = Vec::new();
        for object in self.files.values().flat_map(|page| &page.objects) {
            match seen.get(&object.key) {
                Some(first) => duplicates.push(duplicate(object, *first)),
                None => {
                    seen.insert(&object.key, object.location.as_ref());
                    winners.push(object.clone());
                }
            }
        }
        for object in self.files.values().flat_map(|page| &page.kept) {
            if seen.insert(&object.key, None).is_none() {
                winners.push(object.clone());
            }
        }
        (winners, duplicates)
    }
}

// === impl Page ===

impl Page {
    /// Keeps what the file said before and does not say now.
    fn keep(&mut self, before: Page) {
        let said: BTreeSet<&ObjectKey> = self.objects.iter().map(|object| &object.key).collect();
        let hidden = before.objects.into_iter().chain(before.kept);
        self.kept = hidden.filter(|o| !said.contains(&o.key)).collect();
        if self.kept.is_empty() {
            return;
        }
        let names: Vec<_> = self.kept.iter().map(|o| o.key.to_string()).collect();
        let kept = format!(
            "; the last good version stays in force: {}",
            names.join(", ")
        );
        for problem in self.problems.iter_mut().filter(|p| p.refused) {
            problem.effect.push_str(&kept);
        }
    }
}

fn duplicate(object: &Object, first: Option<&Location>) -> Problem {
    let first = first.map_or_else(|| "another place".into(), Location::to_string);
    Problem {
        code: code::DUPLICATE,
        refused: true,
        object: Some(object.key.clone()),
        location: object.location.clone(),
        why: format!("{} is already defined at {first}", object.key),
        effect: format!("the one at {first} is used, this one is not"),
        remedy: "remove one of the two, or give it another name".into(),
    }
}

/// The problem of a file or directory that cannot be read.
pub(super) fn unreadable(path: &Arc<str>, why: &str) -> Problem {
    Problem {
        code: code::UNREADABLE,
        refused: true,
        object: None,
        location: Some(Location {
            file: path.clone(),
            line: 1,
        }),
        why: format!("cannot be read: {why}"),
        effect: "nothing new is learnt from it".into(),
        remedy: "check that it exists and that this process may read it".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn gateway(name: &str, selector: &str) -> String {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}}}\nspec: {{selector: {{istio: {selector}}}}}\n---\n"
        )
    }

    fn write(ledger: &mut Ledger, file: &str, text: &str) -> (Vec<String>, Vec<String>) {
        let file: Arc<str> = file.into();
        ledger.read(file.clone(), parse::file(&file, text));
        told(ledger)
    }

    fn told(ledger: &mut Ledger) -> (Vec<String>, Vec<String>) {
        let difference = ledger.settle();
        let place = |o: &Object| format!("{} {}", o.key.name, o.location.as_ref().unwrap());
        (
            difference.applied.iter().map(place).collect(),
            difference
                .deleted
                .iter()
                .map(|k| k.name.to_string())
                .collect(),
        )
    }

    fn some(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut ledger = Ledger::default();
        let two = gateway("a", "x") + &gateway("b", "x");
        assert_eq!(
            write(&mut ledger, "f", &two),
            (some(&["a f:1", "b f:6"]), vec![])
        );
        assert_eq!(write(&mut ledger, "f", &two), (vec![], vec![]));
        let edited = gateway("a", "x") + &gateway("b", "y");
        assert_eq!(write(&mut ledger, "f", &edited), (some(&["b f:6"]), vec![]));
        assert_eq!(
            write(&mut ledger, "f", &gateway("b", "y")),
            (some(&["b f:1"]), some(&["a"]))
        );
        ledger.gone("f");
        assert_eq!(told(&mut ledger), (vec![], some(&["b"])));
    }

    #[test]
    fn a_broken_document_keeps_what_the_file_said_before() {
        let mut ledger = Ledger::default();
        write(&mut ledger, "f", &(gateway("a", "x") + &gateway("b", "x")));
        let broken = "oops: [\n---\n".to_owned() + &gateway("b", "y");
        let (applied, deleted) = write(&mut ledger, "f", &broken);
        assert_eq!((applied, deleted), (some(&["b f:3"]), vec![]));
        let effect = &ledger.problems()[0].effect;
        assert!(
            effect.contains("stays in force: Gateway default/a"),
            "{effect}"
        );
        // Still broken after another edit: still kept.
        assert_eq!(write(&mut ledger, "f", "oops: [\n"), (some(&[]), vec![]));
        assert_eq!(write(&mut ledger, "f", &gateway("b", "y")).1, some(&["a"]));
        assert_eq!(ledger.problems(), []);
    }

    #[test]
    fn what_another_file_says_now_replaces_what_was_kept() {
        let mut ledger = Ledger::default();
        write(&mut ledger, "a", &gateway("g", "x"));
        write(&mut ledger, "a", "oops: [\n");
        assert_eq!(
            write(&mut ledger, "b", &gateway("g", "y")).0,
            some(&["g b:1"])
        );
        assert_eq!(ledger.problems().len(), 1);
    }

    #[test]
    fn of_two_definitions_the_first_wins_and_the_second_is_its_heir() {
        let mut ledger = Ledger::default();
        write(&mut ledger, "b", &gateway("g", "x"));
        assert_eq!(
            write(&mut ledger, "a", &gateway("g", "y")).0,
            some(&["g a:1"])
        );
        let problems = ledger.problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, "PH0103");
        assert_eq!(problems[0].location.as_ref().unwrap().to_string(), "b:1");
        assert!(problems[0].why.contains("a:1"), "{}", problems[0].why);
        ledger.gone("a");
        assert_eq!(told(&mut ledger), (some(&["g b:1"]), vec![]));
        assert_eq!(ledger.problems(), []);
    }

    #[test]
    fn an_unreadable_file_keeps_everything() {
        let mut ledger = Ledger::default();
        write(&mut ledger, "f", &gateway("a", "x"));
        ledger.unreadable("f".into(), "permission denied");
        assert_eq!(told(&mut ledger), (vec![], vec![]));
        assert_eq!(ledger.problems()[0].code, "PH0105");
    }
}
