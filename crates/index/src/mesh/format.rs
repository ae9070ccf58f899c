//! Formats of access logs: Envoy refuses the whole listener for an operator that it does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::format::{self, Place};
use model::reporting::LogFormat;
use serde_json::Value;

pub(super) const REMEDY: &str =
    "use the command operators of Envoy's documentation of access logs, such as %RESPONSE_CODE%";

pub(super) fn text(format: &str) -> Result<LogFormat, String> {
    check(format)?;
    Ok(LogFormat::CustomText(format.into()))
}

/// An object of texts; what is nested is not supported.
pub(super) fn json(fields: &Value) -> Result<LogFormat, String> {
    let Value::Object(fields) = fields else {
        return Err("it is not an object".to_owned());
    };
    let mut read = BTreeMap::new();
    for (name, value) in fields {
        let Value::String(value) = value else {
            return Err(format!("the field {name:?} is not a text"));
        };
        check(value).map_err(|why| format!("the field {name:?}: {why}"))?;
        read.insert(name.clone(), value.clone());
    }
    Ok(LogFormat::CustomJson(Arc::new(read)))
}

fn check(text: &str) -> Result<(), String> {
    format::check(text, Place::Log).map_err(|error| error.to_string())
}
