//! Whether RE2, Envoy's engine, takes a regular expression.
//!
//! `regex-syntax` reads nearly the same language: neither has look-around or back-references. What
//! differs is translated first. The size of the compiled program is estimated, for Envoy refuses
//! programs that are too large.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::finding::Refusal;

/// The limit that our bootstrap sets; Envoy's own of 100 is too small for practice.
const MAX_PROGRAM: usize = 32_768;
/// RE2's limit of a counted repetition.
const MAX_REPEAT: u32 = 1000;

pub(super) fn check(pattern: &str) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::new("", why));
    if pattern.is_empty() {
        return refuse("an expression must not be empty".to_owned());
    }
    if let Some(escape) = beyond_latin_1(pattern) {
        return refuse(format!(
            "{pattern:?} has {escape}; Envoy takes bytes, up to \\x{{FF}}"
        ));
    }
    let hir = match regex_syntax::parse(&translate(pattern)) {
        Ok(hir) => hir,
        Err(error) => {
            return refuse(format!("{pattern:?} is not RE2: {}", reason(&error)));
        }
    };
    if largest_repeat(&hir) > MAX_REPEAT {
        return refuse(format!("{pattern:?} repeats more than {MAX_REPEAT} times"));
    }
    match program(&hir) {
        size if size <= MAX_PROGRAM => Ok(()),
        _ => refuse(format!(
            "{pattern:?} needs a program of more than {MAX_PROGRAM} instructions"
        )),
    }
}

/// An escape like `\x{10FFFF}`. Envoy runs RE2 on bytes (seen with 1.40), where there is none above FF.
fn beyond_latin_1(pattern: &str) -> Option<&str> {
    let escapes = pattern.match_indices("\\x{").filter(|(at, _)| {
        let backslashes = pattern[..*at].bytes().rev().take_while(|b| *b == b'\\');
        backslashes.count() % 2 == 0
    });
    escapes.map(|(at, _)| &pattern[at..]).find_map(|escape| {
        let digits = escape[3..].split('}').next()?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        (value > 0xff).then(|| &escape[..3 + digits.len() + 1])
    })
}

/// The parser's error without its drawing of the place.
fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "syntax error".to_owned(),
    }
}

/// From RE2's language to that of `regex-syntax`: braces that are no repetition are literal,
/// classes know neither nesting nor set operations, `\d \s \w` are ASCII, `\Q…\E` quotes.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut class: Option<usize> = None;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '\\' => escape(rest, class.is_some(), &mut out),
            '[' if class.is_none() => {
                let open = if rest.starts_with("[^") { "[^" } else { "[" };
                out.push_str(open);
                class = Some(out.len());
                open.len()
            }
            // A bracket that comes first in a class is one of its members.
            ']' if class.is_some_and(|start| start < out.len()) => {
                out.push(']');
                class = None;
                1
            }
            '[' if rest.starts_with("[:") => {
                copy(rest, rest.find(":]").map_or(1, |i| i + 2), &mut out)
            }
            '[' | ']' | '&' | '~' if class.is_some() => literal(next, &mut out),
            '{' if class.is_none() && !is_repetition(rest) => literal(next, &mut out),
            '}' if class.is_none() && !closes_repetition(&out) => literal(next, &mut out),
            _ => copy(rest, next.len_utf8(), &mut out),
        };
        rest = &rest[taken..];
    }
    out
}

fn copy(rest: &str, length: usize, out: &mut String) -> usize {
    out.push_str(&rest[..length]);
    length
}

fn literal(symbol: char, out: &mut String) -> usize {
    out.push('\\');
    out.push(symbol);
    symbol.len_utf8()
}

fn escape(rest: &str, in_class: bool, out: &mut String) -> usize {
    if let Some(quoted) = rest.strip_prefix("\\Q") {
        let text = quoted.split("\\E").next().unwrap_or(quoted);
        out.push_str(&regex_syntax::escape(text));
        let end = if text.len() < quoted.len() { 2 } else { 0 };
        return 2 + text.len() + end;
    }
    let members = match rest.as_bytes().get(1) {
        Some(b'd') => "0-9",
        Some(b's') => "\\t\\n\\f\\r ",
        Some(b'w') => "0-9A-Za-z_",
        _ => return copy(rest, escaped_length(rest), out),
    };
    match in_class {
        true => out.push_str(members),
        false => out.extend(["[", members, "]"]),
    }
    2
}

/// The length of an escape: of `\x{10FFFF}` and `\p{Greek}` with their braces.
fn escaped_length(rest: &str) -> usize {
    let braced = ["\\x{", "\\p{", "\\P{"]
        .iter()
        .any(|start| rest.starts_with(start));
    match rest.find('}').filter(|_| braced) {
        Some(close) => close + 1,
        None => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
    }
}

/// Whether `{` begins `{n}`, `{n,}` or `{n,m}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inner, _)) = rest[1..].split_once('}') else {
        return false;
    };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

fn closes_repetition(out: &str) -> bool {
    let open = out.rfind('{');
    open.is_some_and(|at| !out[..at].ends_with('\\') && !out[at..].contains('}'))
}

fn largest_repeat(hir: &Hir) -> u32 {
    let own = match hir.kind() {
        HirKind::Repetition(repeat) => repeat.max.unwrap_or(0).max(repeat.min),
        _ => 0,
    };
    let inner = hir.kind().subs().iter().map(largest_repeat).max();
    own.max(inner.unwrap_or(0))
}

/// About how many instructions RE2 makes of it, rather too many than too few.
fn program(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(class) => members(class),
        HirKind::Repetition(repeat) => {
            let times = repeat.max.unwrap_or(0).max(repeat.min).max(1) as usize;
            program(&repeat.sub).saturating_add(1).saturating_mul(times)
        }
        HirKind::Capture(capture) => program(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts
            .iter()
            .fold(parts.len(), |sum, part| sum.saturating_add(program(part))),
    }
}

/// A range beyond ASCII takes an instruction for each byte of its encoding.
fn members(class: &Class) -> usize {
    match class {
        Class::Bytes(bytes) => bytes.ranges().len(),
        Class::Unicode(unicode) => {
            let cost = |end: char| if end.is_ascii() { 1 } else { 4 };
            unicode.ranges().iter().map(|range| cost(range.end())).sum()
        }
    }
}

/// Expressions that RE2 takes; another test asks Envoy itself.
#[cfg(test)]
pub(super) const ACCEPTED: &[&str] = &[
    ".*",
    "/users/[0-9]+(/.*)?",
    "/users/{id}",
    "a{2}b{3,}c{4,5}d{,6}",
    r"\d+\.\w*\s",
    r"[\w.-]+@[\d[]",
    "[]a]",
    "[^]a]",
    "[[:alpha:]&&x~~]",
    r"\Qa.b{\E+",
    "(?i)jason|(?P<name>x)",
    r"\pL\x{FF}\p{Greek}\\x{100}ä[ä]",
];

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_re2_takes_passes() {
        for pattern in super::ACCEPTED {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in [
            "",
            "*",
            "(",
            "a**b(",
            r"a\x{10F}",
            "(?=x)",
            "(?!x)",
            "(?<=x)y",
            r"(a)\1",
            "a{1001}",
            "[b-a]",
            "[a",
            "\\",
            "((a{100}){100}){100}",
        ] {
            assert!(check(pattern).is_err(), "{pattern}");
        }
    }
}
