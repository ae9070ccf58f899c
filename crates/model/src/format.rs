//! Envoy's format language: text with commands such as `%REQ(x-user)%`, in headers that routes add
//! and in access logs.
//!
//! Envoy refuses a whole listener, or all routes of a port, for one command that it cannot read, so
//! only what it is known to take is passed on. A percent sign is written `%%`.

mod commands;

/// Where a text stands. Envoy reads both alike, but for one command of headers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Header,
    Log,
}

/// Why Envoy would not take a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("its percent sign at byte {0} begins no command; a plain one is written %%")]
    Percent(usize),
    #[error("%{0}% is not a command that Envoy has")]
    Unknown(String),
    #[error("%{0}% needs {1}")]
    Arguments(String, &'static str),
}

pub fn check(text: &str, place: Place) -> Result<(), FormatError> {
    let mut at = 0;
    while let Some(next) = text[at..].find('%') {
        at += next;
        at += match text[at + 1..].starts_with('%') {
            true => 2,
            false => command(text, at, place)?,
        };
    }
    Ok(())
}

/// The length of the command that begins at `at`, with both percent signs.
fn command(text: &str, at: usize, place: Place) -> Result<usize, FormatError> {
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
        return Err(FormatError::Percent(at));
    }
    let elsewhere = place == Place::Log && name == "PER_REQUEST_STATE";
    let takes = commands::takes(name).filter(|_| !elsewhere);
    let takes = takes.ok_or_else(|| FormatError::Unknown(name.to_owned()))?;
    match takes.fits(arguments, length.is_some()) {
        true => Ok(text.len() - at - rest.len() + 1),
        false => Err(FormatError::Arguments(name.to_owned(), takes.needs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was given to Envoy 1.40 in a route and in an access log, with the same outcome.
    #[test]
    fn what_envoy_takes() {
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
            "%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %SPAN_ID% %PATH% %PATH(NQ:ORIG):9%",
            "%QUERY_PARAMS(ORIG)%",
            "%FILTER_STATE(a:FIELD:b):5%",
            "%UPSTREAM_FILTER_STATE(a)%",
            "%METADATA(ROUTE:a:b)%",
            "%COMMON_DURATION(DS_RX_BEG:DS_RX_END:ms)%",
            "%COMMON_DURATION(DS_RX_BEG:us)%",
            "%DOWNSTREAM_PEER_CERT_V_START(%Y)%",
        ] {
            assert_eq!(check(text, Place::Header), Ok(()), "{text}");
            assert_eq!(check(text, Place::Log), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_envoy_refuses() {
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
            "%GRPC_STATUS(X)%",
            "%GRPC_STATUS:5%",
            "%PATH(ORIG)%",
            "%QUERY_PARAMS(RAW)%",
            "%FILTER_STATE%",
            "%FILTER_STATE(a:NIX)%",
            "%FILTER_STATE(a:FIELD)%",
            "%METADATA(FOO:a)%",
            "%COMMON_DURATION(a:b:s)%",
            "%COMMON_DURATION(a)%",
            "%COMMON_DURATION(a:ms):5%",
            "%START_TIME(%Y):5%",
        ] {
            assert!(check(text, Place::Header).is_err(), "{text:?}");
            assert!(check(text, Place::Log).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_state_of_a_request_is_for_headers() {
        assert_eq!(check("%PER_REQUEST_STATE(a)%", Place::Header), Ok(()));
        let unknown = FormatError::Unknown("PER_REQUEST_STATE".to_owned());
        assert_eq!(check("%PER_REQUEST_STATE(a)%", Place::Log), Err(unknown));
    }
}
