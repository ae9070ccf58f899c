//! Host names: lower case, exact or with a wildcard as their first label.

use std::fmt;
use std::sync::Arc;

/// A host name as services, routes and rules use it: `reviews.marathon.slave.mesos`,
/// `*.marathon.slave.mesos` or `*`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(Arc<str>);

/// Why a text is not a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidHostname {
    pub text: String,
    pub why: &'static str,
}

// === impl Hostname ===

impl Hostname {
    /// Parses a host name; upper case is folded, as DNS and Envoy compare without case.
    pub fn parse(text: &str) -> Result<Hostname, InvalidHostname> {
        let invalid = |why| InvalidHostname {
            text: text.to_owned(),
            why,
        };
        let lower = text.to_ascii_lowercase();
        if lower == "*" {
            return Ok(Hostname(lower.into()));
        }
        let rest = lower.strip_prefix("*.").unwrap_or(&lower);
        if rest.is_empty() || lower.len() > 253 {
            return Err(invalid("it must have between 1 and 253 characters"));
        }
        match rest.split('.').all(is_label) {
            true => Ok(Hostname(lower.into())),
            false => Err(invalid(
                "each part between dots needs 1 to 63 letters, digits or inner hyphens",
            )),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with('*')
    }

    /// Whether every host that `other` stands for is one that `self` stands for.
    pub fn covers(&self, other: &Hostname) -> bool {
        match self.0.strip_prefix('*') {
            Some("") => true,
            // `.suffix`, so that `*.a.b` covers `x.a.b` and `*.x.a.b` but not `a.b`.
            Some(suffix) => {
                self == other || other.0.len() > suffix.len() && other.0.ends_with(suffix)
            }
            None => *self.0 == *other.0,
        }
    }

    /// The narrower of the two, if one covers the other.
    pub fn intersect(&self, other: &Hostname) -> Option<Hostname> {
        if self.covers(other) {
            Some(other.clone())
        } else if other.covers(self) {
            Some(self.clone())
        } else {
            None
        }
    }

    /// Orders candidates for one host: an exact name before a wildcard, a longer wildcard before a shorter.
    pub fn specificity(&self) -> (bool, usize) {
        (!self.is_wildcard(), self.0.len())
    }
}

fn is_label(label: &str) -> bool {
    // Underscores are not DNS, yet Istio and Envoy let them pass in service names.
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = label.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| inner(*b))
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::str::FromStr for Hostname {
    type Err = InvalidHostname;

    fn from_str(text: &str) -> Result<Hostname, InvalidHostname> {
        Hostname::parse(text)
    }
}

impl fmt::Display for InvalidHostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a host name: {}", self.text, self.why)
    }
}

impl std::error::Error for InvalidHostname {}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Hostname {
        Hostname::parse(text).unwrap()
    }

    #[test]
    fn what_is_parsed_is_printed_in_lower_case() {
        for (text, printed) in [
            ("*", "*"),
            ("*.A.b", "*.a.b"),
            ("Reviews.marathon.mesos", "reviews.marathon.mesos"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(host(text).to_string(), printed);
            assert_eq!(host(printed), host(text));
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a b",
            "*a.b",
            "a.*",
            "**",
            "*.",
            "a/b",
            &"x".repeat(64),
        ] {
            assert!(Hostname::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_wildcard_covers_what_ends_in_its_suffix() {
        for (outer, inner, covers) in [
            ("*", "a.b", true),
            ("*", "*", true),
            ("*.b", "a.b", true),
            ("*.b", "*.a.b", true),
            ("*.b", "*.b", true),
            ("*.b", "b", false),
            ("*.b", "ab", false),
            ("*.a.b", "*.b", false),
            ("a.b", "a.b", true),
            ("a.b", "*.b", false),
        ] {
            assert_eq!(host(outer).covers(&host(inner)), covers, "{outer} {inner}");
        }
    }

    #[test]
    fn the_intersection_is_the_narrower() {
        assert_eq!(host("*.b").intersect(&host("a.b")), Some(host("a.b")));
        assert_eq!(host("a.b").intersect(&host("*")), Some(host("a.b")));
        assert_eq!(host("*.a").intersect(&host("*.b")), None);
    }

    #[test]
    fn an_exact_name_is_more_specific_than_any_wildcard() {
        let mut hosts = [host("*"), host("x.b"), host("*.long.b"), host("*.b")];
        hosts.sort_by_key(|h| std::cmp::Reverse(h.specificity()));
        assert_eq!(
            hosts.map(|h| h.to_string()),
            ["x.b", "*.long.b", "*.b", "*"]
        );
    }
}
