//! One encoding for each message.
//!
//! The generated messages keep protobuf maps in `HashMap`, whose order differs from one value to
//! the next, so `prost` encodes equal messages to different bytes. Here the entries of every map
//! are put in the order of their keys after encoding. Sorting moves entries but changes no length,
//! so it is done in place; messages without maps are walked only as far as a [`Shape`] leads.

mod shape;

use std::ops::Range;

use prost::Message;

use shape::{Holds, Shape};

/// A message of which we know where maps can be.
pub(crate) trait Canonical: Message {
    /// `None` if no map can be in it. What an `Any` carries is packed canonically before, and is
    /// not looked into.
    const MAPS: Option<&'static Shape>;
}

/// Equal messages have equal encodings.
pub(crate) fn encode<M: Canonical>(message: &M) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(message, &mut bytes);
    bytes
}

/// The encoding, behind what the buffer holds.
pub(crate) fn append<M: Canonical>(message: &M, buffer: &mut Vec<u8>) {
    let start = buffer.len();
    message.encode(buffer).expect("a Vec takes everything");
    if let Some(shape) = M::MAPS {
        sort_maps(&mut buffer[start..], shape);
    }
}

/// A length-delimited field, by position.
struct Delimited {
    number: u32,
    /// With its tag and length.
    whole: Range<usize>,
    body: Range<usize>,
}

fn sort_maps(bytes: &mut [u8], shape: &Shape) {
    let mut at = 0;
    let mut run = Run::default();
    while let Some(field) = next_delimited(bytes, &mut at) {
        let holds = shape.holds(field.number);
        match holds {
            Some(Holds::Map(value)) => {
                if let Some(value) = value {
                    sort_map_value(&mut bytes[field.body.clone()], value);
                }
                if run.number != field.number {
                    run.flush(bytes);
                }
                run.push(field);
            }
            Some(Holds::Message(inner)) => sort_maps(&mut bytes[field.body], inner),
            None => {}
        }
    }
    run.flush(bytes);
}

/// An entry of a map is a message of its own: the key is field 1, the value field 2.
fn sort_map_value(entry: &mut [u8], value: &Shape) {
    let mut at = 0;
    while let Some(field) = next_delimited(entry, &mut at) {
        if field.number == 2 {
            sort_maps(&mut entry[field.body], value);
        }
    }
}

fn map_key(entry: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(field) = next_delimited(entry, &mut at) {
        if field.number == 1 {
            return &entry[field.body];
        }
    }
    // The empty key is a default and therefore not encoded.
    &[]
}

/// The entries of one map, which `prost` writes side by side.
#[derive(Default)]
struct Run {
    number: u32,
    entries: Vec<(Range<usize>, Range<usize>)>,
}

impl Run {
    fn push(&mut self, field: Delimited) {
        self.number = field.number;
        self.entries.push((field.whole, field.body));
    }

    fn flush(&mut self, bytes: &mut [u8]) {
        if let (Some((first, _)), Some((last, _))) = (self.entries.first(), self.entries.last())
            && self.entries.len() > 1
        {
            let region = first.start..last.end;
            let mut sorted = self.entries.clone();
            sorted.sort_by(|(_, a), (_, b)| {
                map_key(&bytes[a.clone()]).cmp(map_key(&bytes[b.clone()]))
            });
            let ordered: Vec<u8> = sorted
                .into_iter()
                .flat_map(|(whole, _)| &bytes[whole])
                .copied()
                .collect();
            bytes[region].copy_from_slice(&ordered);
        }
        self.entries.clear();
    }
}

/// The next length-delimited field at or after `at`; others are stepped over.
fn next_delimited(bytes: &[u8], at: &mut usize) -> Option<Delimited> {
    loop {
        let start = *at;
        let tag = varint(bytes, at)?;
        match tag & 7 {
            0 => {
                varint(bytes, at)?;
            }
            1 => *at += 8,
            5 => *at += 4,
            2 => {
                let length = varint(bytes, at)? as usize;
                let body = *at..*at + length;
                *at = body.end;
                return Some(Delimited {
                    number: (tag >> 3) as u32,
                    whole: start..body.end,
                    body,
                });
            }
            // Groups, which proto3 does not have.
            _ => return None,
        }
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
