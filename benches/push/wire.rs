//! Protobuf by hand: walks tags and writes fields, and decodes nothing that is not asked for.
//!
//! The client shares its cores with the server that it measures, so it must not spend more on a
//! message than finding the names in it. Field numbers are those of the messages, cited where
//! they are used; the tests compare with the generated types.

/// The value of one field, as the wire types tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    /// Strings, bytes and messages.
    Bytes(&'a [u8]),
    /// Fixed32 and fixed64, which nobody here reads.
    Fixed,
}

/// The fields of a message in the order of the wire. Ends early at what is not protobuf.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

/// Why a field cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It goes on beyond these bytes; its whole length, once that can be told.
    Short(Option<usize>),
    /// It is not protobuf.
    Malformed,
}

const MAX_VARINT: usize = 10;

// === impl Fields ===

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (field, value, used) = field(self.0).ok()?;
        self.0 = &self.0[used..];
        Some((field, value))
    }
}

/// Reads the field at the beginning of the bytes: its number, its value, its length.
pub(crate) fn field(bytes: &[u8]) -> Result<(u32, Value<'_>, usize), Unread> {
    let (tag, at) = varint(bytes)?;
    let number = u32::try_from(tag >> 3).map_err(|_| Unread::Malformed)?;
    let fixed = |size: usize| match bytes.len() >= at + size {
        true => Ok((number, Value::Fixed, at + size)),
        false => Err(Unread::Short(Some(at + size))),
    };
    match tag & 7 {
        0 => {
            let (value, used) = varint(&bytes[at..])?;
            Ok((number, Value::Varint(value), at + used))
        }
        1 => fixed(8),
        2 => {
            let (length, used) = varint(&bytes[at..])?;
            let start = at + used;
            let length = usize::try_from(length).map_err(|_| Unread::Malformed)?;
            let end = start.checked_add(length).ok_or(Unread::Malformed)?;
            let value = bytes.get(start..end).ok_or(Unread::Short(Some(end)))?;
            Ok((number, Value::Bytes(value), end))
        }
        5 => fixed(4),
        _ => Err(Unread::Malformed),
    }
}

fn varint(bytes: &[u8]) -> Result<(u64, usize), Unread> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(MAX_VARINT).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok((value, i + 1));
        }
    }
    Err(if bytes.len() < MAX_VARINT {
        Unread::Short(None)
    } else {
        Unread::Malformed
    })
}

/// The bytes of the first field of that number.
pub(crate) fn bytes_of(message: &[u8], number: u32) -> Option<&[u8]> {
    Fields(message).find_map(|(field, value)| match value {
        Value::Bytes(bytes) if field == number => Some(bytes),
        _ => None,
    })
}

/// The number in the first field of that number.
pub(crate) fn varint_of(message: &[u8], number: u32) -> Option<u64> {
    Fields(message).find_map(|(field, value)| match value {
        Value::Varint(value) if field == number => Some(value),
        _ => None,
    })
}

/// All messages in the fields of that number.
pub(crate) fn each_of(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields(message).filter_map(move |(field, value)| match value {
        Value::Bytes(bytes) if field == number => Some(bytes),
        _ => None,
    })
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field that holds a string, bytes or a message.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// As [`put_bytes`], but the default of proto3, which is not written.
pub(crate) fn put_text(out: &mut Vec<u8>, number: u32, value: &str) {
    if !value.is_empty() {
        put_bytes(out, number, value.as_bytes());
    }
}

pub(crate) fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number) << 3);
    put_varint(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_were_written() {
        let mut message = Vec::new();
        put_number(&mut message, 2, 300);
        put_text(&mut message, 3, "");
        put_bytes(&mut message, 1000, b"abc");
        message.extend([4 << 3 | 5, 1, 2, 3, 4]);
        message.extend([5 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]);
        put_number(&mut message, 6, u64::MAX);
        let fields: Vec<_> = Fields(&message).collect();
        let expected = [
            (2, Value::Varint(300)),
            (1000, Value::Bytes(b"abc")),
            (4, Value::Fixed),
            (5, Value::Fixed),
            (6, Value::Varint(u64::MAX)),
        ];
        assert_eq!(fields, expected);
        assert_eq!(bytes_of(&message, 1000), Some(&b"abc"[..]));
        assert_eq!(varint_of(&message, 6), Some(u64::MAX));
        assert_eq!(
            (bytes_of(&message, 2), varint_of(&message, 1000)),
            (None, None)
        );
    }

    #[test]
    fn a_part_of_a_field_tells_how_long_the_whole_is() {
        let mut message = Vec::new();
        put_bytes(&mut message, 2, &[7; 200]);
        let whole = message.len();
        assert_eq!(field(&message[..0]), Err(Unread::Short(None)));
        assert_eq!(field(&message[..1]), Err(Unread::Short(None)));
        assert_eq!(
            field(&message[..2]),
            Err(Unread::Short(None)),
            "half of the length"
        );
        assert_eq!(field(&message[..3]), Err(Unread::Short(Some(whole))));
        assert_eq!(
            field(&message[..whole - 1]),
            Err(Unread::Short(Some(whole)))
        );
        assert!(field(&message).is_ok());
    }

    #[test]
    fn what_is_not_protobuf_is_told_apart_from_what_is_short() {
        assert_eq!(field(&[0xff; 10]), Err(Unread::Malformed));
        assert_eq!(
            field(&[1 << 3 | 3]),
            Err(Unread::Malformed),
            "groups are not used"
        );
        let mut huge = vec![1 << 3 | 2];
        put_varint(&mut huge, u64::MAX);
        assert_eq!(field(&huge), Err(Unread::Malformed));
    }
}
