//! Texts with a star at one end, as Envoy's matchers.

use model::authorization::Wildcard;
pub(super) use regex_syntax::escape;

use crate::{message, pb};

/// A text that begins with something that is not part of the wildcard.
pub(super) fn after(start: &str, text: &Wildcard) -> pb::matcher::StringMatcher {
    use pb::matcher::string_matcher::MatchPattern;
    let pattern = match text {
        // A dot leaves out line ends, unless told otherwise.
        Wildcard::Present => MatchPattern::SafeRegex(message::regex("(?s).+")),
        Wildcard::Exact(text) => MatchPattern::Exact(format!("{start}{text}")),
        Wildcard::Prefix(text) => MatchPattern::Prefix(format!("{start}{text}")),
        Wildcard::Suffix(text) => MatchPattern::Suffix(text.to_string()),
    };
    matcher(pattern)
}

pub(super) fn plain(text: &Wildcard) -> pb::matcher::StringMatcher {
    after("", text)
}

/// `text` within a regular expression, where a star stands for what is not in `without`.
pub(super) fn within(text: &Wildcard, without: char) -> String {
    let some = format!("[^{without}]+");
    let any = format!("[^{without}]*");
    match text {
        Wildcard::Present => some,
        Wildcard::Exact(text) => escape(text),
        Wildcard::Prefix(text) => format!("{}{any}", escape(text)),
        Wildcard::Suffix(text) => format!("{any}{}", escape(text)),
    }
}

pub(super) fn regex(pattern: &str) -> pb::matcher::StringMatcher {
    use pb::matcher::string_matcher::MatchPattern;
    matcher(MatchPattern::SafeRegex(message::regex(pattern)))
}

fn matcher(pattern: pb::matcher::string_matcher::MatchPattern) -> pb::matcher::StringMatcher {
    pb::matcher::StringMatcher {
        match_pattern: Some(pattern),
        ..Default::default()
    }
}
