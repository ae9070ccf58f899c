//! Resources as people and Envoy's own tools read them: proto-JSON.
//!
//! Field names are those of the protobuf files, as in Envoy's `config_dump` and in its
//! documentation. An `Any` is shown with its type and contents, however deep it is.

mod config_dump;

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

use crate::Kind;

pub use config_dump::{Dumped, config_dump};

/// The descriptors of every message that `envoy-types` knows; see `descriptors/README.md`.
static DESCRIPTORS: &[u8] = include_bytes!("../descriptors/types.bin");

/// Read when the first resource is rendered: most processes never render one.
pub(crate) static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTORS)
        .expect("the descriptors are part of this program, and tested")
});

/// Why bytes cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The bytes are not a message of this type.
    #[error("the body is not an encoded {message}: {source}")]
    Decode {
        message: String,
        source: prost::DecodeError,
    },
    /// A message inside of an `Any` is unknown or damaged.
    #[error("a {message} cannot be shown as JSON: {source}")]
    Json {
        message: String,
        source: serde_json::Error,
    },
    /// The descriptors have no such message.
    #[error("no message has the name {0}")]
    Unknown(String),
}

/// A resource as proto-JSON. All of it: whoever shows secrets to people uses [`config_dump`], which
/// leaves keys out.
pub fn to_json(kind: Kind, body: &[u8]) -> Result<Value, RenderError> {
    message_to_json(kind.message(), body)
}

fn message_to_json(message: &str, body: &[u8]) -> Result<Value, RenderError> {
    let descriptor = POOL
        .get_message_by_name(message)
        .ok_or_else(|| RenderError::Unknown(message.to_owned()))?;
    let decoded =
        DynamicMessage::decode(descriptor, body).map_err(|source| RenderError::Decode {
            message: message.to_owned(),
            source,
        })?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .skip_default_fields(true);
    decoded
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|source| RenderError::Json {
            message: message.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests;
