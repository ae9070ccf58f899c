//! The commands of Envoy 1.40, and what stands behind their names. Each was given to Envoy.

/// What stands behind the name of a command.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Takes {
    Nothing,
    /// One header, or two with a question mark between them.
    Header,
    /// A key, with or without a length behind it.
    Key {
        length: bool,
    },
    /// A pattern, or nothing.
    Time,
    /// One of these words, or nothing.
    Word {
        words: &'static [&'static str],
        length: bool,
    },
    /// Where metadata comes from, and perhaps a key in it.
    Metadata,
    /// A key of the filter state, and how it is printed.
    State,
    /// Two points in time, or one, and a unit.
    Span,
}

/// What of a request's path.
const PATHS: &[&str] = &[
    "NQ",
    "NQ:ORIG",
    "NQ:ORIG_OR_PATH",
    "NQ:PATH",
    "WQ",
    "WQ:ORIG",
    "WQ:ORIG_OR_PATH",
    "WQ:PATH",
];

/// What may stand behind a name; `None` if Envoy has no such command.
pub(super) fn takes(name: &str) -> Option<Takes> {
    let word = |words, length| Takes::Word { words, length };
    Some(match name {
        "REQ" | "RESP" | "TRAILER" => Takes::Header,
        "DYNAMIC_METADATA" | "ENVIRONMENT" | "QUERY_PARAM" => Takes::Key { length: true },
        "CLUSTER_METADATA" | "PER_REQUEST_STATE" | "UPSTREAM_METADATA" => {
            Takes::Key { length: false }
        }
        "START_TIME"
        | "START_TIME_LOCAL"
        | "EMIT_TIME"
        | "EMIT_TIME_LOCAL"
        | "DOWNSTREAM_PEER_CERT_V_START"
        | "DOWNSTREAM_PEER_CERT_V_END"
        | "UPSTREAM_PEER_CERT_V_START"
        | "UPSTREAM_PEER_CERT_V_END" => Takes::Time,
        "PATH" => word(PATHS, true),
        "QUERY_PARAMS" => word(&["ORIG"], true),
        "GRPC_STATUS" => word(&["CAMEL_STRING", "NUMBER", "SNAKE_STRING"], false),
        "METADATA" => Takes::Metadata,
        "FILTER_STATE" | "UPSTREAM_FILTER_STATE" => Takes::State,
        "COMMON_DURATION" => Takes::Span,
        name if PLAIN.contains(&name) => Takes::Nothing,
        _ => return None,
    })
}

// === impl Takes ===

impl Takes {
    pub(super) fn fits(self, arguments: &str, length: bool) -> bool {
        match self {
            Takes::Nothing => arguments.is_empty() && !length,
            Takes::Time => !length,
            Takes::Header => is_header_choice(arguments),
            Takes::Key { length: may } => !arguments.is_empty() && (may || !length),
            Takes::Word { words, length: may } => {
                (arguments.is_empty() || words.contains(&arguments)) && (may || !length)
            }
            Takes::Metadata => {
                let from = arguments.split(':').next().unwrap_or_default();
                METADATA.contains(&from)
            }
            Takes::State => is_state(arguments),
            Takes::Span => is_span(arguments) && !length,
        }
    }

    /// What the command needs, for people.
    pub(super) fn needs(self) -> &'static str {
        match self {
            Takes::Nothing => "nothing behind its name",
            Takes::Time => "nothing behind its name but a pattern in parentheses",
            Takes::Header => {
                "the name of a header in parentheses, such as (x-user) or (x-user?x-name)"
            }
            Takes::Key { .. } => "a key in parentheses",
            Takes::Word { .. } => "nothing in parentheses but one of its options",
            Takes::Metadata => "where metadata comes from in parentheses, such as (ROUTE:key)",
            Takes::State => "a key in parentheses, with :PLAIN, :TYPED or :FIELD:name behind it",
            Takes::Span => "points in time and ms, us or ns in parentheses",
        }
    }
}

const METADATA: &[&str] = &[
    "CLUSTER",
    "DYNAMIC",
    "LISTENER",
    "ROUTE",
    "UPSTREAM_HOST",
    "VIRTUAL_HOST",
];

fn is_state(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [key] | [key, "PLAIN" | "TYPED"] => !key.is_empty(),
        [key, "FIELD", field] => !key.is_empty() && !field.is_empty(),
        _ => false,
    }
}

fn is_span(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let points = parts
        .split_last()
        .filter(|(unit, _)| matches!(**unit, "ms" | "us" | "ns"));
    points.is_some_and(|(_, points)| {
        (1..=2).contains(&points.len()) && points.iter().all(|point| !point.is_empty())
    })
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

/// The commands that stand alone, as Envoy 1.40 takes them.
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
    "GRPC_STATUS_NUMBER",
    "HOSTNAME",
    "LISTENER_NAME",
    "LOCAL_REPLY_BODY",
    "PACKETS_RETRANSMITTED",
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
