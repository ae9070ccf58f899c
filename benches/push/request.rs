//! The requests of an Envoy 1.40, as bytes.
//!
//! Names are field 3 of both `DeltaDiscoveryRequest` and `DiscoveryRequest`, so the encoded list
//! of a thousand names is shared by all proxies that ask for the same, in both variants.

use bytes::{BufMut, Bytes, BytesMut};

use crate::resource::{Kind, Mode};
use crate::sieve::HEADER;
use crate::wire::{put_bytes, put_number, put_text};

/// A request, as the chunks that it is sent in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: Bytes,
    /// The shared list of names.
    pub(crate) tail: Bytes,
}

/// What a request says besides names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saying<'a> {
    pub(crate) kind: Kind,
    /// Encoded; only on the first request of a stream (`set_node_on_first_message_only`).
    pub(crate) node: Option<&'a [u8]>,
    /// Of the response that is acknowledged.
    pub(crate) nonce: &'a [u8],
    /// State of the world only.
    pub(crate) version: &'a [u8],
    /// Delta only: entries of `initial_resource_versions`, encoded.
    pub(crate) held: &'a [u8],
}

// === impl Request ===

impl Request {
    pub(crate) fn new(mode: Mode, saying: &Saying<'_>, names: Bytes) -> Request {
        let (node, type_url, nonce) = match mode {
            Mode::Delta => (1, 2, 6),
            Mode::Sotw => (2, 4, 5),
        };
        let mut body =
            Vec::with_capacity(128 + saying.node.map_or(0, <[u8]>::len) + saying.held.len());
        if mode == Mode::Sotw && !saying.version.is_empty() {
            put_bytes(&mut body, 1, saying.version);
        }
        if let Some(bytes) = saying.node {
            put_bytes(&mut body, node, bytes);
        }
        put_text(&mut body, type_url, saying.kind.type_url());
        if !saying.nonce.is_empty() {
            put_bytes(&mut body, nonce, saying.nonce);
        }
        body.extend_from_slice(saying.held);
        Request {
            head: framed(&body, names.len()),
            tail: names,
        }
    }
}

/// Flag and length, and the beginning of a message of which `more` bytes follow.
pub(crate) fn framed(body: &[u8], more: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER + body.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(body.len() + more).expect("no message of ours has 4 GB"));
    out.put_slice(body);
    out.freeze()
}

/// A list of names, as the field that both variants have it in.
pub(crate) fn names<'a>(names: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let mut out = Vec::new();
    names.for_each(|name| put_bytes(&mut out, 3, name));
    out.into()
}

/// An entry of `initial_resource_versions`: field 5, a map with key 1 and value 2.
pub(crate) fn put_held(out: &mut Vec<u8>, name: &[u8], version: &[u8]) {
    let mut entry = Vec::with_capacity(name.len() + version.len() + 8);
    put_bytes(&mut entry, 1, name);
    put_bytes(&mut entry, 2, version);
    put_bytes(out, 5, &entry);
}

/// A node as a sidecar's agent writes it into the bootstrap.
pub(crate) fn node(id: &str, metadata: &[(&str, &str)], extensions: bool) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, 1, id);
    put_text(&mut out, 2, "bench");
    let mut fields = Vec::new();
    for (key, value) in metadata {
        let (mut entry, mut text) = (Vec::new(), Vec::new());
        put_text(&mut text, 3, value);
        put_text(&mut entry, 1, key);
        put_bytes(&mut entry, 2, &text);
        put_bytes(&mut fields, 1, &entry);
    }
    put_bytes(&mut out, 3, &fields);
    put_text(&mut out, 6, "envoy");
    put_bytes(&mut out, 8, &build_version());
    if extensions {
        (0..EXTENSIONS).for_each(|i| put_bytes(&mut out, 9, &extension(i)));
    }
    out
}

/// Envoy 1.40 announces so many, in about 60 KB.
const EXTENSIONS: usize = 516;

fn extension(i: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(
        &mut out,
        1,
        &format!("envoy.filters.generated.extension_{i:03}"),
    );
    put_text(&mut out, 2, "envoy.filters.generated");
    put_text(
        &mut out,
        6,
        &format!("envoy.extensions.generated.v3.Extension{i:03}"),
    );
    out
}

fn build_version() -> Vec<u8> {
    let (mut version, mut build) = (Vec::new(), Vec::new());
    put_number(&mut version, 1, 1);
    put_number(&mut version, 2, 40);
    put_bytes(&mut build, 1, &version);
    build
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
    use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
    use envoy_types::pb::google::protobuf::value::Kind as ProtoKind;
    use prost::Message;

    use super::*;

    fn body(request: &Request) -> Vec<u8> {
        let all = [&request.head[..], &request.tail[..]].concat();
        assert_eq!(
            u32::from_be_bytes(all[1..HEADER].try_into().unwrap()) as usize,
            all.len() - HEADER
        );
        all[HEADER..].to_vec()
    }

    fn saying<'a>(node: &'a [u8], held: &'a [u8]) -> Saying<'a> {
        Saying {
            kind: Kind::Endpoint,
            node: Some(node),
            nonce: b"n",
            version: b"v",
            held,
        }
    }

    #[test]
    fn the_generated_types_read_what_is_written() {
        let node = node("sidecar~x", &[("HOST", "10.0.0.1")], true);
        let mut held = Vec::new();
        put_held(&mut held, b"c", b"1");
        let list = names([&b"a"[..], b"b"].into_iter());
        let delta = DeltaDiscoveryRequest::decode(&*body(&Request::new(
            Mode::Delta,
            &saying(&node, &held),
            list.clone(),
        )))
        .unwrap();
        assert_eq!(
            (delta.type_url.as_str(), delta.response_nonce.as_str()),
            (Kind::Endpoint.type_url(), "n")
        );
        assert_eq!(delta.resource_names_subscribe, ["a", "b"]);
        assert_eq!(delta.initial_resource_versions["c"], "1");
        let sotw =
            DiscoveryRequest::decode(&*body(&Request::new(Mode::Sotw, &saying(&node, &[]), list)))
                .unwrap();
        assert_eq!(
            (sotw.version_info.as_str(), sotw.response_nonce.as_str()),
            ("v", "n")
        );
        assert_eq!(sotw.resource_names, ["a", "b"]);
        assert_eq!((sotw.node, sotw.type_url), (delta.node, delta.type_url));
    }

    #[test]
    fn a_node_is_as_large_as_that_of_envoy() {
        use envoy_types::pb::envoy::config::core::v3::Node;
        let bytes = node("sidecar~x", &[("HOST", "10.0.0.1")], true);
        assert!((50_000..70_000).contains(&bytes.len()), "{}", bytes.len());
        let read = Node::decode(&*bytes).unwrap();
        assert_eq!(
            (read.id.as_str(), read.extensions.len()),
            ("sidecar~x", EXTENSIONS)
        );
        let host = read.metadata.unwrap().fields["HOST"].kind.clone();
        assert_eq!(host, Some(ProtoKind::StringValue("10.0.0.1".into())));
        let Some(UserAgentVersionType::UserAgentBuildVersion(build)) = read.user_agent_version_type
        else {
            panic!("a build version")
        };
        assert_eq!(build.version.unwrap().minor_number, 40);
    }
}
