//! The last good lists of all sources on disk, so that a restart can serve while they are away.
//!
//! ```text
//! sources ──► keeper ──► (index)
//!               │ ▲
//!          now and then, and once at the start
//!               ▼ │
//!              file: one line with a checksum, then JSON
//! ```
//!
//! The file is replaced as a whole, and a file that is damaged or of another version counts as
//! none: old lists are better than no lists, and no lists are better than wrong ones.

mod keeper;
mod ledger;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use api::event::SourceId;
use api::istio::Object;
use api::marathon::Workload;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

pub use self::keeper::{Keeper, Restored};

/// The beginning of the first line; a change of the format changes the number.
const MAGIC: &str = "pilothouse-snapshot 1";

/// What the sources had said when the file was written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Snapshot {
    pub written: Timestamp,
    sources: BTreeMap<SourceId, Lists>,
}

/// The complete lists of one source; absent are those of which it has none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Lists {
    pub(crate) config: Option<Vec<Object>>,
    pub(crate) workloads: Option<Vec<Workload>>,
}

/// Why a snapshot is not used. It is replaced by the next one that is written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("the snapshot {path:?} cannot be read: {error}")]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("the snapshot {path:?} is damaged or of another version: {why}")]
    Damaged { path: PathBuf, why: String },
}

/// The same to be written, with everything in JSON already.
#[derive(Serialize)]
pub(crate) struct Written<'a> {
    pub(crate) written: Timestamp,
    pub(crate) sources: BTreeMap<&'a str, WrittenLists<'a>>,
}

#[derive(Default, Serialize)]
pub(crate) struct WrittenLists<'a> {
    pub(crate) config: Option<Vec<&'a RawValue>>,
    pub(crate) workloads: Option<Vec<&'a RawValue>>,
}

// === impl Snapshot ===

impl Snapshot {
    /// Reads the file; `None` if there is none.
    ///
    /// # Errors
    /// The file is there and cannot be used.
    pub fn load(path: &Path) -> Result<Option<Snapshot>, SnapshotError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let path = path.to_owned();
                return Err(SnapshotError::Unreadable { path, error });
            }
        };
        parse(&bytes)
            .map(Some)
            .map_err(|why| SnapshotError::Damaged {
                path: path.to_owned(),
                why,
            })
    }

    /// The workloads that a source had.
    pub fn workloads(&self, source: &str) -> &[Workload] {
        let lists = self.sources.get(source);
        lists
            .and_then(|lists| lists.workloads.as_deref())
            .unwrap_or_default()
    }

    pub(crate) fn into_sources(self) -> BTreeMap<SourceId, Lists> {
        self.sources
    }
}

fn parse(bytes: &[u8]) -> Result<Snapshot, String> {
    let end = bytes.iter().position(|b| *b == b'\n');
    let (head, body) = bytes.split_at(end.ok_or("it has no first line")?);
    let body = &body[1..];
    if head != head_of(body).as_bytes() {
        return Err("its first line does not belong to what follows".into());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn head_of(body: &[u8]) -> String {
    format!("{MAGIC} {:032x} {}", xxh3_128(body), body.len())
}

/// Writes beside the file and renames, so that at any moment one whole file is there.
pub(crate) fn store(path: &Path, written: &Written<'_>) -> io::Result<()> {
    let body = serde_json::to_vec(written)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut file = private(&beside)?;
    writeln!(file, "{}", head_of(&body))?;
    file.write_all(&body)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    // Without this the rename itself may be lost with the power.
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Configuration may tell more than everybody on the machine should know.
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)
}
