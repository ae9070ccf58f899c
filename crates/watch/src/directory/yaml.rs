//! One YAML document as the JSON that it means, as `kubectl` would send it.

use serde_json::{Map, Value};
use serde_yaml::Value as Yaml;

/// Why a document has no JSON form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Error {
    /// Counted from the first line of the document's file, if the parser tells it.
    pub(super) line: Option<u32>,
    pub(super) why: String,
}

/// Parses a document whose text begins at line `begins` of its file.
pub(super) fn parse(text: &str, begins: u32) -> Result<Value, Error> {
    let parsed = serde_yaml::from_str::<Yaml>(text).and_then(|mut yaml| {
        yaml.apply_merge()?;
        Ok(yaml)
    });
    match parsed {
        Ok(yaml) => json(yaml).map_err(|why| Error { line: None, why }),
        Err(error) if error.location().is_none() => Err(syntax(&error)),
        // The parser's own words name lines; parsed again in place, they are the file's lines.
        Err(error) => {
            let padding = "\n".repeat(begins.saturating_sub(1) as usize);
            let again = serde_yaml::from_str::<Yaml>(&(padding + text));
            Err(syntax(again.as_ref().err().unwrap_or(&error)))
        }
    }
}

fn syntax(error: &serde_yaml::Error) -> Error {
    Error {
        line: error
            .location()
            .and_then(|at| u32::try_from(at.line()).ok()),
        why: error.to_string(),
    }
}

fn json(yaml: Yaml) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(bool) => Value::Bool(bool),
        Yaml::String(text) => Value::String(text),
        Yaml::Number(number) => Value::Number(json_number(&number)?),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(json_key(key)?, json(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => json(tagged.value)?,
    })
}

fn json_number(number: &serde_yaml::Number) -> Result<serde_json::Number, String> {
    if let Some(n) = number.as_u64() {
        return Ok(n.into());
    }
    if let Some(n) = number.as_i64() {
        return Ok(n.into());
    }
    number
        .as_f64()
        .and_then(serde_json::Number::from_f64)
        .ok_or_else(|| format!("{number} is not a number that JSON can hold"))
}

/// Keys that are numbers or booleans become text, as in the YAML to JSON step of `kubectl`.
fn json_key(key: Yaml) -> Result<String, String> {
    match key {
        Yaml::String(text) => Ok(text),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(bool) => Ok(bool.to_string()),
        Yaml::Null => Ok("null".into()),
        Yaml::Tagged(tagged) => json_key(tagged.value),
        Yaml::Sequence(_) | Yaml::Mapping(_) => {
            Err("a key of a mapping is itself a list or a mapping".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_means_the_json_that_kubectl_would_send() {
        for (text, expected) in [
            (
                "a: {80: x, true: y}",
                json!({"a": {"80": "x", "true": "y"}}),
            ),
            (
                "a: [1, -2, 0.5, ~, text]",
                json!({"a": [1, -2, 0.5, null, "text"]}),
            ),
            (
                "x: &x {k: 1}\ny:\n  <<: *x\n  l: 2",
                json!({"x": {"k": 1}, "y": {"k": 1, "l": 2}}),
            ),
            ("a: !custom 1", json!({"a": 1})),
        ] {
            assert_eq!(parse(text, 1), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_error_tells_the_line_of_the_file() {
        let error = parse("---\na: 1\nb: [\n", 10).unwrap_err();
        let line = error.line.unwrap();
        assert!((12..=13).contains(&line), "{error:?}");
        assert!(error.why.contains(&format!("line {line}")), "{error:?}");
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error() {
        let error = parse("a: 1\na: 2\n", 1).unwrap_err();
        assert!(error.why.contains("duplicate"), "{error:?}");
    }
}
