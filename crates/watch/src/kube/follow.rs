//! A watch: one line of JSON per change, for as long as the server likes.

use futures::{AsyncBufRead, AsyncBufReadExt};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::document::Document;
use super::failure::Failure;

/// One line.
#[derive(Debug)]
pub(super) enum Line {
    /// Something was added or changed.
    Put(String),
    Deleted(String),
    /// Nothing happened up to this version.
    Bookmark(String),
    /// The server says why it ends the watch.
    Ended(Failure),
}

/// The lines of a watch that has begun.
pub(super) struct Lines<S> {
    url: String,
    stream: S,
    buffer: Vec<u8>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    message: String,
}

// === impl Lines ===

impl<S: AsyncBufRead + Unpin> Lines<S> {
    pub(super) fn new(url: String, stream: S) -> Lines<S> {
        Lines {
            url,
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next line; `None` at the end of the watch.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, Failure> {
        self.buffer.clear();
        let read = self.stream.read_until(b'\n', &mut self.buffer).await;
        let read = read.map_err(|error| Failure::away(&self.url, error.to_string()))?;
        // A line that was cut off says nothing.
        if read == 0 || self.buffer.last() != Some(&b'\n') {
            return Ok(None);
        }
        let unreadable = |error| Failure::undecodable(&self.url, &error);
        let event: Event<'_> = serde_json::from_slice(&self.buffer).map_err(unreadable)?;
        line(&self.url, &event).map(Some).map_err(unreadable)
    }
}

fn line(url: &str, event: &Event<'_>) -> serde_json::Result<Line> {
    let text = event.object.get();
    Ok(match event.kind {
        "BOOKMARK" => Line::Bookmark(Document::parse(text)?.resource_version().to_owned()),
        "ERROR" => {
            let status: Status = serde_json::from_str(text)?;
            Line::Ended(Failure::refused(url, status.code, status.message))
        }
        "DELETED" => Line::Deleted(text.to_owned()),
        _ => Line::Put(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &str) -> Vec<String> {
        let mut lines = Lines::new("u".into(), text.as_bytes());
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(format!("{line:?}"));
        }
        found
    }

    #[tokio::test]
    async fn a_watch_is_lines_and_a_torn_one_is_no_line() {
        let text = "{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n\
            {\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"name\":\"\",\"resourceVersion\":\"9\"}}}\n\
            {\"type\":\"DELETED\",\"object\":{\"a\":1}}\n{\"type\":\"ADDED\",\"obj";
        assert_eq!(
            lines(text).await,
            [
                r#"Put("{\"a\":1}")"#,
                r#"Bookmark("9")"#,
                r#"Deleted("{\"a\":1}")"#
            ]
        );
    }

    #[tokio::test]
    async fn an_error_ends_the_watch_with_its_code() {
        let text = "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"too old\"}}\n";
        let mut lines = Lines::new("u".into(), text.as_bytes());
        let Some(Line::Ended(failure)) = lines.next().await.unwrap() else {
            panic!("no end");
        };
        assert!(failure.is_expired());
    }
}
