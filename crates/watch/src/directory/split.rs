//! A YAML file, cut into its documents before any of them is parsed.
//!
//! A parser that meets an error cannot find the next document; cutting by lines first keeps the
//! documents independent. It is also exact: a line that begins with `---` or `...`, followed by
//! white space or nothing, ends a document even inside a block scalar (YAML 1.2, 9.1.4).

/// One document of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// With its `---` line, if it has one.
    pub(super) text: &'a str,
    /// The line in the file where `text` begins, counted from 1.
    pub(super) begins: u32,
    /// The line in the file of the first content.
    pub(super) line: u32,
}

/// The documents of a file that have content, in order.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let mut open = Open { from: 0, line: 1 };
    let (mut at, mut number) = (0, 0);
    for line in text.split_inclusive('\n') {
        number += 1;
        if is_marker(line, "---") {
            documents.extend(open.close(text, at));
            open = Open {
                from: at,
                line: number,
            };
        } else if is_marker(line, "...") {
            documents.extend(open.close(text, at));
            open = Open {
                from: at + line.len(),
                line: number + 1,
            };
        }
        at += line.len();
    }
    documents.extend(open.close(text, at));
    documents
}

/// The document that is being collected.
struct Open {
    from: usize,
    line: u32,
}

impl Open {
    fn close<'a>(&self, text: &'a str, to: usize) -> Option<Document<'a>> {
        let text = &text[self.from..to];
        let offset = text.lines().position(has_content)?;
        Some(Document {
            text,
            begins: self.line,
            line: self.line + u32::try_from(offset).unwrap_or(u32::MAX),
        })
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Neither blank, nor a comment, nor a directive, nor a bare marker.
fn has_content(line: &str) -> bool {
    let rest = if is_marker(line, "---") {
        &line[3..]
    } else {
        line
    };
    let rest = rest.trim();
    !(rest.is_empty() || rest.starts_with('#') || line.starts_with('%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<u32> {
        documents(text).iter().map(|d| d.line).collect()
    }

    #[test]
    fn documents_begin_at_their_first_content() {
        for (text, expected) in [
            ("a: 1\n", vec![1]),
            ("a: 1", vec![1]),
            ("# head\n\na: 1\n---\n\n# note\nb: 2\n", vec![3, 7]),
            ("---\na: 1\n---\nb: 2\n", vec![2, 4]),
            ("a: 1\r\n---\r\nb: 2\r\n", vec![1, 3]),
            ("--- {a: 1}\n--- # note\nb: 2\n", vec![1, 3]),
            ("\u{feff}a: 1\n---\nb: 2\n", vec![1, 3]),
        ] {
            assert_eq!(lines(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_document_without_content_is_none() {
        for text in [
            "",
            "\n",
            "---",
            "---\n",
            "---\n---\n# x\n---\n",
            "...\n",
            "%YAML 1.2\n---\n",
        ] {
            assert_eq!(lines(text), Vec::<u32>::new(), "{text:?}");
        }
        assert_eq!(lines("a: 1\n---\n"), [1]);
    }

    #[test]
    fn an_end_marker_ends_a_document() {
        assert_eq!(lines("a: 1\n...\n# between\nb: 2\n"), [1, 4]);
        assert_eq!(lines("a: 1\n...\n---\nb: 2\n"), [1, 4]);
        assert_eq!(documents("a: 1\n...\nb: 2\n")[0].text, "a: 1\n");
    }

    #[test]
    fn a_marker_counts_inside_a_block_scalar_but_only_at_the_margin() {
        assert_eq!(lines("a: |\n  x\n---\nb: 2\n"), [1, 4]);
        assert_eq!(lines("a: |\n  ---\n  x\n"), [1]);
        assert_eq!(lines("a: |\n  x\n----\n---x\n"), [1]);
    }

    #[test]
    fn the_text_keeps_its_marker_line() {
        let found = documents("a: 1\n--- # second\nb: 2\n");
        assert_eq!(found[1].text, "--- # second\nb: 2\n");
        assert_eq!((found[1].begins, found[1].line), (2, 3));
    }
}
