//! The access log: one line per request or connection.

use crate::{message, pb};

/// What a line tells, in the order that readers of Istio's text format know.
const FORMAT: &str = concat!(
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" ",
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% ",
    "%CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" ",
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% ",
    "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" ",
    "\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% ",
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% ",
    "%ROUTE_NAME%\n",
);

/// A log to a file of the proxy; none without a path.
pub(super) fn to(path: Option<&str>) -> Vec<pb::access_log::AccessLog> {
    use pb::access_log::access_log::ConfigType;
    let log = |path: &str| pb::access_log::AccessLog {
        name: "envoy.access_loggers.file".to_owned(),
        config_type: Some(ConfigType::TypedConfig(message::any(&file(path)))),
        ..Default::default()
    };
    path.map(log).into_iter().collect()
}

fn file(path: &str) -> pb::file_log::FileAccessLog {
    use pb::core::substitution_format_string::Format;
    use pb::file_log::file_access_log::AccessLogFormat;
    let format = pb::core::SubstitutionFormatString {
        format: Some(Format::TextFormatSource(message::inline_string(
            FORMAT.to_owned(),
        ))),
        ..Default::default()
    };
    pb::file_log::FileAccessLog {
        path: path.to_owned(),
        access_log_format: Some(AccessLogFormat::LogFormat(format)),
    }
}
