//! Takes a gRPC body apart as it arrives: frames, and the top-level fields of their messages.
//!
//! A response may be megabytes and there may be a thousand of them under way, so a message is
//! never put together: every resource is handed on when its last byte is there, from the chunk
//! itself where it lies within one.

use crate::wire::{self, Unread, Value};

/// What has become complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Field(u32, Value<'a>),
    /// The message ends; how many bytes it had.
    End(usize),
}

/// The bytes are not gRPC with uncompressed protobuf in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not uncompressed gRPC: {0}")]
pub(crate) struct Malformed(&'static str);

/// The state between two chunks.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    header: Vec<u8>,
    /// Length of the message, and how much of it is still to come.
    length: usize,
    left: usize,
    inside: bool,
    /// The beginning of a field that was cut by the end of a chunk.
    cut: Vec<u8>,
}

/// Flag and length before each message.
pub(crate) const HEADER: usize = 5;

// === impl Sieve ===

impl Sieve {
    /// Takes the next bytes and hands on what they complete.
    pub(crate) fn feed(
        &mut self,
        mut chunk: &[u8],
        mut sink: impl FnMut(Part<'_>),
    ) -> Result<(), Malformed> {
        while !chunk.is_empty() || (self.inside && self.left == 0) {
            if !self.inside {
                chunk = self.header(chunk)?;
                continue;
            }
            let (part, rest) = chunk.split_at(self.left.min(chunk.len()));
            self.left -= part.len();
            chunk = rest;
            self.fields(part, &mut sink)?;
            if self.left == 0 {
                if !self.cut.is_empty() {
                    return Err(Malformed("a field goes on beyond its message"));
                }
                self.inside = false;
                sink(Part::End(self.length));
            }
        }
        Ok(())
    }

    fn header<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let (part, rest) = chunk.split_at((HEADER - self.header.len()).min(chunk.len()));
        self.header.extend_from_slice(part);
        if let &[flag, a, b, c, d] = self.header.as_slice() {
            if flag != 0 {
                return Err(Malformed("a message is compressed"));
            }
            self.length = u32::from_be_bytes([a, b, c, d]) as usize;
            self.left = self.length;
            self.inside = true;
            self.header.clear();
        }
        Ok(rest)
    }

    fn fields(
        &mut self,
        mut part: &[u8],
        sink: &mut impl FnMut(Part<'_>),
    ) -> Result<(), Malformed> {
        while !part.is_empty() {
            if !self.cut.is_empty() {
                part = self.mend(part, sink)?;
                continue;
            }
            match wire::field(part) {
                Ok((number, value, used)) => {
                    sink(Part::Field(number, value));
                    part = &part[used..];
                }
                Err(Unread::Malformed) => return Err(Malformed("a field cannot be read")),
                Err(Unread::Short(whole)) => {
                    self.cut = Vec::with_capacity(whole.unwrap_or(part.len() + 1));
                    self.cut.extend_from_slice(part);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Adds to the field that was cut, and hands it on when it is whole.
    fn mend<'a>(
        &mut self,
        part: &'a [u8],
        sink: &mut impl FnMut(Part<'_>),
    ) -> Result<&'a [u8], Malformed> {
        let whole = match wire::field(&self.cut) {
            Err(Unread::Short(whole)) => whole,
            _ => return Err(Malformed("a field cannot be read")),
        };
        // While even the length is cut, byte by byte.
        let wanted = whole.map_or(1, |whole| whole - self.cut.len());
        let (more, rest) = part.split_at(wanted.min(part.len()));
        self.cut.extend_from_slice(more);
        match wire::field(&self.cut) {
            Ok((number, value, _)) => {
                sink(Part::Field(number, value));
                self.cut = Vec::new();
            }
            Err(Unread::Short(_)) => {}
            Err(Unread::Malformed) => return Err(Malformed("a field cannot be read")),
        }
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{put_bytes, put_number};

    fn message(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut body = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            put_bytes(&mut body, 1 + i as u32 * 7, part);
            put_number(&mut body, 3, part.len() as u64 * 1_000_003);
        }
        let mut framed = vec![0];
        framed.extend((body.len() as u32).to_be_bytes());
        framed.extend(body);
        framed
    }

    fn told(chunks: &[&[u8]]) -> Result<Vec<String>, Malformed> {
        let (mut sieve, mut told) = (Sieve::default(), Vec::new());
        for chunk in chunks {
            sieve.feed(chunk, |part| told.push(format!("{part:?}")))?;
        }
        Ok(told)
    }

    #[test]
    fn fields_and_ends_are_told_in_order() {
        let bytes = message(&[b"ab".to_vec()]);
        let told = told(&[&bytes]).unwrap();
        let expected = [
            "Field(1, Bytes([97, 98]))",
            "Field(3, Varint(2000006))",
            "End(8)",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_empty_message_ends_at_once() {
        assert_eq!(told(&[&[0, 0, 0, 0, 0]]).unwrap(), ["End(0)"]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert!(told(&[&[1, 0, 0, 0, 1, 8]]).is_err(), "compressed");
        assert!(
            told(&[&[0, 0, 0, 0, 2, 1 << 3 | 2, 9]]).is_err(),
            "longer than its message"
        );
        assert!(told(&[&[0, 0, 0, 0, 1, 7]]).is_err(), "no wire type");
    }

    proptest! {
        #[test]
        fn parts_do_not_depend_on_the_chunks(
            messages in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4), 0..5),
            cuts in prop::collection::vec(0..3000usize, 0..40),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|m| message(m)).collect();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let whole = told(&[&bytes]).unwrap();
            prop_assert_eq!(whole.iter().filter(|p| p.starts_with("End")).count(), messages.len());
            prop_assert_eq!(told(&chunks).unwrap(), whole);
        }
    }
}
