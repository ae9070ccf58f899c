//! What was expected against what came.
//!
//! `is` wants all. `has` wants what it names: fields that it does not name may be anything, `~`
//! wants a field to be absent, and a list has as many items as it names.

use serde_json::Value;

/// Every difference, by its path.
pub(super) fn is(actual: &Value, expected: &Value) -> Vec<String> {
    differences(actual, expected, true)
}

pub(super) fn has(actual: &Value, expected: &Value) -> Vec<String> {
    differences(actual, expected, false)
}

fn differences(actual: &Value, expected: &Value, all: bool) -> Vec<String> {
    let mut found = Vec::new();
    compare(Some(actual), expected, all, "", &mut found);
    found
}

fn compare(actual: Option<&Value>, expected: &Value, all: bool, at: &str, found: &mut Vec<String>) {
    match (actual, expected) {
        (None, Value::Null) => {}
        (None, _) => found.push(format!("{at}: missing, expected {}", brief(expected))),
        (Some(Value::Object(actual)), Value::Object(expected)) => {
            for (key, wanted) in expected {
                compare(actual.get(key), wanted, all, &format!("{at}.{key}"), found);
            }
            if all {
                let more = actual
                    .iter()
                    .filter(|(key, _)| !expected.contains_key(*key));
                found.extend(
                    more.map(|(key, value)| format!("{at}.{key}: not expected, is {value}")),
                );
            }
        }
        (Some(Value::Array(actual)), Value::Array(expected)) => {
            if actual.len() != expected.len() {
                let (has, wants) = (actual.len(), expected.len());
                found.push(format!("{at}: {has} items, expected {wants}"));
            }
            for (i, (one, wanted)) in actual.iter().zip(expected).enumerate() {
                compare(Some(one), wanted, all, &format!("{at}[{i}]"), found);
            }
        }
        (Some(actual), expected) if same(actual, expected) => {}
        (Some(actual), _) => found.push(format!(
            "{at}: is {}, expected {}",
            brief(actual),
            brief(expected)
        )),
    }
}

/// The whole stands below the differences.
fn brief(value: &Value) -> String {
    const MOST: usize = 100;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// `1` and `1.0` are one number.
fn same(actual: &Value, expected: &Value) -> bool {
    actual == expected
        || matches!((actual.as_f64(), expected.as_f64()), (Some(a), Some(b)) if a == b)
}

/// The part of what came that an expectation speaks of: what a new `has` would be.
pub(super) fn project(actual: &Value, shape: &Value) -> Value {
    match (actual, shape) {
        (Value::Object(actual), Value::Object(shape)) => {
            let named = shape.iter().filter_map(|(key, inner)| {
                let value = actual.get(key)?;
                Some((key.clone(), project(value, inner)))
            });
            Value::Object(named.collect())
        }
        (Value::Array(actual), Value::Array(shape)) => {
            let items = actual.iter().enumerate();
            let shape = |i: usize| shape.get(i).or(shape.last()).unwrap_or(&Value::Null);
            Value::Array(items.map(|(i, item)| project(item, shape(i))).collect())
        }
        (actual, _) => actual.clone(),
    }
}

#[test]
fn is_wants_all_and_has_what_it_names() {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let actual = json(r#"{"a": [{"b": 1, "c": 2}], "d": 3}"#);
    assert!(is(&actual, &actual).is_empty());
    assert!(has(&actual, &json(r#"{"a": [{"b": 1.0}], "e": null}"#)).is_empty());
    for (wrong, count) in [
        (r#"{"a": [{"b": 1}]}"#, 0),
        (r#"{"a": []}"#, 1),
        (r#"{"a": [{"b": 2}], "d": null, "e": 1}"#, 3),
    ] {
        assert_eq!(has(&actual, &json(wrong)).len(), count, "{wrong}");
        assert!(!is(&actual, &json(wrong)).is_empty(), "{wrong}");
    }
    let shape = json(r#"{"a": [{"b": 0}], "e": 1}"#);
    assert_eq!(project(&actual, &shape), json(r#"{"a": [{"b": 1}]}"#));
}
