//! `MeshPolicy`, `Policy` and `PeerAuthentication` to what workloads demand, of connections and, the
//! first two, of requests.

mod origins;
mod peer;
mod policy;

pub(super) use peer::convert as peer_authentication;
pub(super) use policy::{mesh_policy, policy};

use model::authentication::Mode;
use serde_json::Value;

/// A mode by its name or by its number.
fn mode(value: &Value, names: &[(&str, Option<Mode>)]) -> Result<Option<Mode>, String> {
    let found = match value {
        Value::String(text) => names.iter().find(|(name, _)| name == text),
        Value::Number(number) => number
            .as_u64()
            .and_then(|number| names.get(usize::try_from(number).ok()?)),
        _ => None,
    };
    let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    found
        .map(|(_, mode)| *mode)
        .ok_or_else(|| format!("{value} is none of {}", list.join(", ")))
}
