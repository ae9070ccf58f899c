//! What is seen, against what should be: line by line, where `…` stands for anything.

/// Whether the output is what the guide shows. `…` in a line stands for any text, alone in a line
/// for any lines. Blanks at the ends of lines do not count.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<&str> = pattern.lines().map(str::trim).collect();
    let text: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let pattern: Vec<&str> = pattern.into_iter().filter(|l| !l.is_empty()).collect();
    lines(&pattern, &text)
}

fn lines(pattern: &[&str], text: &[&str]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((&"…", rest)) => (0..=text.len()).any(|skip| lines(rest, &text[skip..])),
        Some((first, rest)) => match text.split_first() {
            Some((line, more)) => is_line(first, line) && lines(rest, more),
            None => false,
        },
    }
}

fn is_line(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for (pattern, text, is) in [
        ("200", "200\n", true),
        ("200", "503\n", false),
        ("… v1\n… v3", "  12 v1\n  8 v3", true),
        ("… v1", "12 v1\n8 v3", false),
        (
            "{\n…\n\"Host\": \"a\",\n…\n}",
            "{\n  \"x\": 1,\n  \"Host\": \"a\",\n  \"y\": 2\n}",
            true,
        ),
        ("a…c…e", "abcde", true),
        ("a…c…e", "abde", false),
        ("…", "", true),
    ] {
        assert_eq!(matches(pattern, text), is, "{pattern:?} {text:?}");
    }
}
