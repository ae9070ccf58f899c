//! One object as the apiserver sends it: what is needed of it, and nothing else.
//!
//! Managed fields and the copy that `kubectl apply` leaves in an annotation are as large as the
//! object itself. They are never kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::istio::{Kind, Object, ObjectKey, Problem};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::code;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object in JSON, with its envelope read.
#[derive(Deserialize)]
pub(super) struct Document<'a> {
    metadata: Metadata,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    /// Empty in bookmarks.
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    resource_version: String,
}

// === impl Document ===

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str) -> serde_json::Result<Document<'a>> {
        let mut document: Document<'a> = serde_json::from_str(text)?;
        if let Some(annotations) = &mut document.metadata.annotations {
            annotations.remove(LAST_APPLIED);
        }
        Ok(document)
    }

    pub(super) fn key(&self, kind: Kind) -> ObjectKey {
        ObjectKey {
            kind,
            namespace: self.metadata.namespace.as_str().into(),
            name: self.metadata.name.as_str().into(),
        }
    }

    pub(super) fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Equal for equal content: versions, managed fields and status are not part of it, so that
    /// writing a status is no change of configuration.
    pub(super) fn digest(&self) -> u64 {
        let meta = &self.metadata;
        let text = format!(
            "{:?}\0{:?}\0{:?}\0{}",
            meta.creation_timestamp,
            meta.labels,
            meta.annotations,
            self.spec.map_or("", RawValue::get)
        );
        xxh3_64(text.as_bytes())
    }

    /// The object, or why its spec cannot be read.
    pub(super) fn object(
        self,
        key: ObjectKey,
        api_version: &Arc<str>,
    ) -> Result<Object, Box<Problem>> {
        let spec = self.spec.map_or("null", RawValue::get);
        match serde_json::from_str(spec) {
            Ok(spec) => Ok(self.with(key, api_version.clone(), spec)),
            Err(error) => Err(Box::new(undecodable(key, &error))),
        }
    }

    fn with(self, key: ObjectKey, api_version: Arc<str>, spec: Value) -> Object {
        Object {
            key,
            api_version,
            labels: self.metadata.labels.unwrap_or_default(),
            annotations: self.metadata.annotations.unwrap_or_default(),
            created: self.metadata.creation_timestamp,
            location: None,
            spec,
        }
    }
}

fn undecodable(key: ObjectKey, error: &serde_json::Error) -> Problem {
    Problem {
        code: code::UNDECODABLE_OBJECT,
        refused: true,
        object: Some(key),
        location: None,
        why: format!("the spec cannot be read: {error}"),
        effect: "the version that was good last stays in force, and is none if there was none".into(),
        remedy: "write the object in the form that the documentation of its kind shows, and apply it again".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": {"name": "g", "namespace": "n", "resourceVersion": "7", "uid": "u",
            "creationTimestamp": "2026-01-02T03:04:05Z", "labels": {"a": "b"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "c": "d"},
            "managedFields": [{"manager": "kubectl", "fieldsV1": {}}]},
        "spec": {"selector": {"istio": "x"}}, "status": {"conditions": []}}"#;

    fn object(text: &str) -> Result<Object, Box<Problem>> {
        let document = Document::parse(text).unwrap();
        let key = document.key(Kind::Gateway);
        document.object(key, &"networking.istio.io/v1".into())
    }

    #[test]
    fn an_object_keeps_what_is_needed_and_no_copy_of_itself() {
        let object = object(TEXT).unwrap();
        assert_eq!(object.key.to_string(), "Gateway n/g");
        assert_eq!(
            object.created,
            Some("2026-01-02T03:04:05Z".parse().unwrap())
        );
        assert_eq!(object.labels["a"], "b");
        assert_eq!(object.annotations.keys().collect::<Vec<_>>(), ["c"]);
        assert_eq!(object.spec["selector"]["istio"], "x");
    }

    #[test]
    fn only_content_counts_for_the_digest() {
        let digest = |text: &str| Document::parse(text).unwrap().digest();
        let newer = TEXT.replace("\"7\"", "\"8\"").replace("[]}", "[{}]}");
        assert_ne!(newer, TEXT);
        assert_eq!(digest(&newer), digest(TEXT));
        assert_ne!(digest(&TEXT.replace("\"x\"", "\"y\"")), digest(TEXT));
        assert_ne!(digest(&TEXT.replace("\"b\"", "\"c\"")), digest(TEXT));
    }

    #[test]
    fn a_spec_that_is_too_deep_is_a_problem_of_this_object() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        let problem = object(&TEXT.replace(r#"{"istio": "x"}"#, &deep)).unwrap_err();
        assert_eq!(problem.code, "PH0111");
        assert_eq!(problem.object.unwrap().to_string(), "Gateway n/g");
    }
}
