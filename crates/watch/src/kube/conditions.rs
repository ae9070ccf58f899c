//! What stands in the status of objects: our condition, as the apiserver has it.
//!
//! It is no configuration and goes to nobody but the one who writes it, so that after a change of
//! the writer nothing is written twice and nothing is left standing.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::istio::ObjectKey;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The type of our condition.
pub const ACCEPTED: &str = "Accepted";

/// A condition as the object has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Condition {
    #[serde(rename = "type")]
    kind: String,
    /// `True` or `False`.
    pub status: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub message: String,
}

/// The conditions of all objects that have one; clones share them.
#[derive(Clone, Default)]
pub struct Conditions(Arc<Mutex<BTreeMap<ObjectKey, Condition>>>);

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

// === impl Conditions ===

impl Conditions {
    pub fn get(&self, key: &ObjectKey) -> Option<Condition> {
        self.0.lock().get(key).cloned()
    }

    /// The objects that have a condition.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.0.lock().keys().cloned().collect()
    }

    pub(super) fn note(&self, key: &ObjectKey, status: Option<&RawValue>) {
        let condition = status.and_then(ours);
        let mut known = self.0.lock();
        match condition {
            Some(condition) => known.insert(key.clone(), condition),
            None => known.remove(key),
        };
    }

    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

/// A status of another form is none of ours.
fn ours(status: &RawValue) -> Option<Condition> {
    let status: Status = serde_json::from_str(status.get()).ok()?;
    let mut conditions = status.conditions.into_iter();
    conditions.find(|condition| condition.kind == ACCEPTED)
}
