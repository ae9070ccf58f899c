//! Rewrites the `is` and `has` blocks of a file to what came, and leaves every other line alone.

use std::fs;

use serde_json::Value;

use super::case::{Case, Expect, documents};
use super::compare;

pub(super) fn rewrite(case: &Case) {
    let text = fs::read_to_string(&case.path).unwrap();
    let study = case.study();
    let mut views = case.views.iter();
    let mut out = String::new();
    for document in documents(&text) {
        let value: Value = serde_yaml::from_str(document).unwrap();
        if value.is_null() || value.get("apiVersion").is_some() {
            out.push_str(document);
            continue;
        }
        let view = views.next().expect("was read");
        let found = view.resources(&study);
        let actual = view.expect.iter().map(|expect| {
            let actual = expect.find(&found)?;
            new_block(expect, actual)
        });
        out.push_str(&replace(document, &actual.collect::<Vec<_>>()));
    }
    fs::write(&case.path, out).unwrap();
}

/// The value that the block of an expectation should have; none if it is right or has no block.
fn new_block(expect: &Expect, actual: &Value) -> Option<Value> {
    match (&expect.is, &expect.has) {
        (Some(is), _) if !compare::is(actual, is).is_empty() => Some(actual.clone()),
        (_, Some(has)) if !compare::has(actual, has).is_empty() => {
            Some(compare::project(actual, has))
        }
        _ => None,
    }
}

/// Walks the lines: `- ` at the list's indent begins an item; `is:` or `has:` begins its block.
fn replace(document: &str, blocks: &[Option<Value>]) -> String {
    let mut out = String::new();
    let (mut item, mut list, mut skip) = (None, None, None);
    for line in document.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let blank = line.trim().is_empty();
        if let Some(deep) = skip {
            if blank || indent > deep {
                continue;
            }
            skip = None;
        }
        if line.starts_with("expect:") {
            list = Some(usize::MAX);
        } else if indent == 0 && !line.starts_with('-') && !blank {
            list = None;
        }
        let mut key = indent;
        let begins = |deep: &usize| *deep == usize::MAX || *deep == indent;
        if line.trim_start().starts_with("- ") && list.as_ref().is_some_and(begins) {
            list = Some(indent);
            item = Some(item.map_or(0, |i: usize| i + 1));
            key = indent + 2;
        }
        let at_key = list.is_some_and(|deep| deep != usize::MAX && key == deep + 2);
        let word = line.trim_start().trim_start_matches("- ");
        let name = ["is:", "has:"]
            .into_iter()
            .find(|name| word.starts_with(name));
        let new = item.and_then(|i| blocks.get(i)).and_then(Option::as_ref);
        match (at_key, name, new) {
            (true, Some(name), Some(value)) => {
                let lead = &line[..line.len() - word.len()];
                out.push_str(&block(lead, name, key, value));
                skip = Some(key);
            }
            _ => out.push_str(line),
        }
    }
    out
}

fn block(lead: &str, name: &str, indent: usize, value: &Value) -> String {
    let yaml = serde_yaml::to_string(value).unwrap();
    if !matches!(value, Value::Object(fields) if !fields.is_empty())
        && !matches!(value, Value::Array(items) if !items.is_empty())
    {
        return format!("{lead}{name} {yaml}");
    }
    let deep = " ".repeat(indent + 2);
    let lines: String = yaml.lines().map(|line| format!("{deep}{line}\n")).collect();
    format!("{lead}{name}\n{lines}")
}

#[test]
fn only_wrong_blocks_are_rewritten() {
    let document = "---\n# why\nproxy: p\nexpect:\n- route: a\n  is: {x: 1}   # note\n- has:\n    y:\n    - 1\n  route: b\ndiagnostics: []\n";
    let new = serde_json::json!({"y": [2]});
    assert_eq!(replace(document, &[None, None]), document);
    assert_eq!(
        replace(document, &[None, Some(new)]),
        "---\n# why\nproxy: p\nexpect:\n- route: a\n  is: {x: 1}   # note\n- has:\n    y:\n    - 2\n  route: b\ndiagnostics: []\n"
    );
}
