//! Finding the culprits of a rejection in the client's words.
//!
//! Envoy names rejected clusters and listeners ("Error adding/updating cluster(s) c4: ..."), and
//! often the load assignment or route. A name counts only as a whole word: `c1` is not blamed by a
//! message about `c10`.

/// Whether `message` speaks of `name`.
pub(crate) fn mentions(message: &str, name: &str) -> bool {
    !name.is_empty()
        && message.match_indices(name).any(|(at, _)| {
            let before = message[..at].chars().next_back();
            let after = message[at + name.len()..].chars();
            !before.is_some_and(continues) && ends_word(after)
        })
}

/// Whether the client says that it refused only what it names. A response that fails Envoy's
/// validation is refused as a whole, even if the message quotes a name.
pub(crate) fn applied_the_rest(message: &str) -> bool {
    message.contains("Error adding/updating")
}

/// A dot or dash may belong to the next letters of a longer name, or end the sentence.
fn ends_word(mut after: impl Iterator<Item = char>) -> bool {
    match after.next() {
        Some('.' | '-') => !after.next().is_some_and(continues),
        Some(next) => !continues(next),
        None => true,
    }
}

fn continues(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '|' | '-' | '.' | '/' | '~' | '%')
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn names_are_found_as_whole_words() {
        let text = "Error adding/updating cluster(s) outbound|80||a.b: bad, c10: worse. See x.y.";
        for name in ["outbound|80||a.b", "c10", "x.y"] {
            assert!(mentions(text, name), "{name}");
        }
        for name in ["c1", "a.b", "outbound|80||a", "80", "x", "b", ""] {
            assert!(!mentions(text, name), "{name}");
        }
    }

    #[test]
    fn multibyte_text_does_not_confuse() {
        assert!(mentions(
            "fehler \u{fc}ber \u{201e}c\u{e4}\u{201c}!",
            "c\u{e4}"
        ));
        assert!(!mentions("c\u{e4}\u{f6}", "c\u{e4}"));
    }
}
