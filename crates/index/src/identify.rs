//! Which proxy is asking: from a node's claim to the instance that it belongs to.
//!
//! Node ids are `sidecar~<ip>~<id>~<domain>` or `router~…`. The id is what Marathon put into
//! `MESOS_TASK_ID`, whole or cut at its last dot as the agents of Istio 1.0 sent it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use model::tls::{FilePath, IdentityFiles, InvalidTls, KeyPair};
use model::{
    Attachment, BridgeKind, Capture, ChangeSet, Instance, Labels, Mesh, Proxy, ProxyIdentity, Role,
    World,
};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{NAMESPACE, naming};

/// What a node says of itself when it connects.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// `node.id`.
    pub node_id: &'a str,
    /// `node.metadata`.
    pub metadata: &'a Map<String, Value>,
}

/// Why a node cannot be served. The node's bootstrap must change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unidentified {
    #[error(
        "the node id {0:?} does not have the form sidecar~<ip>~<id>~<domain> or router~<ip>~<id>~<domain>"
    )]
    Form(String),
    #[error("the node id {id:?} begins with {role:?}; it must begin with sidecar or router")]
    Role { id: String, role: String },
    #[error(
        "the node id {id:?} has {ip:?} where its IP address belongs: sidecar~<ip>~<id>~<domain>"
    )]
    Address { id: String, ip: String },
    #[error("the node metadata {key} is {value:?}; it must be an IP address such as 127.0.0.1")]
    Metadata { key: &'static str, value: String },
    #[error("the node metadata {key} names no file: {why}")]
    Path { key: &'static str, why: InvalidTls },
}

/// Finds out who a node is. A node whose instance is not known, or not yet, is a proxy, too: it
/// gets everything outbound.
pub fn identify(world: &World, claim: &Claim<'_>, peer: IpAddr) -> Result<Proxy, Unidentified> {
    let node = Node::parse(claim.node_id)?;
    let text = |key: &str| {
        claim
            .metadata
            .get(key)
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
    };
    let host: Option<IpAddr> = text("HOST").and_then(|t| t.parse().ok());
    let instance = by_id(world, node.id)
        .or_else(|| by_id(world, text("MESOS_TASK_ID")?))
        .or_else(|| by_address(world, node.ip, host, peer));
    let agent = instance.as_ref().and_then(|instance| instance.agent);
    let agent = agent
        .or(host)
        .or_else(|| is_agent(world, peer).then_some(peer));
    // Sidecars are in pods, and Docker runs none.
    let attachment = instance.as_ref().map(|instance| instance.attachment);
    let attachment = attachment.unwrap_or(Attachment::Bridge(BridgeKind::Mesos));
    let namespace = match &instance {
        Some(instance) => instance.namespace.clone(),
        None => text("NAMESPACE").unwrap_or(NAMESPACE).into(),
    };
    Ok(Proxy {
        id: claim.node_id.into(),
        role: node.role,
        labels: match &instance {
            Some(instance) => instance.labels.clone(),
            None => claimed_labels(claim.metadata),
        },
        instance,
        spot: agent.and_then(|agent| attachment.spot(agent)),
        domain: domain(&node, &namespace, &world.mesh),
        namespace,
        capture: match text("INTERCEPTION_MODE") {
            Some("NONE") => Capture::Explicit {
                outbound: address(claim.metadata, "OUTBOUND_ADDRESS")?,
            },
            _ => Capture::Redirect,
        },
        application: address(claim.metadata, "APP_ADDRESS")?,
        identity: ProxyIdentity {
            client: files(claim.metadata, CLIENT_FILES)?,
            server: files(claim.metadata, SERVER_FILES)?,
        },
    })
}

/// The instances that decide which proxy a node is, as long as the mesh stays as it is. Nearly every
/// node has the id of its instance, and then no other instance matters; else any may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors(Option<Box<[Box<str>]>>);

struct Node<'a> {
    role: Role,
    ip: IpAddr,
    id: &'a str,
    domain: &'a str,
}

// === impl Anchors ===

impl Anchors {
    /// Of a node that was found to be that proxy.
    pub fn of(proxy: &Proxy, claim: &Claim<'_>) -> Anchors {
        let (Some(instance), Ok(node)) = (&proxy.instance, Node::parse(claim.node_id)) else {
            return Anchors(None);
        };
        let task = claim.metadata.get("MESOS_TASK_ID").and_then(Value::as_str);
        let ids = [Some(node.id), task].into_iter().flatten();
        let ids: BTreeSet<&str> = ids.flat_map(|id| [id, crate::instance_id(id)]).collect();
        let known = ids.contains(instance.id.as_str()) && instance.agent.is_some();
        Anchors(known.then(|| ids.into_iter().map(Box::from).collect()))
    }

    /// Whether instances that changed can make the node another proxy than it was.
    pub fn moved_by(&self, changes: &ChangeSet) -> bool {
        match &self.0 {
            Some(ids) => ids.iter().any(|id| changes.instances.contains(&**id)),
            None => !changes.instances.is_empty(),
        }
    }
}

// === impl Node ===

impl<'a> Node<'a> {
    fn parse(node_id: &'a str) -> Result<Node<'a>, Unidentified> {
        let parts: Vec<&str> = node_id.split('~').collect();
        let &[role, ip, id, domain] = parts.as_slice() else {
            return Err(Unidentified::Form(node_id.to_owned()));
        };
        let role = match role {
            "sidecar" => Role::Sidecar,
            "router" => Role::Router,
            _ => {
                return Err(Unidentified::Role {
                    id: node_id.to_owned(),
                    role: role.to_owned(),
                });
            }
        };
        let ip = ip.parse().map_err(|_| Unidentified::Address {
            id: node_id.to_owned(),
            ip: ip.to_owned(),
        })?;
        Ok(Node {
            role,
            ip,
            id,
            domain,
        })
    }
}

/// The domain that the node completes short names with: where namespaces are part of names, its
/// namespace and the mesh's domain.
fn domain(node: &Node<'_>, namespace: &str, mesh: &Mesh) -> Arc<str> {
    match node.domain {
        "" => naming::domain_of(namespace, mesh).into(),
        domain if domain.eq_ignore_ascii_case(&mesh.domain) => {
            naming::domain_of(namespace, mesh).into()
        }
        domain => domain.into(),
    }
}

/// The exact instance id, else the instance that a task id of any form belongs to.
fn by_id(world: &World, id: &str) -> Option<Arc<Instance>> {
    let exact = world.instances.get(id);
    exact
        .or_else(|| world.instances.get(crate::instance_id(id)))
        .cloned()
}

/// The only instance with that address. Bridge networks repeat addresses on every agent, so one
/// on another agent than the node claims is not meant; of several, the claimed agent decides.
fn by_address(
    world: &World,
    ip: IpAddr,
    host: Option<IpAddr>,
    peer: IpAddr,
) -> Option<Arc<Instance>> {
    let elsewhere = |i: &Instance| host.is_some_and(|host| i.agent.is_some_and(|a| a != host));
    let candidates: Vec<&Arc<Instance>> = world
        .instances
        .values()
        .filter(|i| i.address == Some(ip) && !elsewhere(i))
        .collect();
    if let [only] = candidates.as_slice() {
        return Some((*only).clone());
    }
    let mut near = candidates.into_iter().filter(|i| i.agent == Some(peer));
    let first = near.next()?;
    near.next().is_none().then(|| first.clone())
}

fn is_agent(world: &World, ip: IpAddr) -> bool {
    world.instances.values().any(|i| i.agent == Some(ip))
}

fn claimed_labels(metadata: &Map<String, Value>) -> Labels {
    let labels = metadata.get("LABELS").and_then(Value::as_object);
    let pairs = labels.into_iter().flatten();
    pairs.filter_map(|(k, v)| Some((k, v.as_str()?))).collect()
}

/// Where the metadata of Istio's agents says that certificates are: chain, key and root.
const CLIENT_FILES: [&str; 3] = [
    "TLS_CLIENT_CERT_CHAIN",
    "TLS_CLIENT_KEY",
    "TLS_CLIENT_ROOT_CERT",
];
const SERVER_FILES: [&str; 3] = [
    "TLS_SERVER_CERT_CHAIN",
    "TLS_SERVER_KEY",
    "TLS_SERVER_ROOT_CERT",
];

/// The files that the metadata names, and the usual ones where it names none.
fn files(
    metadata: &Map<String, Value>,
    [chain, key, root]: [&'static str; 3],
) -> Result<IdentityFiles, Unidentified> {
    let usual = IdentityFiles::default();
    Ok(IdentityFiles {
        pair: KeyPair {
            chain: path(metadata, chain, usual.pair.chain)?,
            key: path(metadata, key, usual.pair.key)?,
        },
        root: path(metadata, root, usual.root)?,
    })
}

fn path(
    metadata: &Map<String, Value>,
    key: &'static str,
    usual: FilePath,
) -> Result<FilePath, Unidentified> {
    match metadata.get(key).and_then(Value::as_str) {
        None | Some("") => Ok(usual),
        Some(text) => FilePath::parse(text).map_err(|why| Unidentified::Path { key, why }),
    }
}

/// An address in the metadata, else the loopback address.
fn address(metadata: &Map<String, Value>, key: &'static str) -> Result<IpAddr, Unidentified> {
    match metadata.get(key) {
        None | Some(Value::Null) => Ok(Ipv4Addr::LOCALHOST.into()),
        Some(value) => {
            let parsed = value.as_str().and_then(|text| text.parse().ok());
            parsed.ok_or_else(|| Unidentified::Metadata {
                key,
                value: value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            })
        }
    }
}
