//! Envoy's `config_dump`, of what a proxy was given instead of what it has.

use serde_json::{Value, json};

use super::{RenderError, to_json};
use crate::Kind;

/// A resource with the version under which it was given.
#[derive(Debug, Clone, Copy)]
pub struct Dumped<'a> {
    pub kind: Kind,
    pub name: &'a str,
    pub version: &'a str,
    pub body: &'a [u8],
}

/// The `ConfigDump` of the admin interface: clusters, listeners, routes and endpoints, in the order
/// of `resources`. Of secrets only names and versions are shown.
pub fn config_dump<'a>(
    resources: impl IntoIterator<Item = Dumped<'a>>,
) -> Result<Value, RenderError> {
    let mut dumps = Kind::ALL.map(|_| Vec::new());
    for resource in resources {
        dumps[resource.kind as usize].push(entry(&resource)?);
    }
    let [clusters, endpoints, listeners, routes, secrets] = dumps;
    let mut configs = vec![
        dump("ClustersConfigDump", "dynamic_active_clusters", clusters),
        dump("ListenersConfigDump", "dynamic_listeners", listeners),
        dump("RoutesConfigDump", "dynamic_route_configs", routes),
        dump("EndpointsConfigDump", "dynamic_endpoint_configs", endpoints),
    ];
    if !secrets.is_empty() {
        configs.push(dump("SecretsConfigDump", "dynamic_active_secrets", secrets));
    }
    Ok(json!({ "configs": configs }))
}

fn dump(message: &str, field: &str, entries: Vec<Value>) -> Value {
    json!({
        "@type": format!("type.googleapis.com/envoy.admin.v3.{message}"),
        field: entries,
    })
}

fn entry(resource: &Dumped<'_>) -> Result<Value, RenderError> {
    let version = resource.version;
    Ok(match resource.kind {
        Kind::Cluster => json!({ "version_info": version, "cluster": any(resource)? }),
        Kind::Endpoint => json!({ "version_info": version, "endpoint_config": any(resource)? }),
        Kind::Route => json!({ "version_info": version, "route_config": any(resource)? }),
        Kind::Listener => json!({
            "name": resource.name,
            "active_state": { "version_info": version, "listener": any(resource)? },
        }),
        Kind::Secret => json!({ "name": resource.name, "version_info": version }),
    })
}

/// A resource as an `Any`: its fields beside its type.
fn any(resource: &Dumped<'_>) -> Result<Value, RenderError> {
    let mut value = to_json(resource.kind, resource.body)?;
    if let Value::Object(fields) = &mut value {
        fields.insert("@type".to_owned(), resource.kind.type_url().into());
    }
    Ok(value)
}
