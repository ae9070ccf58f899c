//! Responses as bytes on the wire.
//!
//! The generated codec would copy every resource into one buffer as large as the whole response,
//! per stream. Here a response is cut into chunks while it is sent: small bodies are gathered,
//! large ones are handed on as the shared bytes they are. A stream never holds more than a chunk.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::message::{Mode, Response};
use crate::resource::{Resource, Version};

/// Chunks are filled up to about this size.
const CHUNK: usize = 32 * 1024;
/// Bodies from this size on are not copied.
const SHARED: usize = 8 * 1024;
/// Of the gRPC frame: one byte for compression, four for the length.
const GRPC_HEADER: usize = 5;

// Field numbers of `envoy.service.discovery.v3` and `google.protobuf.Any`.
const VERSION_INFO: u32 = 1;
const RESOURCES: u32 = 2;
const TYPE_URL: u32 = 4;
const NONCE: u32 = 5;
const DELTA_REMOVED: u32 = 6;
const SOTW_CONTROL_PLANE: u32 = 6;
const DELTA_CONTROL_PLANE: u32 = 7;
const RESOURCE_VERSION: u32 = 1;
const RESOURCE_ANY: u32 = 2;
const RESOURCE_NAME: u32 = 3;
const ANY_TYPE_URL: u32 = 1;
const ANY_VALUE: u32 = 2;
const CONTROL_PLANE_IDENTIFIER: u32 = 1;

/// Cuts one response into chunks.
#[derive(Debug)]
pub(crate) struct Frames {
    mode: Mode,
    response: Response,
    /// Everything but the resources, until it is sent.
    head: Option<Vec<u8>>,
    next: usize,
    /// What is still to be written, at most.
    left: usize,
    /// A shared body whose preamble was in the last chunk.
    body: Option<Bytes>,
}

impl Frames {
    /// `control_plane` tells the client who we are.
    pub(crate) fn new(mode: Mode, response: Response, control_plane: Option<&str>) -> Frames {
        let fields = fields(mode, &response, control_plane);
        let resources: usize = response
            .resources
            .iter()
            .map(|r| Shape::new(mode, &response, r).total())
            .sum();
        let length = fields.len() + resources;
        let mut head = Vec::with_capacity(GRPC_HEADER + fields.len());
        head.put_u8(0);
        // gRPC has no larger messages; Envoy took 120 MB in one.
        head.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        head.extend(fields);
        Frames {
            mode,
            response,
            head: Some(head),
            next: 0,
            left: GRPC_HEADER + length,
            body: None,
        }
    }

    fn fill(&mut self, chunk: &mut BytesMut) {
        if let Some(head) = self.head.take() {
            chunk.put_slice(&head);
        }
        while chunk.len() < CHUNK && self.body.is_none() {
            let Some(resource) = self.response.resources.get(self.next) else {
                return;
            };
            self.next += 1;
            Shape::new(self.mode, &self.response, resource).write(chunk);
            if resource.body.len() < SHARED {
                chunk.put_slice(&resource.body);
            } else {
                self.body = Some(resource.body.clone());
            }
        }
    }
}

impl Iterator for Frames {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(body) = self.body.take() {
            self.left -= body.len();
            return Some(body);
        }
        let mut chunk = BytesMut::with_capacity(self.left.min(CHUNK + SHARED));
        self.fill(&mut chunk);
        self.left -= chunk.len();
        (!chunk.is_empty()).then(|| chunk.freeze())
    }
}

/// Everything but the resources.
fn fields(mode: Mode, response: &Response, control_plane: Option<&str>) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(192);
    put_str(VERSION_INFO, &response.version_info, &mut buffer);
    put_str(TYPE_URL, response.kind.type_url(), &mut buffer);
    put_str(NONCE, &response.nonce, &mut buffer);
    if mode == Mode::Delta {
        for name in &response.removed {
            put_str(DELTA_REMOVED, name, &mut buffer);
        }
    }
    if let Some(identifier) = control_plane {
        let tag = match mode {
            Mode::Sotw => SOTW_CONTROL_PLANE,
            Mode::Delta => DELTA_CONTROL_PLANE,
        };
        put_length(
            tag,
            str_len(CONTROL_PLANE_IDENTIFIER, identifier),
            &mut buffer,
        );
        put_str(CONTROL_PLANE_IDENTIFIER, identifier, &mut buffer);
    }
    buffer
}

/// The lengths of one resource and what it is wrapped in. The body comes last in each wrapper, so
/// that it can be sent as it is.
struct Shape<'a> {
    mode: Mode,
    type_url: &'static str,
    resource: &'a Resource,
    any: usize,
    outer: usize,
}

impl<'a> Shape<'a> {
    fn new(mode: Mode, response: &Response, resource: &'a Arc<Resource>) -> Shape<'a> {
        let type_url = response.kind.type_url();
        let any = str_len(ANY_TYPE_URL, type_url) + field_len(ANY_VALUE, resource.body.len());
        let outer = match mode {
            Mode::Sotw => any,
            Mode::Delta => {
                str_len(RESOURCE_NAME, &resource.name)
                    + field_len(RESOURCE_VERSION, Version::TEXT)
                    + field_len(RESOURCE_ANY, any)
            }
        };
        Shape {
            mode,
            type_url,
            resource,
            any,
            outer,
        }
    }

    fn total(&self) -> usize {
        field_len(RESOURCES, self.outer)
    }

    /// Writes everything before the body.
    fn write(&self, buffer: &mut impl BufMut) {
        put_length(RESOURCES, self.outer, buffer);
        if self.mode == Mode::Delta {
            put_str(RESOURCE_NAME, &self.resource.name, buffer);
            put_length(RESOURCE_VERSION, Version::TEXT, buffer);
            buffer.put_slice(&self.resource.version.text());
            put_length(RESOURCE_ANY, self.any, buffer);
        }
        put_str(ANY_TYPE_URL, self.type_url, buffer);
        put_length(ANY_VALUE, self.resource.body.len(), buffer);
    }
}

fn put_length(tag: u32, length: usize, buffer: &mut impl BufMut) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(length as u64, buffer);
}

fn put_str(tag: u32, text: &str, buffer: &mut impl BufMut) {
    put_length(tag, text.len(), buffer);
    buffer.put_slice(text.as_bytes());
}

fn field_len(tag: u32, length: usize) -> usize {
    key_len(tag) + encoded_len_varint(length as u64) + length
}

fn str_len(tag: u32, text: &str) -> usize {
    field_len(tag, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use envoy_types::pb::envoy::service::discovery::v3 as discovery;
    use prost::Message;

    fn response(bodies: &[usize]) -> Response {
        let resources = bodies
            .iter()
            .enumerate()
            .map(|(n, size)| Resource::new(Kind::Cluster, format!("c{n}"), vec![n as u8; *size]))
            .collect();
        Response {
            kind: Kind::Cluster,
            version_info: "v".into(),
            nonce: "7".into(),
            resources,
            removed: vec!["gone".into(), "too".into()],
        }
    }

    fn joined(mode: Mode, response: &Response, who: Option<&str>) -> Bytes {
        let bytes: Vec<u8> = Frames::new(mode, response.clone(), who).flatten().collect();
        let mut bytes = Bytes::from(bytes);
        let header = bytes.split_to(GRPC_HEADER);
        assert_eq!(header[0], 0, "not compressed");
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        assert_eq!(length as usize, bytes.len());
        bytes
    }

    #[test]
    fn t05_t06_delta_frames_decode_with_names_and_types_that_agree() {
        for bodies in [
            &[][..],
            &[3],
            &[0, 100, SHARED, CHUNK * 2, 1, 20_000, 5_000, 5_000],
        ] {
            let response = response(bodies);
            let bytes = joined(Mode::Delta, &response, Some("me"));
            let decoded = discovery::DeltaDiscoveryResponse::decode(bytes).expect("decodes");
            assert_eq!(decoded.type_url, Kind::Cluster.type_url());
            assert_eq!((&*decoded.system_version_info, &*decoded.nonce), ("v", "7"));
            assert_eq!(decoded.removed_resources, ["gone", "too"]);
            assert_eq!(
                decoded.control_plane.expect("control plane").identifier,
                "me"
            );
            assert_eq!(decoded.resources.len(), bodies.len());
            for (sent, got) in response.resources.iter().zip(decoded.resources) {
                let any = got.resource.expect("a body");
                assert_eq!(
                    (&*got.name, &*got.version),
                    (&*sent.name, &*sent.version.to_string())
                );
                assert_eq!(
                    (&*any.type_url, &any.value[..]),
                    (Kind::Cluster.type_url(), &sent.body[..])
                );
            }
        }
    }

    #[test]
    fn t05_sotw_frames_decode_with_types_that_agree() {
        let response = response(&[0, 100, SHARED, CHUNK * 2]);
        let bytes = joined(Mode::Sotw, &response, None);
        let decoded = discovery::DiscoveryResponse::decode(bytes).expect("decodes");
        assert_eq!((&*decoded.version_info, &*decoded.nonce), ("v", "7"));
        assert_eq!(
            (&*decoded.type_url, decoded.control_plane),
            (Kind::Cluster.type_url(), None)
        );
        let bodies: Vec<_> = decoded.resources.iter().map(|any| &any.value[..]).collect();
        let sent: Vec<_> = response
            .resources
            .iter()
            .map(|resource| &resource.body[..])
            .collect();
        assert_eq!(bodies, sent);
        assert!(
            decoded
                .resources
                .iter()
                .all(|any| any.type_url == decoded.type_url)
        );
    }

    #[test]
    fn f07_large_bodies_are_shared_and_chunks_are_bounded() {
        let response = response(&[SHARED, 100_000]);
        let chunks: Vec<Bytes> = Frames::new(Mode::Delta, response.clone(), None).collect();
        let shared = |body: &Bytes| chunks.iter().any(|chunk| chunk.as_ptr() == body.as_ptr());
        assert!(
            response
                .resources
                .iter()
                .all(|resource| shared(&resource.body))
        );
        let many = self::response(&vec![SHARED - 1; 100]);
        for chunk in Frames::new(Mode::Delta, many, None) {
            assert!(
                chunk.len() < CHUNK + SHARED + 256,
                "a chunk of {}",
                chunk.len()
            );
        }
    }
}
