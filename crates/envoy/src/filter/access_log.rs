//! The access log: one line per request or connection.

use std::collections::BTreeMap;

use model::Reporting;
use model::reporting::{AccessLog, LogFormat};
use pb::access_log::access_log_filter::FilterSpecifier;

use crate::{message, pb};

/// What a line tells, in the order that readers of Istio's text format know.
const TEXT: &str = concat!(
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" ",
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% ",
    "%CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" ",
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% ",
    "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" ",
    "\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% ",
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% ",
    "%ROUTE_NAME%\n",
);

/// The same as the fields of an object, under the names that Istio gives them.
const JSON: &[(&str, &str)] = &[
    ("authority", "%REQ(:AUTHORITY)%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    (
        "connection_termination_details",
        "%CONNECTION_TERMINATION_DETAILS%",
    ),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("duration", "%DURATION%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("route_name", "%ROUTE_NAME%"),
    ("start_time", "%START_TIME%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    (
        "upstream_service_time",
        "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    ),
    (
        "upstream_transport_failure_reason",
        "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    ),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
];

/// What a filter that ends connections logs.
pub(super) fn to(reporting: &Reporting) -> Vec<pb::access_log::AccessLog> {
    let logs = reporting.access_logs.iter();
    logs.map(|log| entry(log, log.filter.as_deref().map(expression)))
        .collect()
}

/// What a listener itself logs: connections that no filter chain takes, which no filter sees.
pub(crate) fn of_listener(reporting: &Reporting) -> Vec<pb::access_log::AccessLog> {
    let unmatched = || {
        FilterSpecifier::ResponseFlagFilter(pb::access_log::ResponseFlagFilter {
            flags: vec!["NR".to_owned()],
        })
    };
    let logs = reporting.access_logs.iter();
    logs.map(|log| entry(log, Some(unmatched()))).collect()
}

fn entry(log: &AccessLog, filter: Option<FilterSpecifier>) -> pb::access_log::AccessLog {
    use pb::access_log::access_log::ConfigType;
    pb::access_log::AccessLog {
        name: "envoy.access_loggers.file".to_owned(),
        filter: filter.map(|filter| pb::access_log::AccessLogFilter {
            filter_specifier: Some(filter),
        }),
        config_type: Some(ConfigType::TypedConfig(message::any(&file(log)))),
    }
}

fn expression(expression: &str) -> FilterSpecifier {
    use pb::access_log::extension_filter::ConfigType;
    let config = pb::cel_filter::ExpressionFilter {
        expression: expression.to_owned(),
        ..Default::default()
    };
    FilterSpecifier::ExtensionFilter(pb::access_log::ExtensionFilter {
        name: "envoy.access_loggers.extension_filters.cel".to_owned(),
        config_type: Some(ConfigType::TypedConfig(message::any(&config))),
    })
}

fn file(log: &AccessLog) -> pb::file_log::FileAccessLog {
    use pb::core::substitution_format_string::Format;
    use pb::file_log::file_access_log::AccessLogFormat;
    let text = |text: &str| Format::TextFormatSource(message::inline_string(text.to_owned()));
    let format = match &log.format {
        LogFormat::Text => text(TEXT),
        LogFormat::CustomText(format) => text(format),
        LogFormat::Json => Format::JsonFormat(message::structure(JSON.iter().copied())),
        LogFormat::CustomJson(fields) => Format::JsonFormat(message::structure(pairs(fields))),
    };
    let format = pb::core::SubstitutionFormatString {
        format: Some(format),
        ..Default::default()
    };
    pb::file_log::FileAccessLog {
        path: log.path.to_string(),
        access_log_format: Some(AccessLogFormat::LogFormat(format)),
    }
}

fn pairs(fields: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(k, v)| (k.as_str(), v.as_str()))
}
