//! From the JSON of a spec to a typed kind, telling what was not understood.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A spec, and the fields in it that we do not know.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<T> {
    pub spec: T,
    /// Paths like `spec.http[0].mirror`, in document order.
    pub ignored: Vec<String>,
}

/// The field that makes a spec unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// A path like `spec.http[0].timeout`.
    pub field: String,
    pub why: String,
}

/// Decodes a spec. Unknown fields are told, never fatal; `null` counts as empty.
pub fn decode<T: DeserializeOwned>(spec: &Value) -> Result<Decoded<T>, DecodeError> {
    let empty = Value::Object(serde_json::Map::new());
    let spec = if spec.is_null() { &empty } else { spec };
    let mut ignored = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(spec, &mut track);
    let result = serde_ignored::deserialize(tracked, |path| {
        ignored.push(format_ignored(&path.to_string()))
    });
    match result {
        Ok(spec) => Ok(Decoded { spec, ignored }),
        Err(error) => Err(DecodeError {
            field: join(&track.path().to_string()),
            why: error.to_string(),
        }),
    }
}

/// `serde_ignored` writes `http.0.?.mirror`; operators write `spec.http[0].mirror`.
fn format_ignored(path: &str) -> String {
    let mut out = String::from("spec");
    for part in path.split('.').filter(|part| *part != "?") {
        if part.chars().all(|c| c.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else {
            out.push('.');
            out.push_str(part);
        }
    }
    out
}

fn join(path: &str) -> String {
    match path {
        "." | "" => "spec".into(),
        path => format!("spec.{path}"),
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::istio::VirtualService;

    #[test]
    fn unknown_fields_are_told_by_path() {
        let spec =
            json!({"hosts": ["a"], "http": [{"route": [], "futureField": {"x": 1}}], "other": 1});
        let decoded = decode::<VirtualService>(&spec).unwrap();
        assert_eq!(decoded.ignored, ["spec.http[0].futureField", "spec.other"]);
    }

    #[test]
    fn the_unreadable_field_is_told_by_path() {
        let spec = json!({"hosts": ["a"], "http": [{"timeout": "soon"}]});
        let error = decode::<VirtualService>(&spec).unwrap_err();
        assert_eq!(error.field, "spec.http[0].timeout");
        assert!(error.why.contains("\"soon\""), "{}", error.why);
    }
}
