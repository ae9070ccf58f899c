//! From the text of a file to its objects and what is wrong with the rest.

use std::sync::Arc;

use api::istio::{Envelope, Kind, Location, Object, Problem};
use serde_json::Value;

use super::split;
use super::yaml;
use crate::code;

/// What a file says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parsed {
    /// In document order.
    pub(super) objects: Vec<Object>,
    pub(super) problems: Vec<Problem>,
    /// Whether a document could not be read, so that an object may only seem to be gone.
    pub(super) broken: bool,
}

/// Reads all documents of a file; a bad one does not touch the others.
pub(super) fn file(name: &Arc<str>, text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    if name.ends_with(".json") {
        parsed.json(name, text);
        return parsed;
    }
    for document in split::documents(text) {
        let at = location(name, document.line);
        match yaml::parse(document.text, document.begins) {
            Ok(value) => parsed.document(value, &at),
            Err(error) => {
                let at = location(name, error.line.unwrap_or(document.line));
                parsed.refuse(code::SYNTAX, at, format!("not valid YAML: {}", error.why));
            }
        }
    }
    parsed
}

// === impl Parsed ===

impl Parsed {
    fn json(&mut self, name: &Arc<str>, text: &str) {
        let blank = text.lines().take_while(|line| line.trim().is_empty());
        let line = u32::try_from(blank.count())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        if text.trim().is_empty() {
            return;
        }
        match serde_json::from_str(text) {
            Ok(value) => self.document(value, &location(name, line)),
            Err(error) => {
                let line = u32::try_from(error.line()).unwrap_or(line);
                self.refuse(
                    code::SYNTAX,
                    location(name, line),
                    format!("not valid JSON: {error}"),
                );
            }
        }
    }

    fn document(&mut self, value: Value, at: &Location) {
        match list_items(value) {
            Items::None => {}
            Items::One(value) => self.object(value, at, ""),
            Items::Many(items) => {
                for (i, item) in items.into_iter().enumerate() {
                    self.object(item, at, &format!("items[{i}]: "));
                }
            }
        }
    }

    fn object(&mut self, value: Value, at: &Location, place: &str) {
        match Object::from_document(value, Some(at.clone())) {
            Ok(Envelope::Object(object)) => self.objects.push(object),
            Ok(Envelope::Foreign(kind)) => self.problems.push(foreign(&kind, at)),
            Err(error) => {
                let why = format!("not an Istio object: {place}{error}");
                self.refuse(code::NOT_AN_OBJECT, at.clone(), why);
            }
        }
    }

    fn refuse(&mut self, code: &'static str, at: Location, why: String) {
        self.broken = true;
        self.problems.push(Problem {
            code,
            refused: true,
            object: None,
            location: Some(at),
            why,
            effect: "this document is not used; all others are".into(),
            remedy: "correct the document and save; it is read again at once".into(),
        });
    }
}

/// A document stands for nothing, an object, or (`kind: List`) several.
enum Items {
    None,
    One(Value),
    Many(Vec<Value>),
}

fn list_items(mut value: Value) -> Items {
    if value.is_null() {
        return Items::None;
    }
    let is_list = value
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match value.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if is_list => Items::Many(items),
        Some(items) => {
            value["items"] = items;
            Items::One(value)
        }
        None => Items::One(value),
    }
}

fn location(file: &Arc<str>, line: u32) -> Location {
    Location {
        file: file.clone(),
        line,
    }
}

fn foreign(kind: &str, at: &Location) -> Problem {
    let group = kind.split('/').next().unwrap_or_default();
    let (why, remedy) = if Kind::is_istio_group(group) {
        (
            format!("{kind} is in an API group of Istio, but no kind of that name is known"),
            "look for a typing error in `kind` or `apiVersion`, or remove the document",
        )
    } else {
        (
            format!("{kind} is not used: it is not configuration of the mesh"),
            "nothing, or move the document out of this directory",
        )
    };
    Problem {
        code: code::FOREIGN_KIND,
        refused: false,
        object: None,
        location: Some(at.clone()),
        why,
        effect: "the document is passed over".into(),
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: &str =
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\n";

    fn parsed(text: &str) -> Parsed {
        file(&"mesh.yaml".into(), text)
    }

    fn names(parsed: &Parsed) -> Vec<String> {
        parsed.objects.iter().map(|o| o.key.to_string()).collect()
    }

    fn told(parsed: &Parsed) -> Vec<(&'static str, u32)> {
        let line = |p: &Problem| p.location.as_ref().unwrap().line;
        parsed.problems.iter().map(|p| (p.code, line(p))).collect()
    }

    #[test]
    fn a_broken_document_leaves_its_neighbours_alone() {
        let text = format!(
            "{GATEWAY}---\na: [1\n---\n{}---\njust text\n",
            GATEWAY.replace("edge", "inner")
        );
        let parsed = parsed(&text);
        assert_eq!(
            names(&parsed),
            ["Gateway default/edge", "Gateway default/inner"]
        );
        assert_eq!(parsed.objects[1].location.as_ref().unwrap().line, 7);
        assert!(parsed.broken);
        let told = told(&parsed);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].0 == "PH0101" && (5..=7).contains(&told[0].1),
            "{told:?}"
        );
        assert_eq!(told[1], ("PH0102", 11));
    }

    #[test]
    fn a_list_stands_for_its_items() {
        let parsed = parsed(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.istio.io/v1\n  kind: Gateway\n  metadata: {name: a}\n- apiVersion: networking.istio.io/v1\n  kind: Gateway\n",
        );
        assert_eq!(names(&parsed), ["Gateway default/a"]);
        let why = &parsed.problems[0].why;
        assert!(
            why.contains("items[1]") && why.contains("metadata"),
            "{why}"
        );
    }

    #[test]
    fn a_kind_that_is_not_ours_is_a_warning_and_breaks_nothing() {
        let parsed = parsed(
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: networking.istio.io/v1\nkind: Gatewai\nmetadata: {name: a}\n",
        );
        assert_eq!(told(&parsed), [("PH0104", 1), ("PH0104", 5)]);
        assert!(parsed.problems.iter().all(|p| !p.refused) && !parsed.broken);
        assert!(parsed.problems[1].remedy.contains("typing error"));
    }

    #[test]
    fn nothing_is_silently_nothing() {
        for text in ["", "---\n---\n", "# only a comment\n", "~\n"] {
            assert_eq!(parsed(text), Parsed::default(), "{text:?}");
        }
    }

    #[test]
    fn a_json_file_is_read_as_json() {
        let name: Arc<str> = "mesh.json".into();
        let good = file(
            &name,
            "\n{\"apiVersion\": \"networking.istio.io/v1\",\n\t\"kind\": \"Gateway\", \"metadata\": {\"name\": \"a\"}}",
        );
        assert_eq!(names(&good), ["Gateway default/a"]);
        assert_eq!(good.objects[0].location.as_ref().unwrap().line, 2);
        let bad = file(&name, "{\n\"a\": }\n");
        assert_eq!(told(&bad), [("PH0101", 2)]);
    }
}
