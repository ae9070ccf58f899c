//! Paths into a resource: `virtual_hosts[name=reviews].routes[0]["a.key"]`.

use serde_json::Value;

/// Where to look.
pub(super) struct Path(Vec<Step>);

#[derive(Debug, PartialEq)]
enum Step {
    Field(String),
    Item(usize),
    /// The first item whose field has this value.
    Where(String, String),
}

// === impl Path ===

impl Path {
    pub(super) fn parse(text: &str) -> Result<Path, String> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let (step, left) = match rest.strip_prefix('[') {
                Some(inner) => bracket(inner)?,
                None => {
                    let end = rest.find(['.', '[']).unwrap_or(rest.len());
                    (Step::Field(rest[..end].to_owned()), &rest[end..])
                }
            };
            steps.push(step);
            rest = left;
        }
        Ok(Path(steps))
    }

    pub(super) fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let mut at = value;
        for step in &self.0 {
            at = match step {
                Step::Field(name) => at.get(name)?,
                Step::Item(index) => at.get(index)?,
                Step::Where(field, wanted) => {
                    let items = at.as_array()?;
                    items.iter().find(|item| said(item, field) == *wanted)?
                }
            };
        }
        Some(at)
    }
}

fn bracket(inner: &str) -> Result<(Step, &str), String> {
    let unclosed = || format!("a bracket is not closed: [{inner}");
    if let Some(quoted) = inner.strip_prefix('"') {
        let (key, left) = quoted.split_once("\"]").ok_or_else(unclosed)?;
        return Ok((Step::Field(key.to_owned()), left));
    }
    let (word, left) = inner.split_once(']').ok_or_else(unclosed)?;
    let step = match (word.split_once('='), word.parse()) {
        (Some((field, wanted)), _) => Step::Where(field.to_owned(), wanted.to_owned()),
        (None, Ok(index)) => Step::Item(index),
        (None, Err(_)) => return Err(format!("[{word}] is no number, no \"key\", no field=value")),
    };
    Ok((step, left))
}

/// A field's value as text; fields of fields are written `a.b`.
fn said(item: &Value, field: &str) -> String {
    let mut parts = field.split('.');
    match parts.try_fold(item, |at, part| at.get(part)) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

#[test]
fn paths_lead_where_they_say() {
    let value = serde_json::json!({"a": [{"name": "x.y", "b": 1}, {"name": "z", "b.c": {"d": 2}}]});
    for (path, found) in [
        ("a[0].b", Some("1")),
        ("a[name=x.y].b", Some("1")),
        ("a[name=z][\"b.c\"].d", Some("2")),
        ("a[2]", None),
        ("a[name=q].b", None),
    ] {
        let path = Path::parse(path).unwrap();
        assert_eq!(path.find(&value).map(ToString::to_string).as_deref(), found);
    }
    for wrong in ["a[", "a[x]", "a[\"x]"] {
        assert!(Path::parse(wrong).is_err(), "{wrong}");
    }
}
