//! Merging one message into another, as Istio does: single values are replaced, lists get longer,
//! messages and maps are merged, and configurations with a type if they have the same.

use model::envoy_filter::Operation;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::value::{close, is_any, open};

/// What becomes of a list that both have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    Append,
    Replace,
}

impl Lists {
    pub(super) fn of(operation: Operation) -> Lists {
        match operation {
            Operation::MergeReplacingLists => Lists::Replace,
            _ => Lists::Append,
        }
    }
}

pub(super) fn merge(into: &mut DynamicMessage, from: &DynamicMessage, lists: Lists) {
    if is_any(into) {
        return merge_any(into, from, lists);
    }
    for (field, value) in from.fields() {
        match value {
            Value::Message(value) if into.has_field(&field) && !is_scalar(value) => {
                if let Value::Message(inner) = into.get_field_mut(&field) {
                    merge(inner, value, lists);
                }
            }
            Value::List(more) if lists == Lists::Append => {
                if let Value::List(list) = into.get_field_mut(&field) {
                    list.extend(more.iter().cloned());
                }
            }
            Value::Map(more) => {
                if let Value::Map(map) = into.get_field_mut(&field) {
                    for (key, value) in more {
                        match (map.get_mut(key), value) {
                            (Some(Value::Message(inner)), Value::Message(value)) => {
                                merge(inner, value, lists);
                            }
                            _ => {
                                map.insert(key.clone(), value.clone());
                            }
                        }
                    }
                }
            }
            value => into.set_field(&field, value.clone()),
        }
    }
}

/// Wrapped numbers and durations are values: half of one is no use.
fn is_scalar(message: &DynamicMessage) -> bool {
    let descriptor = message.descriptor();
    let name = descriptor.full_name();
    let known = name.strip_prefix("google.protobuf.");
    known.is_some_and(|known| {
        known.ends_with("Value") && known != "ListValue"
            || matches!(known, "Duration" | "Timestamp")
    })
}

fn merge_any(into: &mut DynamicMessage, from: &DynamicMessage, lists: Lists) {
    match (open(into), open(from)) {
        (Some(mut inner), Some(value)) if inner.descriptor() == value.descriptor() => {
            merge(&mut inner, &value, lists);
            close(into, &inner);
        }
        _ => *into = from.clone(),
    }
}
