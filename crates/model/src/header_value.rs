//! The value that a route gives to a header: text with commands, in Envoy's format language.

use std::fmt;

use crate::format::{self, FormatError, Place};

/// A value that Envoy takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderValue(String);

/// Why a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderValueError {
    #[error("it has a line break or another control character")]
    Control,
    #[error(transparent)]
    Format(#[from] FormatError),
}

// === impl HeaderValue ===

impl HeaderValue {
    pub fn parse(text: &str) -> Result<HeaderValue, HeaderValueError> {
        if text.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return Err(HeaderValueError::Control);
        }
        format::check(text, Place::Header)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_line_and_known_commands() {
        let value = HeaderValue::parse("a\tb %REQ(x)%").unwrap();
        assert_eq!(value.as_str(), "a\tb %REQ(x)%");
        assert_eq!(HeaderValue::parse("a\r\nb"), Err(HeaderValueError::Control));
        let format = HeaderValueError::Format(FormatError::Percent(3));
        assert_eq!(HeaderValue::parse("100%"), Err(format));
    }
}
