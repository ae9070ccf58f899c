//! Requests as protobuf: only the fields that we read.
//!
//! A node of Envoy 1.40 takes 61 KB, nearly all of it the list of its extensions, and with default
//! settings it comes with every request, ACKs included. These messages leave that list and all
//! fields that the protocol marks as not implemented undeclared, so that decoding skips them. Tags
//! are those of `envoy.service.discovery.v3`; a test compares with the generated types.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3::{BuildVersion, Locality};
use envoy_types::pb::google::protobuf::Struct;

use crate::message::Request;
use crate::node::{self, Node};

/// `envoy.service.discovery.v3.DiscoveryRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SotwRequest {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(message, optional, tag = "2")]
    node: Option<WireNode>,
    #[prost(string, repeated, tag = "3")]
    resource_names: Vec<String>,
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

/// A request as one of the two variants brings it.
pub(crate) trait WireRequest: prost::Message + Default + Send + 'static {
    /// Takes it apart: the node, if there is one, and the rest in our words.
    fn split(self) -> (Option<WireNode>, Request);
}

impl WireRequest for SotwRequest {
    fn split(self) -> (Option<WireNode>, Request) {
        let request = Request {
            type_url: self.type_url,
            node_id: self.node.as_ref().map(|node| node.id.clone()),
            nonce: self.response_nonce,
            error: self.error_detail.map(ErrorDetail::text),
            version: self.version_info,
            names: self.resource_names,
            ..Request::default()
        };
        (self.node, request)
    }
}

impl WireRequest for DeltaRequest {
    fn split(self) -> (Option<WireNode>, Request) {
        let request = Request {
            type_url: self.type_url,
            node_id: self.node.as_ref().map(|node| node.id.clone()),
            nonce: self.response_nonce,
            error: self.error_detail.map(ErrorDetail::text),
            version: String::new(),
            names: self.resource_names_subscribe,
            unsubscribe: self.resource_names_unsubscribe,
            initial_versions: self.initial_resource_versions,
        };
        (self.node, request)
    }
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
    use prost::Message;

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
        let (node, request) = SotwRequest::decode(&*sent.encode_to_vec())
            .expect("decodes")
            .split();
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
        let (node, request) = DeltaRequest::decode(&*sent.encode_to_vec())
            .expect("decodes")
            .split();
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
