//! Formats of access logs: Envoy refuses the whole listener for an operator that it does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::reporting::LogFormat;
use serde_json::Value;

pub(super) const REMEDY: &str =
    "use the command operators of Envoy's documentation of access logs, such as %RESPONSE_CODE%";

/// The operators of Envoy 1.40 that stand for themselves.
const PLAIN: &[&str] = &[
    "ACCESS_LOG_TYPE",
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DURATION",
    "EMIT_TIME",
    "FILTER_CHAIN_NAME",
    "HOSTNAME",
    "LOCAL_REPLY_BODY",
    "PROTOCOL",
    "REQUESTED_SERVER_NAME",
    "REQUEST_DURATION",
    "REQUEST_HEADERS_BYTES",
    "REQUEST_TX_DURATION",
    "RESPONSE_CODE",
    "RESPONSE_CODE_DETAILS",
    "RESPONSE_DURATION",
    "RESPONSE_FLAGS",
    "RESPONSE_FLAGS_LONG",
    "RESPONSE_HEADERS_BYTES",
    "RESPONSE_TRAILERS_BYTES",
    "RESPONSE_TX_DURATION",
    "ROUNDTRIP_DURATION",
    "ROUTE_NAME",
    "START_TIME",
    "STREAM_ID",
    "TLS_JA3_FINGERPRINT",
    "TRACE_ID",
    "UNIQUE_ID",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_HEADER_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT",
    "UPSTREAM_HOST",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_PORT",
    "UPSTREAM_PEER_CERT",
    "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_PROTOCOL",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "UPSTREAM_TLS_CIPHER",
    "UPSTREAM_TLS_VERSION",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME",
];

/// Those that have something in parentheses, and whether a length may follow.
const OF: &[(&str, bool)] = &[
    ("CLUSTER_METADATA", false),
    ("COMMON_DURATION", false),
    ("DYNAMIC_METADATA", true),
    ("EMIT_TIME", false),
    ("ENVIRONMENT", true),
    ("FILTER_STATE", true),
    ("METADATA", true),
    ("REQ", true),
    ("RESP", true),
    ("START_TIME", false),
    ("TRAILER", true),
    ("UPSTREAM_METADATA", false),
];

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

/// Whether Envoy knows every operator between percent signs.
fn check(format: &str) -> Result<(), String> {
    let mut rest = format;
    while let Some(start) = rest.find('%') {
        rest = &rest[start + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            rest = after;
            continue;
        }
        rest = operator(rest)?;
    }
    Ok(())
}

/// Reads `NAME%`, `NAME(…)%` or `NAME(…):10%`; what follows is returned.
fn operator(text: &str) -> Result<&str, String> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut has_argument = false;
    if let Some(inner) = rest.strip_prefix('(') {
        let close = inner.find(')').ok_or_else(|| open(name))?;
        has_argument = true;
        rest = &inner[close + 1..];
    }
    let mut has_length = false;
    if let Some(length) = rest.strip_prefix(':') {
        has_length = true;
        rest = length.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == length.len() {
            return Err(format!("the length behind %{name} is not a number"));
        }
    }
    let rest = rest.strip_prefix('%').ok_or_else(|| open(name))?;
    let known = match has_argument {
        true => OF
            .iter()
            .any(|(of, cut)| *of == name && (*cut || !has_length)),
        false => PLAIN.contains(&name) && !has_length,
    };
    match known {
        true => Ok(rest),
        false => Err(format!("Envoy has no operator %{name}% of this form")),
    }
}

fn open(name: &str) -> String {
    format!("the operator %{name} has no end; a percent sign is written %%")
}
