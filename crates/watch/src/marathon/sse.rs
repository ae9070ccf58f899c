//! The framing of `text/event-stream`, over bytes as they come.
//!
//! Sans-I/O: bytes in, frames out. Lines end with CR, LF or CRLF, and each of the two may come
//! in a read of its own (Marathon sends its heartbeat as CR, flush, LF, flush). A CR ends its
//! line at once; the LF that may follow is swallowed, so that no frame waits for a byte.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The `event:` field; `message` if there is none.
    pub(super) kind: String,
    pub(super) data: String,
}

/// An event grew beyond the limit, so the stream cannot be followed further.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

pub(super) struct Parser {
    limit: usize,
    /// The line so far; only whole lines are decoded, so a character may be split across reads.
    line: Vec<u8>,
    /// The last byte was a CR.
    after_cr: bool,
    /// Nothing was seen yet, so a byte order mark may come.
    begins: bool,
    kind: String,
    data: String,
}

// === impl Parser ===

impl Parser {
    pub(super) fn new(limit: usize) -> Parser {
        Parser {
            limit,
            line: Vec::new(),
            after_cr: false,
            begins: true,
            kind: String::new(),
            data: String::new(),
        }
    }

    /// Takes the next bytes and returns the frames that they complete.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Frame>, TooLarge> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|b| matches!(b, b'\r' | b'\n'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + self.data.len() + part.len() > self.limit {
                return Err(TooLarge);
            }
            self.line.extend_from_slice(part);
            if let Some((terminator, rest)) = rest.split_first() {
                self.after_cr = *terminator == b'\r';
                frames.extend(self.end_line());
                bytes = rest;
            } else {
                bytes = rest;
            }
        }
        Ok(frames)
    }

    fn end_line(&mut self) -> Option<Frame> {
        let line = std::mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&line);
        if std::mem::take(&mut self.begins)
            && let Some(rest) = line.strip_prefix('\u{feff}')
        {
            line = rest.to_owned().into();
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // Comments have an empty name; `id` and `retry` are not used by Marathon.
            _ => {}
        }
        None
    }

    /// A blank line: an event without data is none, and so is a heartbeat.
    fn dispatch(&mut self) -> Option<Frame> {
        let mut kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        data.pop()?;
        if kind.is_empty() {
            kind.push_str("message");
        }
        Some(Frame { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut parser = Parser::new(1024);
        let all = chunks.iter().flat_map(|chunk| parser.push(chunk).unwrap());
        all.map(|frame| (frame.kind, frame.data)).collect()
    }

    fn pair(kind: &str, data: &str) -> (String, String) {
        (kind.into(), data.into())
    }

    #[test]
    fn every_line_ending_ends_a_line() {
        for end in ["\r\n", "\n", "\r"] {
            let text = format!("event: a{end}data: 1{end}{end}{end}event:b{end}data:2{end}{end}");
            assert_eq!(
                frames(&[text.as_bytes()]),
                [pair("a", "1"), pair("b", "2")],
                "{end:?}"
            );
        }
    }

    #[test]
    fn heartbeats_comments_and_unknown_fields_are_no_events() {
        let heartbeat: &[&[u8]] = &[b"\r", b"\n", b"\r", b"\n"];
        assert_eq!(frames(heartbeat), []);
        assert_eq!(frames(&[b": hi\n\nid: 3\nretry: 5\nevent: x\n\n"]), []);
        assert_eq!(frames(&[b"data\n\n"]), [pair("message", "")]);
    }

    #[test]
    fn a_blank_line_forgets_the_type() {
        assert_eq!(
            frames(&[b"event: x\n\ndata: 1\n\n"]),
            [pair("message", "1")]
        );
    }

    #[test]
    fn lines_of_data_are_joined_and_one_blank_is_cut() {
        assert_eq!(
            frames(&[b"data:  a\ndata: b:c\n\n"]),
            [pair("message", " a\nb:c")]
        );
    }

    #[test]
    fn an_event_is_told_at_the_cr_that_completes_it() {
        assert_eq!(frames(&[b"data: 1\r\n\r"]), [pair("message", "1")]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::new(100);
        let line = format!("data: {}\n", "x".repeat(40));
        assert!(parser.push(line.as_bytes()).is_ok());
        assert!(parser.push(line.as_bytes()).is_ok());
        assert_eq!(parser.push(line.as_bytes()), Err(TooLarge));
        assert_eq!(Parser::new(100).push(&[b'x'; 101]), Err(TooLarge));
        let mut parser = Parser::new(100);
        let event = format!("{line}\n");
        assert!(
            (0..50).all(|_| parser.push(event.as_bytes()).is_ok()),
            "the limit is per event"
        );
    }

    prop_compose! {
        fn event()(kind in "[a-z_]{0,8}", data in "[a-zäß€😀{}\": ]{0,12}", end in 0..3usize) -> String {
            let end = ["\r\n", "\n", "\r"][end];
            format!("event: {kind}{end}data: {data}{end}{end}")
        }
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_how_the_bytes_arrive(
            events in prop::collection::vec(event(), 0..8),
            beats in prop::collection::vec(prop::sample::select(vec!["", "\r\n", "\n"]), 8),
            cuts in prop::collection::vec(0..400usize, 0..30),
        ) {
            let text: String = events.iter().zip(&beats).map(|(e, b)| format!("{e}{b}")).collect();
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let found = frames(&chunks);
            prop_assert_eq!(found.len(), events.len());
            prop_assert_eq!(found, frames(&[bytes]));
        }

        #[test]
        fn any_bytes_are_survived(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10)) {
            let mut parser = Parser::new(64);
            for chunk in &chunks {
                if parser.push(chunk).is_err() { break; }
            }
        }
    }
}
