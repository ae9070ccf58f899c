//! Whether Envoy's RE2 will take a pattern.
//!
//! There is no RE2 here, so the parser of Rust's `regex` stands in. Both lack look-around and
//! back-references, which are what operators most often try. Where the two differ, the rules
//! below side with RE2; what is still doubtful passes, as Envoy checks again.

use regex_syntax::ast::{Ast, ErrorKind, Flag, FlagsItemKind, RepetitionKind, RepetitionRange};
use regex_syntax::ast::{GroupKind, Visitor, parse::Parser, visit};

/// Istio's own limit.
const LENGTH_MAX: usize = 1024;
/// RE2's own limit for `{n,m}`.
const REPEAT_MAX: u32 = 1000;

/// Checks a pattern; returns how many groups it captures, if that is known.
pub(super) fn check(pattern: &str) -> Result<Option<u32>, String> {
    if pattern.is_empty() {
        return Err("the regular expression is empty".into());
    }
    if pattern.len() > LENGTH_MAX {
        return Err(format!(
            "the regular expression has {} bytes; {LENGTH_MAX} is the most",
            pattern.len()
        ));
    }
    match Parser::new().parse(pattern) {
        Ok(ast) => visit(&ast, Limits::default()).map(Some),
        Err(error) if is_literal_in_re2(error.kind()) => Ok(None),
        Err(error) => Err(format!("{pattern:?} is not RE2 syntax: {}", error.kind())),
    }
}

/// Checks the text that replaces a match: `\0` to `\9` are groups, `\\` is a backslash.
pub(super) fn check_substitution(text: &str, groups: Option<u32>) -> Result<(), String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            continue;
        }
        match chars.next() {
            Some('\\') => {}
            Some(digit) if digit.is_ascii_digit() => {
                let group = digit.to_digit(10).unwrap_or(0);
                if groups.is_some_and(|groups| group > groups) {
                    return Err(format!(
                        "{text:?} uses group {group}, which the match has not"
                    ));
                }
            }
            _ => {
                return Err(format!(
                    "{text:?} has a backslash that neither a digit nor a backslash follows"
                ));
            }
        }
    }
    Ok(())
}

/// A brace that begins no repetition is an ordinary character for RE2.
fn is_literal_in_re2(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::RepetitionCountUnclosed
            | ErrorKind::RepetitionCountDecimalEmpty
            | ErrorKind::DecimalEmpty
            | ErrorKind::DecimalInvalid
    )
}

#[derive(Default)]
struct Limits {
    groups: u32,
}

impl Visitor for Limits {
    type Output = u32;
    type Err = String;

    fn finish(self) -> Result<u32, String> {
        Ok(self.groups)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            // RE2 takes no operator on an operator: `a**`, `a+*`, `a{2}{3}`.
            Ast::Repetition(outer) if matches!(*outer.ast, Ast::Repetition(_)) => {
                Err("it repeats a repetition; RE2 wants a group around the inner one".to_owned())
            }
            Ast::Repetition(repetition) => check_repetition(&repetition.op.kind),
            Ast::Flags(set) => check_flags(&set.flags.items),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) => check_flags(&flags.items),
                _ => {
                    self.groups += 1;
                    Ok(())
                }
            },
            _ => Ok(()),
        }
    }
}

fn check_repetition(kind: &RepetitionKind) -> Result<(), String> {
    let most = match kind {
        RepetitionKind::Range(RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n)) => *n,
        RepetitionKind::Range(RepetitionRange::Bounded(_, n)) => *n,
        _ => 0,
    };
    match most <= REPEAT_MAX {
        true => Ok(()),
        false => Err(format!("it repeats {most} times; RE2 allows {REPEAT_MAX}")),
    }
}

fn check_flags(items: &[regex_syntax::ast::FlagsItem]) -> Result<(), String> {
    let foreign = items.iter().any(|item| {
        matches!(
            item.kind,
            FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace)
        )
    });
    match foreign {
        true => Err("it uses a flag that RE2 lacks; i, m, s and U exist".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_re2_lacks_is_refused() {
        for pattern in [
            "",
            "(",
            "[a",
            "a)",
            "*a",
            "(?=a)",
            "(?<!a)b",
            r"(a)\1",
            "(?x)a b",
            "a{1001}",
            "a**",
            "a+*b",
            "a{2}{3}",
            &"a".repeat(1025),
        ] {
            assert!(check(pattern).is_err(), "{pattern:?}");
        }
    }

    #[test]
    fn what_re2_takes_passes() {
        for (pattern, groups) in [
            (".*", Some(0)),
            ("^(.*?;)?(user=jason)(;.*)?$", Some(3)),
            (r"/api/v\d+/(?:a|b)", Some(0)),
            ("(?i)chrome", Some(0)),
            ("(a*)*b+?", Some(1)),
            ("/items/{id}", None),
            ("(?P<n>x){2,1000}", Some(1)),
        ] {
            assert_eq!(check(pattern), Ok(groups), "{pattern:?}");
        }
    }

    #[test]
    fn a_substitution_uses_groups_that_exist() {
        assert_eq!(check_substitution(r"/v2/\1\\x", Some(1)), Ok(()));
        assert!(check_substitution(r"\2", Some(1)).is_err());
        assert!(check_substitution(r"\x", Some(1)).is_err());
        assert!(check_substitution("x\\", Some(1)).is_err());
    }
}
