//! Requests: head, query and body.

use std::net::SocketAddr;

/// A request that was read completely.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The target as sent.
    pub(crate) uri: String,
    /// The path, decoded.
    pub(crate) path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) peer: SocketAddr,
    /// The client may send another request on this connection.
    pub(crate) keep_alive: bool,
}

/// What the head says about the rest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
}

/// The bytes are not a request.
#[derive(Debug, thiserror::Error)]
#[error("malformed HTTP request: {0}")]
pub(crate) struct Malformed(pub(crate) String);

impl Request {
    /// Reads a head if `bytes` hold a complete one; with its length.
    pub(crate) fn parse(
        bytes: &[u8],
        peer: SocketAddr,
    ) -> Result<Option<(Request, usize)>, Malformed> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut headers);
        let length = match head.parse(bytes).map_err(|e| Malformed(e.to_string()))? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return Ok(None),
        };
        let uri = head.path.unwrap_or("/").to_owned();
        let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers: Vec<(String, String)> = head
            .headers
            .iter()
            .map(|h| (h.name.to_ascii_lowercase(), text(h.value)))
            .collect();
        let mut request = Request {
            method: head.method.unwrap_or_default().to_owned(),
            path: decode(path),
            query: pairs(query),
            headers,
            body: Vec::new(),
            peer,
            keep_alive: false,
            uri,
        };
        let connection = request.header("connection").unwrap_or_default();
        request.keep_alive = match head.version {
            Some(1) => !connection.eq_ignore_ascii_case("close"),
            _ => connection.eq_ignore_ascii_case("keep-alive"),
        };
        Ok(Some((request, length)))
    }

    /// The value of the only header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        found.next().map(|(_, value)| value.trim())
    }

    pub(crate) fn accepts_gzip(&self) -> bool {
        self.header("accept-encoding")
            .is_some_and(|codings| codings.contains("gzip"))
    }

    /// All values of a query parameter.
    pub(crate) fn params<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.query.iter().filter(move |(n, _)| n == name);
        pairs.map(|(_, value)| value.as_str())
    }

    pub(crate) fn param<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.params(name).next()
    }

    /// A boolean query parameter.
    pub(crate) fn flag(&self, name: &str, fallback: bool) -> bool {
        self.param(name).map_or(fallback, |v| v == "true")
    }

    pub(crate) fn framing(&self) -> Result<Framing, Malformed> {
        let coding = self.header("transfer-encoding");
        if coding.is_some_and(|c| c.eq_ignore_ascii_case("chunked")) {
            return Ok(Framing::Chunked);
        }
        let length = self.header("content-length").unwrap_or("0");
        let length = length
            .parse()
            .map_err(|_| Malformed("content-length".into()))?;
        Ok(Framing::Length(length))
    }
}

/// Reads a chunked body if `bytes` hold all of it; with its encoded length.
pub(crate) fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Malformed> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let size = httparse::parse_chunk_size(&bytes[at..]);
        let size = size.map_err(|_| Malformed("chunk size".into()))?;
        let httparse::Status::Complete((start, size)) = size else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(|_| Malformed("chunk size".into()))?;
        let (start, end) = (at + start, (at + start).saturating_add(size));
        let Some(rest) = bytes.get(end..).filter(|rest| rest.len() >= 2) else {
            return Ok(None);
        };
        if !rest.starts_with(b"\r\n") {
            return Err(Malformed("chunk without end, or trailers".into()));
        }
        body.extend_from_slice(&bytes[start..end]);
        at = end + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|p| !p.is_empty());
    let pairs = parts.map(|p| p.split_once('=').unwrap_or((p, "")));
    let plus = |text: &str| decode(&text.replace('+', " "));
    pairs.map(|(k, v)| (plus(k), plus(v))).collect()
}

/// Resolves `%xx`; what is no such sequence stays as it is.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        let hex = rest.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        let byte = hex.and_then(|h| u8::from_str_radix(h, 16).ok());
        match byte.filter(|_| first == b'%') {
            Some(byte) => {
                out.push(byte);
                bytes = &rest[2..];
            }
            None => {
                out.push(first);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(Request, usize)> {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        Request::parse(text.as_bytes(), peer).expect("well-formed")
    }

    #[test]
    fn heads_are_taken_apart() {
        let text = "GET /v2/apps/a%2Fb?embed=apps.tasks&embed=x&label=k+in+(a,%20b) HTTP/1.1\r\n\
                    Accept: */*\r\nConnection: close\r\n\r\nrest";
        let (request, length) = parse(text).expect("complete");
        assert_eq!(request.path, "/v2/apps/a/b");
        assert_eq!(
            request.params("embed").collect::<Vec<_>>(),
            ["apps.tasks", "x"]
        );
        assert_eq!(request.param("label"), Some("k in (a, b)"));
        assert_eq!(request.header("accept"), Some("*/*"));
        assert!(!request.keep_alive);
        assert_eq!(&text[length..], "rest");
        assert!(parse("GET / HTTP/1.1\r\nAcc").is_none());
    }

    #[test]
    fn chunks_are_joined() {
        let complete = chunked(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nnext").expect("valid");
        assert_eq!(complete, Some((b"abcde".to_vec(), 20)));
        assert_eq!(chunked(b"3\r\nabc\r\n2\r\nd").expect("valid"), None);
        assert!(chunked(b"3\r\nabcdef\r\n").is_err());
        assert!(chunked(b"zz\r\n").is_err());
    }
}
