//! The envelope of a document: what it is, whose it is, where it stands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Kind;

/// The namespace of an object that names none.
pub(super) const DEFAULT_NAMESPACE: &str = "default";

/// The name of an object, unique among all sources of one mesh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    pub kind: Kind,
    /// Empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

/// Where a document begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: u32,
}

/// A document whose envelope was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    pub key: ObjectKey,
    /// As written: `networking.istio.io/v1alpha3`.
    pub api_version: Arc<str>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// Precedence among objects is by age, then name, then namespace.
    pub created: Option<Timestamp>,
    pub location: Option<Location>,
    pub spec: Value,
}

/// Something that a source could not read, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable, documented in `docs/diagnostics.md`.
    pub code: &'static str,
    /// Whether something is refused (an error) or only passed over (a warning).
    pub refused: bool,
    /// The object, where the document tells it.
    pub object: Option<ObjectKey>,
    pub location: Option<Location>,
    pub why: String,
    pub effect: String,
    pub remedy: String,
}

/// What the envelope of a document says.
#[derive(Debug, Clone, PartialEq)]
pub enum Envelope {
    Object(Object),
    /// Of an API group that is none of ours; names it as `apiVersion/kind`.
    Foreign(String),
}

/// Why an envelope cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeError {
    pub field: &'static str,
    pub why: String,
}

// === impl Object ===

impl Object {
    /// Reads the envelope of a decoded document.
    ///
    /// A namespaced object without a namespace belongs to `default`, as with `kubectl`.
    pub fn from_document(
        document: Value,
        location: Option<Location>,
    ) -> Result<Envelope, EnvelopeError> {
        let Value::Object(mut root) = document else {
            return Err(EnvelopeError::new("", "the document is not a mapping"));
        };
        let api_version = text(&root, "apiVersion")?;
        let kind_name = text(&root, "kind")?;
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let Some(kind) = Kind::find(group, &kind_name) else {
            return Ok(Envelope::Foreign(format!("{api_version}/{kind_name}")));
        };
        let Some(Value::Object(meta)) = root.remove("metadata") else {
            return Err(EnvelopeError::new("metadata", "missing or not a mapping"));
        };
        let name = text(&meta, "name").map_err(|e| EnvelopeError::new("metadata.name", e.why))?;
        let object = Object {
            key: ObjectKey {
                kind,
                namespace: namespace(kind, &meta)?,
                name: name.into(),
            },
            api_version: api_version.into(),
            labels: string_map(meta.get("labels")),
            annotations: string_map(meta.get("annotations")),
            created: meta
                .get("creationTimestamp")
                .and_then(Value::as_str)
                .and_then(|t| t.parse().ok()),
            location,
            spec: root.remove("spec").unwrap_or(Value::Null),
        };
        Ok(Envelope::Object(object))
    }
}

fn namespace(kind: Kind, meta: &serde_json::Map<String, Value>) -> Result<Arc<str>, EnvelopeError> {
    if kind.is_cluster_scoped() {
        return Ok("".into());
    }
    match meta.get("namespace") {
        None | Some(Value::Null) => Ok(DEFAULT_NAMESPACE.into()),
        Some(Value::String(s)) if s.is_empty() => Ok(DEFAULT_NAMESPACE.into()),
        Some(Value::String(s)) => Ok(s.as_str().into()),
        Some(_) => Err(EnvelopeError::new("metadata.namespace", "not a string")),
    }
}

fn text(
    map: &serde_json::Map<String, Value>,
    field: &'static str,
) -> Result<String, EnvelopeError> {
    match map.get(field) {
        Some(Value::String(s)) if !s.is_empty() => Ok(s.clone()),
        Some(Value::String(_)) | None => Err(EnvelopeError::new(field, "missing")),
        Some(_) => Err(EnvelopeError::new(field, "not a string")),
    }
}

fn string_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let Some(Value::Object(map)) = value else {
        return BTreeMap::new();
    };
    map.iter()
        .filter_map(|(k, v)| v.as_str().map(|v| (k.clone(), v.to_owned())))
        .collect()
}

impl EnvelopeError {
    fn new(field: &'static str, why: impl Into<String>) -> EnvelopeError {
        EnvelopeError {
            field,
            why: why.into(),
        }
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            "" => f.write_str(&self.why),
            field => write!(f, "{field}: {}", self.why),
        }
    }
}

impl std::error::Error for EnvelopeError {}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.namespace {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(document: Value) -> Object {
        match Object::from_document(document, None).unwrap() {
            Envelope::Object(object) => object,
            Envelope::Foreign(kind) => panic!("foreign: {kind}"),
        }
    }

    #[test]
    fn a_namespaced_object_without_namespace_is_in_default() {
        let o = object(
            json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService",
            "metadata": {"name": "reviews"}, "spec": {"hosts": []}}),
        );
        assert_eq!(o.key.to_string(), "VirtualService default/reviews");
    }

    #[test]
    fn a_cluster_scoped_object_has_no_namespace() {
        let o = object(
            json!({"apiVersion": "authentication.istio.io/v1alpha1", "kind": "MeshPolicy",
            "metadata": {"name": "default", "namespace": "ignored"}}),
        );
        assert_eq!(o.key.to_string(), "MeshPolicy default");
    }

    #[test]
    fn a_foreign_kind_is_named_and_not_an_error() {
        let e = Object::from_document(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}),
            None,
        );
        assert_eq!(e, Ok(Envelope::Foreign("v1/Pod".into())));
    }

    #[test]
    fn a_missing_name_is_told_by_path() {
        let e = Object::from_document(
            json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {}}),
            None,
        );
        assert_eq!(e.unwrap_err().to_string(), "metadata.name: missing");
    }
}
