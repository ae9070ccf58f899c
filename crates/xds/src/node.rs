//! Who connected: the client's own description of itself.

use std::collections::BTreeMap;

use envoy_types::pb::google::protobuf::{Struct, Value as ProtoValue, value::Kind as ProtoKind};
use serde_json::{Map, Value};

/// The identity that a client gives with its first request.
///
/// Envoy's list of extensions (60 KB) is not kept, nor even decoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Unique per proxy, e.g. `sidecar~10.0.0.1~reviews-v1.default~default.svc`.
    pub id: String,
    /// The service or gateway the proxy belongs to.
    pub cluster: String,
    /// Free-form facts from the bootstrap.
    pub metadata: Map<String, Value>,
    /// Locality, outermost part.
    pub region: String,
    /// Locality, middle part.
    pub zone: String,
    /// Locality, innermost part.
    pub sub_zone: String,
    /// The client's version, e.g. `1.40.0`; empty if it does not say.
    pub version: String,
}

/// How deep metadata may nest. Prost stops at 100 messages, which a nested value uses up in pairs.
const MAX_DEPTH: usize = 64;

/// A protobuf struct as JSON. Numbers that JSON cannot hold and missing values become null.
pub(crate) fn json_object(fields: Struct) -> Map<String, Value> {
    object(fields, MAX_DEPTH)
}

fn object(fields: Struct, depth: usize) -> Map<String, Value> {
    // Through an ordered map: the wire order of map fields is arbitrary.
    let ordered: BTreeMap<_, _> = fields.fields.into_iter().collect();
    ordered
        .into_iter()
        .map(|(key, value)| (key, json(value, depth)))
        .collect()
}

fn json(value: ProtoValue, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else {
        return Value::Null;
    };
    match value.kind {
        None | Some(ProtoKind::NullValue(_)) => Value::Null,
        Some(ProtoKind::BoolValue(value)) => Value::Bool(value),
        Some(ProtoKind::StringValue(value)) => Value::String(value),
        Some(ProtoKind::NumberValue(value)) => number(value),
        Some(ProtoKind::StructValue(value)) => Value::Object(object(value, depth)),
        Some(ProtoKind::ListValue(list)) => list
            .values
            .into_iter()
            .map(|value| json(value, depth))
            .collect(),
    }
}

/// Protobuf has only doubles; whole numbers read better as integers, and serde keeps them apart.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Value::from(value as i64);
    }
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::google::protobuf::ListValue;
    use serde_json::json;

    fn value(kind: ProtoKind) -> ProtoValue {
        ProtoValue { kind: Some(kind) }
    }

    #[test]
    fn metadata_becomes_json_of_the_same_shape() {
        let list = ListValue {
            values: vec![
                value(ProtoKind::NumberValue(1.5)),
                value(ProtoKind::NullValue(0)),
            ],
        };
        let fields = Struct {
            fields: [
                ("port".to_string(), value(ProtoKind::NumberValue(9080.0))),
                ("odd".to_string(), value(ProtoKind::NumberValue(f64::NAN))),
                ("list".to_string(), value(ProtoKind::ListValue(list))),
                ("on".to_string(), value(ProtoKind::BoolValue(true))),
            ]
            .into(),
        };
        let expected = json!({"list": [1.5, null], "odd": null, "on": true, "port": 9080});
        assert_eq!(Value::Object(json_object(fields)), expected);
    }

    #[test]
    fn a03_deep_metadata_is_cut_off() {
        let deep = (0..1_000).fold(value(ProtoKind::BoolValue(true)), |inner, _| {
            value(ProtoKind::ListValue(ListValue {
                values: vec![inner],
            }))
        });
        let object = json_object(Struct {
            fields: [("deep".to_string(), deep)].into(),
        });
        let mut depth = 0;
        let mut at = &object["deep"];
        while let Some(inner) = at.get(0) {
            (depth, at) = (depth + 1, inner);
        }
        assert_eq!((depth, at), (MAX_DEPTH, &Value::Null));
    }
}
