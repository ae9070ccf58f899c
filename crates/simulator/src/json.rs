//! Reading loosely typed JSON: absent and `null` are the same to Marathon.

use std::collections::BTreeMap;

use serde_json::Value;

/// The field `key` unless it is absent or `null`.
pub(crate) fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|v| !v.is_null())
}

/// The string in `key`.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    field(value, key).and_then(Value::as_str)
}

/// The port number in `key`; numbers out of range count as absent, since
/// validation has refused them before.
pub(crate) fn port(value: &Value, key: &str) -> Option<u16> {
    field(value, key)
        .and_then(Value::as_u64)
        .and_then(|n| u16::try_from(n).ok())
}

/// The elements of the list in `key`.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    field(value, key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The strings of the list in `key`.
pub(crate) fn texts(value: &Value, key: &str) -> Vec<String> {
    let strings = list(value, key).iter().filter_map(Value::as_str);
    strings.map(str::to_owned).collect()
}

/// The string map in `key`.
pub(crate) fn labels(value: &Value, key: &str) -> BTreeMap<String, String> {
    let entries = field(value, key).and_then(Value::as_object);
    entries
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect()
}

/// Sets `key` unless it has a value already.
pub(crate) fn default(value: &mut Value, key: &str, fallback: Value) {
    if field(value, key).is_none() {
        value[key] = fallback;
    }
}
