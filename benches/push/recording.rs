//! What a server sends to one proxy, kept for the floor server to send again.
//!
//! A file of one line of text and then raw messages; it is read only by the process that the
//! writer starts, so its form may change at any time.

use std::fs;
use std::io;
use std::path::Path;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::resource::{Kind, Mode};

/// A response without its nonce.
pub(crate) type Message = (Kind, Bytes);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(crate) mode: Mode,
    /// All that a new proxy gets.
    pub(crate) full: Vec<Message>,
    /// What each change sends, by the order of [`Change`].
    pub(crate) changes: Vec<Vec<Message>>,
}

/// What happens to the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// One instance of one service has another address.
    Endpoint,
    /// One VirtualService was edited.
    Route,
}

// === impl Change ===

impl Change {
    pub(crate) const ALL: [Change; 2] = [Change::Endpoint, Change::Route];
}

// === impl Recording ===

impl Recording {
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let mut out = BytesMut::new();
        out.put_u8(self.mode as u8);
        out.put_u32(1 + self.changes.len() as u32);
        for messages in std::iter::once(&self.full).chain(&self.changes) {
            out.put_u32(messages.len() as u32);
            for (kind, body) in messages {
                out.put_u8(*kind as u8);
                out.put_u64(body.len() as u64);
                out.put_slice(body);
            }
        }
        fs::write(path, out)
    }

    pub(crate) fn load(path: &Path) -> io::Result<Recording> {
        let broken = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is not a recording", path.display()),
            )
        };
        let mut bytes = Bytes::from(fs::read(path)?);
        let mode = bytes
            .try_get_u8()
            .ok()
            .and_then(|mode| Mode::ALL.into_iter().find(|m| *m as u8 == mode));
        let lists = bytes.try_get_u32().map_err(|_| broken())?;
        let mut lists = (0..lists).map(|_| messages(&mut bytes).ok_or_else(broken));
        let full = lists.next().ok_or_else(broken)??;
        let changes = lists.collect::<Result<_, _>>()?;
        Ok(Recording {
            mode: mode.ok_or_else(broken)?,
            full,
            changes,
        })
    }

    pub(crate) fn size(&self) -> usize {
        self.full.iter().map(|(_, body)| body.len()).sum()
    }
}

fn messages(bytes: &mut Bytes) -> Option<Vec<Message>> {
    let count = bytes.try_get_u32().ok()?;
    let message = |_| {
        let kind = bytes.try_get_u8().ok()?;
        let kind = Kind::ALL.into_iter().find(|k| *k as u8 == kind)?;
        let length = usize::try_from(bytes.try_get_u64().ok()?).ok()?;
        (length <= bytes.len()).then(|| (kind, bytes.split_to(length)))
    };
    (0..count).map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_comes_back_as_it_was_saved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let message = |kind, text: &'static str| (kind, Bytes::from_static(text.as_bytes()));
        let recording = Recording {
            mode: Mode::Sotw,
            full: vec![message(Kind::Cluster, "c"), message(Kind::Endpoint, "")],
            changes: vec![vec![message(Kind::Route, "r")], vec![]],
        };
        recording.save(&path).unwrap();
        assert_eq!(Recording::load(&path).unwrap(), recording);
        assert_eq!(recording.size(), 1);
        fs::write(&path, [0, 0, 0, 0, 9]).unwrap();
        assert!(Recording::load(&path).is_err());
    }
}
