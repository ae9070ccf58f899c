//! The value that a route gives to a header: text with commands, in Envoy's format language.
//!
//! Envoy refuses all routes of a port for one value that it cannot read, so only what it is known to
//! take becomes a value: `%%` for a percent sign, and commands such as `%REQ(x-user)%`.

use std::fmt;

/// A value that Envoy takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderValue(String);

/// Why a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderValueError {
    #[error("it has a line break or another control character")]
    Control,
    #[error("its percent sign at byte {0} begins no command; a plain one is written %%")]
    Percent(usize),
    #[error("%{0}% is not a command that Envoy has")]
    Unknown(String),
    #[error("%{0}% needs {1}")]
    Arguments(String, &'static str),
}

/// What stands in the parentheses of a command.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    /// One header, or two with a question mark between them.
    Header,
    /// A key, with or without a length behind it.
    Key {
        length: bool,
    },
    /// A pattern, or nothing.
    Time,
}

const HEADER: &str = "the name of a header in parentheses, such as (x-user) or (x-user?x-name)";
const KEY: &str = "a key in parentheses";
const NOTHING: &str = "nothing behind its name";
const TIME: &str = "nothing behind its name but a pattern in parentheses";

// === impl HeaderValue ===

impl HeaderValue {
    pub fn parse(text: &str) -> Result<HeaderValue, HeaderValueError> {
        if text.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return Err(HeaderValueError::Control);
        }
        let mut at = 0;
        while let Some(next) = text[at..].find('%') {
            at += next;
            at += match text[at + 1..].starts_with('%') {
                true => 2,
                false => command(text, at)?,
            };
        }
        Ok(HeaderValue(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The length of the command that begins at `at`, with both percent signs.
fn command(text: &str, at: usize) -> Result<usize, HeaderValueError> {
    let body = &text[at + 1..];
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let (name, rest) = body.split_at(body.find(|c| !is_name(c)).unwrap_or(body.len()));
    let (arguments, rest) = match rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
        Some((inside, rest)) => (inside, rest),
        None => ("", rest),
    };
    let (length, rest) = match rest.strip_prefix(':') {
        Some(r) => {
            let digits = r.find(|c: char| !c.is_ascii_digit()).unwrap_or(r.len());
            (Some(&r[..digits]), &r[digits..])
        }
        None => (None, rest),
    };
    if name.is_empty() || length == Some("") || !rest.starts_with('%') {
        return Err(HeaderValueError::Percent(at));
    }
    check(name, arguments, length.is_some())?;
    Ok(text.len() - at - rest.len() + 1)
}

fn check(name: &str, arguments: &str, length: bool) -> Result<(), HeaderValueError> {
    let Some(takes) = takes(name) else {
        return Err(HeaderValueError::Unknown(name.to_owned()));
    };
    let (fits, needs) = match takes {
        Takes::Nothing => (arguments.is_empty() && !length, NOTHING),
        Takes::Time => (!length, TIME),
        Takes::Header => (is_header_choice(arguments), HEADER),
        Takes::Key { length: may } => (!arguments.is_empty() && (may || !length), KEY),
    };
    match fits {
        true => Ok(()),
        false => Err(HeaderValueError::Arguments(name.to_owned(), needs)),
    }
}

fn is_header_choice(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&b);
    let header = |name: &str| {
        let name = name.strip_prefix(':').unwrap_or(name);
        !name.is_empty() && name.bytes().all(token)
    };
    match text.split_once('?') {
        Some((first, second)) => header(first) && header(second),
        None => header(text),
    }
}

fn takes(name: &str) -> Option<Takes> {
    Some(match name {
        "REQ" | "RESP" | "TRAILER" => Takes::Header,
        "DYNAMIC_METADATA" | "ENVIRONMENT" | "QUERY_PARAM" => Takes::Key { length: true },
        "CLUSTER_METADATA" | "PER_REQUEST_STATE" | "UPSTREAM_METADATA" => {
            Takes::Key { length: false }
        }
        "START_TIME" | "START_TIME_LOCAL" | "EMIT_TIME" | "EMIT_TIME_LOCAL" => Takes::Time,
        name if PLAIN.contains(&name) => Takes::Nothing,
        _ => return None,
    })
}

/// The commands that stand alone, as Envoy 1.40 takes them in headers.
const PLAIN: &[&str] = &[
    "ACCESS_LOG_TYPE",
    "BYTES_RECEIVED",
    "BYTES_RETRANSMITTED",
    "BYTES_SENT",
    "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_LOCAL_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_DNS_SAN",
    "DOWNSTREAM_LOCAL_EMAIL_SAN",
    "DOWNSTREAM_LOCAL_IP_SAN",
    "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_START",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256",
    "DOWNSTREAM_PEER_CHAIN_SERIALS",
    "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_EMAIL_SAN",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_IP_SAN",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_OTHERNAME_SAN",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_GROUP",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DURATION",
    "FILTER_CHAIN_NAME",
    "GRPC_STATUS",
    "GRPC_STATUS_NUMBER",
    "HOSTNAME",
    "LISTENER_NAME",
    "LOCAL_REPLY_BODY",
    "PACKETS_RETRANSMITTED",
    "PATH",
    "PROTOCOL",
    "QUERY_PARAMS",
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
    "SPAN_ID",
    "STREAM_ID",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "TRACE_ID",
    "UNIQUE_ID",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
    "UPSTREAM_CONNECTION_POOL_READY_DURATION",
    "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "UPSTREAM_DETECTED_CLOSE_TYPE",
    "UPSTREAM_HEADER_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT",
    "UPSTREAM_HOST",
    "UPSTREAM_HOSTS_ATTEMPTED",
    "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_HOST_NAMES_ATTEMPTED",
    "UPSTREAM_HOST_NAME_WITHOUT_PORT",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_CLOSE_REASON",
    "UPSTREAM_LOCAL_DNS_SAN",
    "UPSTREAM_LOCAL_IP_SAN",
    "UPSTREAM_LOCAL_PORT",
    "UPSTREAM_LOCAL_URI_SAN",
    "UPSTREAM_PEER_CERT",
    "UPSTREAM_PEER_CERT_V_END",
    "UPSTREAM_PEER_CERT_V_START",
    "UPSTREAM_PEER_DNS_SAN",
    "UPSTREAM_PEER_IP_SAN",
    "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_PEER_URI_SAN",
    "UPSTREAM_PROTOCOL",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "UPSTREAM_TLS_CIPHER",
    "UPSTREAM_TLS_SESSION_ID",
    "UPSTREAM_TLS_VERSION",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was given to Envoy 1.40 in a route, with the same outcome.
    #[test]
    fn what_envoy_takes_is_a_value() {
        for text in [
            "",
            "plain",
            "100%%",
            "%REQ(x)%",
            "%REQ(X?Y):10%",
            "%REQ(:path)%",
            "%START_TIME%",
            "%START_TIME(%Y/%m/%dT%H:%M:%S)%",
            "a %PROTOCOL%%% b",
            "%PROTOCOL()%",
            "%DYNAMIC_METADATA(a:b):5%",
            "%UPSTREAM_METADATA([\"a\",\"b\"])%",
            "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        ] {
            assert_eq!(HeaderValue::parse(text).map(|v| v.0), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_envoy_refuses_is_none() {
        for text in [
            "100%",
            "% a %",
            "%FOO%",
            "%REQ%",
            "%REQ()%",
            "%REQ(a b)%",
            "%REQ(X?Y?Z)%",
            "%REQ(a)b%",
            "%REQ(a):x%",
            "%REQ(a)%%",
            "a%%b%",
            "%req(x)%",
            "%PROTOCOL(x)%",
            "%PROTOCOL:3%",
            "%DYNAMIC_METADATA(a:b):%",
            "a\r\nb",
        ] {
            assert!(HeaderValue::parse(text).is_err(), "{text:?}");
        }
    }
}
