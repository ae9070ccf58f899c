//! Ids of apps, pods and groups: absolute paths of DNS-like segments.

use crate::error::Violation;

/// The absolute form of `raw`, if every segment follows Marathon's grammar:
/// lower-case letters, digits, inner dashes, and dots between such parts. No
/// underscore, so that `_` can stand for `/` in instance ids.
pub(crate) fn absolute(raw: &str) -> Result<String, Violation> {
    let trimmed = raw.trim_matches('/');
    let valid = !trimmed.is_empty() && trimmed.split('/').all(is_segment);
    if valid {
        Ok(format!("/{trimmed}"))
    } else {
        let error = format!(
            "'{raw}' must be a path of segments with lower-case letters, digits, '-' and '.'"
        );
        Err(Violation::new("/id", error))
    }
}

/// The absolute form without a check, for look-ups.
pub(crate) fn lookup(raw: &str) -> String {
    format!("/{}", raw.trim_matches('/'))
}

/// The group that holds the app, pod or group; `/` is its own parent.
pub(crate) fn parent(id: &str) -> &str {
    match id.rfind('/') {
        Some(0) | None => "/",
        Some(cut) => &id[..cut],
    }
}

fn is_segment(segment: &str) -> bool {
    segment.split('.').all(is_dns_part)
}

fn is_dns_part(part: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !part.is_empty() && part.chars().all(inner) && !part.starts_with('-') && !part.ends_with('-')
}

/// Names of ports and endpoints are single DNS labels.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 63 && is_dns_part(name)
}

/// Names of containers may have capitals. Like all names they have no dot,
/// which keeps task ids readable from the end.
pub(crate) fn is_container_name(name: &str) -> bool {
    is_name(&name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_absolute_or_are_refused() {
        assert_eq!(absolute("reviews").as_deref(), Ok("/reviews"));
        assert_eq!(absolute("/a/b.c-d/").as_deref(), Ok("/a/b.c-d"));
        for bad in ["", "/", "/Reviews", "/a_b", "/-a", "/a-", "/a//b", "/a..b"] {
            assert!(absolute(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parents_end_at_the_root() {
        assert_eq!(parent("/a/b/c"), "/a/b");
        assert_eq!(parent("/a"), "/");
        assert_eq!(parent("/"), "/");
    }
}
