//! Requests as protobuf: only the fields that we read.
//!
//! A node of Envoy 1.40 takes 61 KB, nearly all of it the list of its extensions, and with default
//! settings it comes with every request, ACKs included. These messages leave that list and all
//! fields that the protocol marks as not implemented undeclared, so that decoding skips them. Tags
//! are those of `envoy.service.discovery.v3`; a test compares with the generated types.
//!
//! State of the world repeats all names with every ACK, 45 KB at a thousand services. A [`Reader`]
//! therefore compares their bytes with those of the request before, and decodes them only if they
//! differ.

use std::collections::BTreeMap;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::{BuildVersion, Locality};
use envoy_types::pb::google::protobuf::Struct;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};

use crate::kind::Kind;
use crate::message::{Mode, Request, list_hash};
use crate::node::{self, Node};

/// `envoy.service.discovery.v3.DiscoveryRequest` without `resource_names`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SotwRequest {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(message, optional, tag = "2")]
    node: Option<WireNode>,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    response_nonce: String,
    #[prost(message, optional, tag = "6")]
    error_detail: Option<ErrorDetail>,
}

/// `envoy.service.discovery.v3.DeltaDiscoveryRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DeltaRequest {
    #[prost(message, optional, tag = "1")]
    node: Option<WireNode>,
    #[prost(string, tag = "2")]
    type_url: String,
    #[prost(string, repeated, tag = "3")]
    resource_names_subscribe: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    resource_names_unsubscribe: Vec<String>,
    #[prost(btree_map = "string, string", tag = "5")]
    initial_resource_versions: BTreeMap<String, String>,
    #[prost(string, tag = "6")]
    response_nonce: String,
    #[prost(message, optional, tag = "7")]
    error_detail: Option<ErrorDetail>,
}

/// `envoy.config.core.v3.Node`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WireNode {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    cluster: String,
    #[prost(message, optional, tag = "3")]
    metadata: Option<Struct>,
    #[prost(message, optional, tag = "4")]
    locality: Option<Locality>,
    #[prost(string, tag = "7")]
    user_agent_version: String,
    #[prost(message, optional, tag = "8")]
    user_agent_build_version: Option<BuildVersion>,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ErrorDetail {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Of `resource_names`.
const NAMES: u32 = 3;

/// Reads the requests of one stream, one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    mode: Mode,
    /// Of a stream of one type, which need not be named in its requests.
    only: Option<Kind>,
    /// State of the world: hash of the last list of names, by kind.
    lists: [Option<u128>; Kind::COUNT],
}

impl Reader {
    pub(crate) fn new(mode: Mode, only: Option<Kind>) -> Reader {
        Reader {
            mode,
            only,
            lists: [None; Kind::COUNT],
        }
    }

    /// Takes a request apart: the node, if there is one, and the rest in our words.
    pub(crate) fn read(
        &mut self,
        message: &Bytes,
    ) -> Result<(Option<WireNode>, Request), DecodeError> {
        match self.mode {
            Mode::Sotw => self.sotw(message),
            Mode::Delta => Ok(delta(DeltaRequest::decode(message.clone())?)),
        }
    }

    fn sotw(&mut self, message: &Bytes) -> Result<(Option<WireNode>, Request), DecodeError> {
        let wire = SotwRequest::decode(message.clone())?;
        let mut request = Request {
            type_url: wire.type_url,
            node_id: wire.node.as_ref().map(|node| node.id.clone()),
            nonce: wire.response_nonce,
            error: wire.error_detail.map(ErrorDetail::text),
            version: wire.version_info,
            ..Request::default()
        };
        let hash = list_hash(Fields(message));
        if let Some(kind) = Kind::from_type_url(&request.type_url).or(self.only) {
            let before = self.lists[kind.index()].replace(hash);
            request.same_names = before == Some(hash);
        }
        if !request.same_names {
            let names = Fields(message).map(|name| std::str::from_utf8(name).map(str::to_string));
            request.names = names.collect::<Result<_, _>>().map_err(|_| not_text())?;
        }
        Ok((wire.node, request))
    }
}

fn delta(wire: DeltaRequest) -> (Option<WireNode>, Request) {
    let request = Request {
        type_url: wire.type_url,
        node_id: wire.node.as_ref().map(|node| node.id.clone()),
        nonce: wire.response_nonce,
        error: wire.error_detail.map(ErrorDetail::text),
        version: String::new(),
        names: wire.resource_names_subscribe,
        same_names: false,
        unsubscribe: wire.resource_names_unsubscribe,
        initial_versions: wire.initial_resource_versions,
    };
    (wire.node, request)
}

/// The bytes of each of the `resource_names` of a message that has been decoded without them, so
/// that its form is known to be good.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.0.is_empty() {
            let (tag, wire_type) = decode_key(&mut self.0).ok()?;
            if (tag, wire_type) == (NAMES, WireType::LengthDelimited) {
                let length = usize::try_from(decode_varint(&mut self.0).ok()?).ok()?;
                let (name, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                return Some(name);
            }
            skip_field(wire_type, tag, &mut self.0, DecodeContext::default()).ok()?;
        }
        None
    }
}

/// What prost says of a string that is none, in its own words.
#[allow(deprecated)]
fn not_text() -> DecodeError {
    DecodeError::new("invalid string value: data is not UTF-8 encoded")
}

impl ErrorDetail {
    fn text(self) -> String {
        match (self.code, self.message) {
            (code, message) if message.is_empty() => format!("rejected with status code {code}"),
            (_, message) => message,
        }
    }
}

impl From<WireNode> for Node {
    fn from(wire: WireNode) -> Node {
        let locality = wire.locality.unwrap_or_default();
        let built = wire
            .user_agent_build_version
            .and_then(|build| build.version);
        let version = built.map_or(wire.user_agent_version, |v| {
            format!("{}.{}.{}", v.major_number, v.minor_number, v.patch)
        });
        Node {
            id: wire.id,
            cluster: wire.cluster,
            metadata: wire.metadata.map(node::json_object).unwrap_or_default(),
            region: locality.region,
            zone: locality.zone,
            sub_zone: locality.sub_zone,
            version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::config::core::v3 as core;
    use envoy_types::pb::envoy::service::discovery::v3 as discovery;
    use envoy_types::pb::envoy::r#type::v3::SemanticVersion;
    use envoy_types::pb::google::protobuf::{Value, value};
    use envoy_types::pb::google::rpc::Status;

    fn read(mode: Mode, sent: &impl Message) -> (Option<WireNode>, Request) {
        let message = sent.encode_to_vec().into();
        Reader::new(mode, None).read(&message).expect("decodes")
    }

    #[test]
    fn s02_an_ack_that_repeats_all_names_is_read_without_them() {
        let list = |names: &[&str], kind: Kind, nonce: &str| discovery::DiscoveryRequest {
            resource_names: names.iter().map(|name| name.to_string()).collect(),
            type_url: kind.type_url().into(),
            response_nonce: nonce.into(),
            ..Default::default()
        };
        let mut reader = Reader::new(Mode::Sotw, None);
        let mut read = |sent: &discovery::DiscoveryRequest| {
            let (_, request) = reader.read(&sent.encode_to_vec().into()).expect("decodes");
            (request.names, request.same_names, request.nonce)
        };
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>()
        };
        let (eds, rds) = (Kind::Endpoint, Kind::Route);
        assert_eq!(
            read(&list(&["a", "b"], eds, "")),
            (names(&["a", "b"]), false, "".into())
        );
        assert_eq!(
            read(&list(&["a", "b"], eds, "1")),
            (vec![], true, "1".into())
        );
        // Another kind, another list, the same letters cut otherwise.
        assert_eq!(
            read(&list(&["a", "b"], rds, "")),
            (names(&["a", "b"]), false, "".into())
        );
        assert_eq!(
            read(&list(&["ab"], eds, "2")),
            (names(&["ab"]), false, "2".into())
        );
        assert_eq!(read(&list(&[], eds, "3")), (vec![], false, "3".into()));
        assert_eq!(read(&list(&[], eds, "4")), (vec![], true, "4".into()));
    }

    #[test]
    fn a03_names_that_are_no_text_are_refused_in_both_modes() {
        let bad = Bytes::from_static(b"\x1a\x02\xff\xfe");
        for mode in [Mode::Sotw, Mode::Delta] {
            assert!(Reader::new(mode, None).read(&bad).is_err(), "{mode:?}");
        }
    }

    fn envoy_node() -> core::Node {
        let semantic = SemanticVersion {
            major_number: 1,
            minor_number: 40,
            patch: 0,
        };
        let flag = Value {
            kind: Some(value::Kind::BoolValue(true)),
        };
        core::Node {
            id: "sidecar~10.0.0.1".into(),
            cluster: "reviews".into(),
            metadata: Some(Struct {
                fields: [("flag".to_string(), flag)].into(),
            }),
            locality: Some(core::Locality {
                region: "eu".into(),
                zone: "a".into(),
                sub_zone: "rack".into(),
            }),
            user_agent_name: "envoy".into(),
            extensions: vec![
                core::Extension {
                    name: "x".repeat(1000),
                    ..Default::default()
                };
                60
            ],
            user_agent_version_type: Some(core::node::UserAgentVersionType::UserAgentBuildVersion(
                core::BuildVersion {
                    version: Some(semantic),
                    metadata: None,
                },
            )),
            ..Default::default()
        }
    }

    fn rejected() -> Option<Status> {
        Some(Status {
            code: 13,
            message: "bad c4".into(),
            details: Vec::new(),
        })
    }

    #[test]
    fn t08_sotw_request_of_the_generated_type_is_read_in_full() {
        let sent = discovery::DiscoveryRequest {
            version_info: "v".into(),
            node: Some(envoy_node()),
            resource_names: vec!["a".into(), "b".into()],
            type_url: "t".into(),
            response_nonce: "n".into(),
            error_detail: rejected(),
            resource_locators: vec![discovery::ResourceLocator::default()],
        };
        let (node, request) = read(Mode::Sotw, &sent);
        let expected = Request {
            type_url: "t".into(),
            node_id: Some("sidecar~10.0.0.1".into()),
            nonce: "n".into(),
            error: Some("bad c4".into()),
            version: "v".into(),
            names: vec!["a".into(), "b".into()],
            ..Request::default()
        };
        assert_eq!(request, expected);
        let node = Node::from(node.expect("node"));
        assert_eq!(
            (
                &*node.cluster,
                &*node.region,
                &*node.zone,
                &*node.sub_zone,
                &*node.version
            ),
            ("reviews", "eu", "a", "rack", "1.40.0")
        );
        assert_eq!(node.metadata["flag"], true);
    }

    #[test]
    fn d20_delta_request_of_the_generated_type_is_read_and_unimplemented_fields_are_ignored() {
        let sent = discovery::DeltaDiscoveryRequest {
            type_url: "t".into(),
            resource_names_subscribe: vec!["a".into()],
            resource_names_unsubscribe: vec!["b".into()],
            resource_locators_subscribe: vec![discovery::ResourceLocator::default()],
            initial_resource_versions: [("c".to_string(), "1".to_string())].into(),
            response_nonce: "n".into(),
            error_detail: rejected(),
            ..Default::default()
        };
        let (node, request) = read(Mode::Delta, &sent);
        let expected = Request {
            type_url: "t".into(),
            nonce: "n".into(),
            error: Some("bad c4".into()),
            names: vec!["a".into()],
            unsubscribe: vec!["b".into()],
            initial_versions: [("c".to_string(), "1".to_string())].into(),
            ..Request::default()
        };
        assert_eq!((node, request), (None, expected));
    }

    #[test]
    fn a_plain_user_agent_version_is_taken_as_it_is() {
        let kind = core::node::UserAgentVersionType::UserAgentVersion("v1.73.0".into());
        let sent = core::Node {
            user_agent_version_type: Some(kind),
            ..Default::default()
        };
        let wire = WireNode::decode(&*sent.encode_to_vec()).expect("decodes");
        assert_eq!(Node::from(wire).version, "v1.73.0");
    }
}
