//! Messages by their descriptors: read from JSON, decoded, and encoded so that equal messages have
//! equal bytes.

use model::envoy_filter::Target;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, ReflectMessage, Value,
};

use crate::render::POOL;

const ANY: &str = "google.protobuf.Any";
pub(super) const MANAGER: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// The name of the message that a patch of this target carries.
fn message(target: Target) -> &'static str {
    match target {
        Target::Listener => "envoy.config.listener.v3.Listener",
        Target::FilterChain => "envoy.config.listener.v3.FilterChain",
        Target::ListenerFilter => "envoy.config.listener.v3.ListenerFilter",
        Target::NetworkFilter => "envoy.config.listener.v3.Filter",
        Target::HttpFilter => {
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"
        }
        Target::RouteConfiguration => "envoy.config.route.v3.RouteConfiguration",
        Target::VirtualHost => "envoy.config.route.v3.VirtualHost",
        Target::HttpRoute => "envoy.config.route.v3.Route",
        Target::Cluster => "envoy.config.cluster.v3.Cluster",
    }
}

/// The value of a patch.
pub(super) fn read(target: Target, json: &str) -> Result<DynamicMessage, String> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(descriptor(message(target)), &mut deserializer)
        .map_err(|error| error.to_string())?;
    Ok(canonical(message))
}

/// Decodes what this crate has encoded.
pub(super) fn decode(message: &str, body: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(descriptor(message), body).expect("it was encoded as this message")
}

fn descriptor(message: &str) -> MessageDescriptor {
    POOL.get_message_by_name(message)
        .expect("the descriptors have every message of Envoy, and tests render each kind")
}

/// A text field; empty if it is not set.
pub(super) fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    let text = value.as_ref().and_then(|value| value.as_str());
    text.unwrap_or_default().to_owned()
}

/// A message field, if it is set.
pub(super) fn part<'a>(
    message: &'a DynamicMessage,
    field: &str,
) -> Option<std::borrow::Cow<'a, Value>> {
    match message.has_field_by_name(field) {
        true => message.get_field_by_name(field),
        false => None,
    }
}

/// A repeated field.
pub(super) fn list<'a>(message: &'a mut DynamicMessage, field: &str) -> Option<&'a mut Vec<Value>> {
    message.get_field_by_name_mut(field)?.as_list_mut()
}

/// What an `Any` holds, if its type is known.
pub(super) fn open(any: &DynamicMessage) -> Option<DynamicMessage> {
    let url = text(any, "type_url");
    let name = url.rsplit('/').next()?;
    let descriptor = POOL.get_message_by_name(name)?;
    let bytes = any.get_field_by_name("value")?;
    DynamicMessage::decode(descriptor, bytes.as_bytes()?.clone()).ok()
}

/// Puts a message into an `Any`, or over what is in it.
pub(super) fn close(any: &mut DynamicMessage, inner: &DynamicMessage) {
    let url = format!("type.googleapis.com/{}", inner.descriptor().full_name());
    any.set_field_by_name("type_url", Value::String(url));
    any.set_field_by_name("value", Value::Bytes(encode(inner).into()));
}

pub(super) fn is_any(message: &DynamicMessage) -> bool {
    message.descriptor().full_name() == ANY
}

/// The same with the contents of every `Any` encoded in order.
fn canonical(mut message: DynamicMessage) -> DynamicMessage {
    if is_any(&message) {
        if let Some(inner) = open(&message) {
            close(&mut message, &canonical(inner));
        }
        return message;
    }
    for (_, value) in message.fields_mut() {
        canonical_value(value);
    }
    message
}

fn canonical_value(value: &mut Value) {
    match value {
        Value::Message(inner) => *inner = canonical(inner.clone()),
        Value::List(list) => list.iter_mut().for_each(canonical_value),
        Value::Map(map) => map.values_mut().for_each(canonical_value),
        _ => {}
    }
}

/// Fields in order of their numbers, entries of maps in order of their keys.
pub(super) fn encode(message: &DynamicMessage) -> Vec<u8> {
    let mut fields: Vec<(FieldDescriptor, &Value)> = message.fields().collect();
    fields.sort_by_key(|(field, _)| field.number());
    let mut bytes = Vec::new();
    for (field, value) in fields {
        encode_field(&field, value, &mut bytes);
    }
    for unknown in message.unknown_fields() {
        unknown.encode(&mut bytes);
    }
    bytes
}

fn encode_field(field: &FieldDescriptor, value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Message(inner) => delimited(field.number(), &encode(inner), bytes),
        Value::List(list) if list.iter().all(|item| item.as_message().is_some()) => {
            for inner in list.iter().filter_map(Value::as_message) {
                delimited(field.number(), &encode(inner), bytes);
            }
        }
        Value::Map(map) => {
            let mut entries: Vec<(&MapKey, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key_order(key));
            for (key, value) in entries {
                delimited(field.number(), &entry(field, key, value), bytes);
            }
        }
        plain => {
            let mut alone = DynamicMessage::new(field.parent_message().clone());
            alone.set_field(field, plain.clone());
            bytes.extend(alone.encode_to_vec());
        }
    }
}

fn entry(field: &FieldDescriptor, key: &MapKey, value: &Value) -> Vec<u8> {
    let prost_reflect::Kind::Message(descriptor) = field.kind() else {
        return Vec::new();
    };
    let mut entry = DynamicMessage::new(descriptor);
    entry.set_field_by_number(1, key.clone().into());
    entry.set_field_by_number(2, value.clone());
    encode(&entry)
}

/// As the encodings of the keys are ordered.
fn key_order(key: &MapKey) -> (Vec<u8>, u64) {
    match key {
        MapKey::String(text) => (text.as_bytes().to_vec(), 0),
        MapKey::Bool(b) => (Vec::new(), u64::from(*b)),
        MapKey::I32(n) => (Vec::new(), *n as u64),
        MapKey::I64(n) => (Vec::new(), *n as u64),
        MapKey::U32(n) => (Vec::new(), u64::from(*n)),
        MapKey::U64(n) => (Vec::new(), *n),
    }
}

fn delimited(number: u32, body: &[u8], bytes: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, bytes);
    encode_varint(body.len() as u64, bytes);
    bytes.extend_from_slice(body);
}
