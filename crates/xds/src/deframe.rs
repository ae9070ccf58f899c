//! gRPC messages out of a stream of bytes.
//!
//! Tonic keeps a buffer per stream as large as the largest request ever seen. Requests are rare and
//! mostly tiny: here a message that arrives whole is a slice of what came from the socket, and
//! nothing is kept between messages. Memory follows what was received, never what was announced.

use bytes::{Buf, Bytes, BytesMut};

/// One byte for compression, four for the length.
const HEADER: usize = 5;

/// Cuts what comes in into messages.
#[derive(Debug)]
pub(crate) struct Deframer {
    limit: usize,
    /// What came last, and not yet looked at.
    fresh: Bytes,
    /// The beginning of a message that came in several pieces.
    partial: BytesMut,
}

/// The bytes are no gRPC messages that we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeframeError {
    #[error("compressed requests are not supported; switch compression off in the client")]
    Compressed,
    #[error("a request of {length} bytes, at most {limit} are taken")]
    TooLarge { length: usize, limit: usize },
}

// === impl Deframer ===

impl Deframer {
    pub(crate) fn new(limit: usize) -> Deframer {
        Deframer {
            limit,
            fresh: Bytes::new(),
            partial: BytesMut::new(),
        }
    }

    /// Takes what came in. All messages must have been taken out before.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        debug_assert!(self.fresh.is_empty(), "messages were left behind");
        self.fresh = bytes;
    }

    /// The next whole message.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, DeframeError> {
        if self.partial.is_empty() {
            let Some(length) = self.length(&self.fresh)? else {
                return Ok(self.keep());
            };
            if self.fresh.len() < HEADER + length {
                return Ok(self.keep());
            }
            self.fresh.advance(HEADER);
            return Ok(Some(self.fresh.split_to(length)));
        }
        self.fill(HEADER);
        let Some(length) = self.length(&self.partial)? else {
            return Ok(None);
        };
        self.fill(HEADER + length);
        if self.partial.len() < HEADER + length {
            return Ok(None);
        }
        let mut message = std::mem::take(&mut self.partial).freeze();
        message.advance(HEADER);
        Ok(Some(message))
    }

    /// How much memory is held.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.fresh.len() + self.partial.capacity()
    }

    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, DeframeError> {
        let Some(([compressed, length @ ..], _)) = bytes.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        let limit = self.limit;
        match (*compressed, length > limit) {
            (0, false) => Ok(Some(length)),
            (0, true) => Err(DeframeError::TooLarge { length, limit }),
            _ => Err(DeframeError::Compressed),
        }
    }

    /// Keeps the piece that is there until the rest comes.
    fn keep(&mut self) -> Option<Bytes> {
        self.partial.extend_from_slice(&self.fresh);
        self.fresh = Bytes::new();
        None
    }

    /// Takes from what came in until the message has that length.
    fn fill(&mut self, length: usize) {
        let missing = length.saturating_sub(self.partial.len());
        let piece = self.fresh.split_to(missing.min(self.fresh.len()));
        self.partial.extend_from_slice(&piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::message::Mode;
    use crate::resource::Resource;
    use crate::snapshot::Snapshot;
    use crate::stream::{Stream, Timing};
    use crate::wire::Reader;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::time::Instant;

    const LIMIT: usize = 64 * 1024;

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend((message.len() as u32).to_be_bytes());
        bytes.extend(message);
        bytes
    }

    fn drain(deframer: &mut Deframer) -> Result<Vec<Bytes>, DeframeError> {
        std::iter::from_fn(|| deframer.next().transpose()).collect()
    }

    #[test]
    fn whole_messages_are_slices_of_what_came_in() {
        let mut bytes = frame(b"one");
        bytes.extend(frame(b""));
        bytes.extend(frame(b"three"));
        let bytes = Bytes::from(bytes);
        let mut deframer = Deframer::new(LIMIT);
        deframer.push(bytes.clone());
        let got = drain(&mut deframer).expect("good");
        assert_eq!(got, [&b"one"[..], b"", b"three"]);
        assert_eq!(got[2].as_ptr(), bytes[18..].as_ptr(), "not copied");
        assert_eq!(deframer.held(), 0);
    }

    #[test]
    fn f08_what_is_too_large_or_compressed_is_refused_before_it_is_there() {
        let mut large = Deframer::new(LIMIT);
        large.push(Bytes::from_static(&[0, 0, 1, 0, 1]));
        let limit = LIMIT;
        let length = LIMIT + 1;
        assert_eq!(large.next(), Err(DeframeError::TooLarge { length, limit }));
        let mut compressed = Deframer::new(LIMIT);
        compressed.push(Bytes::from_static(&[1, 0, 0, 0, 1]));
        assert_eq!(compressed.next(), Err(DeframeError::Compressed));
    }

    #[test]
    fn f08_an_announced_length_takes_no_memory() {
        let mut deframer = Deframer::new(16 << 20);
        deframer.push(Bytes::from_static(&[0, 0, 255, 255, 255, 1]));
        assert_eq!(deframer.next(), Ok(None));
        assert!(deframer.held() < 1_024, "{} bytes", deframer.held());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn messages_come_out_as_they_went_in_however_they_are_cut(
            messages in vec(vec(any::<u8>(), 0..200), 0..8),
            cuts in vec(1..60usize, 1..8),
        ) {
            let bytes = Bytes::from(messages.iter().flat_map(|m| frame(m)).collect::<Vec<u8>>());
            let mut deframer = Deframer::new(LIMIT);
            let (mut at, mut got) = (0, Vec::new());
            for cut in cuts.iter().cycle().take(4_000) {
                let end = (at + cut).min(bytes.len());
                deframer.push(bytes.slice(at..end));
                got.extend(drain(&mut deframer).expect("good"));
                at = end;
            }
            prop_assert_eq!(at, bytes.len());
            prop_assert_eq!(got, messages);
            prop_assert_eq!(deframer.held(), 0);
        }

        /// Bytes from the socket, whatever they are, through everything that reads them.
        #[test]
        fn a04_any_bytes_never_panic_and_take_bounded_memory(
            (sotw, pieces) in any::<bool>().prop_flat_map(|sotw| (Just(sotw), vec(prop_oneof![
                vec(any::<u8>(), 0..40),
                // A request that names a type and a node.
                (prop::sample::select(Kind::ALL.to_vec()), "[a-c*]{0,2}").prop_map(move |(kind, name)| {
                    let (type_url, node) = if sotw { (4, 1) } else { (2, 1) };
                    let name = (3, name.into_bytes());
                    let url = (type_url, kind.type_url().as_bytes().to_vec());
                    let fields = [(node, vec![10, 1, b'n']), url, name].into_iter();
                    frame(&fields.flat_map(|(tag, value)| [vec![tag << 3 | 2, value.len() as u8], value].concat()).collect::<Vec<u8>>())
                }),
                // Nearly good: a frame with fields of a request, some cut short.
                (vec((1..8u8, vec(any::<u8>(), 0..12)), 0..6), 0..3usize).prop_map(|(fields, cut)| {
                    let fields = fields.into_iter().flat_map(|(tag, value)| {
                        [vec![tag << 3 | 2, value.len() as u8], value].concat()
                    });
                    let mut bytes = frame(&fields.collect::<Vec<u8>>());
                    bytes.truncate(bytes.len() - cut);
                    bytes
                }),
            ], 0..30))),
        ) {
            let mode = if sotw { Mode::Sotw } else { Mode::Delta };
            let mut deframer = Deframer::new(LIMIT);
            let mut reader = Reader::new(mode, None);
            let mut stream = Stream::new(mode, None, Timing::default());
            let now = Instant::now();
            let cluster = Resource::new(Kind::Cluster, "a", "1");
            let snapshot = Snapshot::builder(1).insert(Kind::Cluster, cluster);
            stream.on_snapshot(snapshot.build(), now);
            let mut received = 0;
            'bytes: for piece in pieces {
                received += piece.len();
                deframer.push(piece.into());
                loop {
                    prop_assert!(deframer.held() <= 4 * (received + HEADER), "{} bytes held of {received}", deframer.held());
                    let message = match deframer.next() {
                        Ok(Some(message)) => message,
                        Ok(None) => break,
                        Err(_) => break 'bytes,
                    };
                    let Ok((_, request)) = reader.read(&message) else { break 'bytes };
                    if stream.on_request(request, now).is_err() {
                        break 'bytes;
                    }
                    prop_assert!(stream.poll(now).len() < 64, "a flood");
                }
            }
        }
    }
}
