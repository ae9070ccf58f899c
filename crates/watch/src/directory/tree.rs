//! The files below a directory: which exist, and which must be read again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// File systems stamp with the kernel's coarse clock: two writes in one tick look like one.
const COARSE: Duration = Duration::from_millis(50);

/// A known file that was written less than this ago may be half written: `> file` first empties it.
const SETTLE: Duration = Duration::from_millis(15);

/// A file that never settles is read as it is after so long.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Tree {
    root: PathBuf,
    files: BTreeMap<Arc<str>, Seen>,
}

/// The outcome of looking at all files.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Files that are new or changed, in order.
    pub(super) read: Vec<(Arc<str>, Result<String, String>)>,
    pub(super) gone: Vec<Arc<str>>,
    /// Directories that cannot be listed; what was known below them stays.
    pub(super) blocked: Vec<(Arc<str>, String)>,
    /// A file changed while it was read: look again soon.
    pub(super) restless: bool,
    /// All files seem to be gone; not believed unless the caller says so.
    pub(super) emptied: bool,
}

struct Seen {
    stamp: Stamp,
    /// Whether a later write would certainly change the stamp.
    certain: bool,
    /// Since when its latest writing is waited for.
    waiting: Option<Instant>,
}

/// Changes whenever the content of a file changes, also by renaming another file over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
    file: (u64, u64),
}

/// What a walk finds.
#[derive(Default)]
struct Walk {
    files: BTreeMap<Arc<str>, (PathBuf, Stamp)>,
    blocked: Vec<(Arc<str>, String)>,
    /// By device and inode, so that a link to a parent ends.
    entered: BTreeSet<(u64, u64)>,
}

// === impl Tree ===

impl Tree {
    pub(super) fn new(root: PathBuf) -> Tree {
        Tree {
            root,
            files: BTreeMap::new(),
        }
    }

    /// Looks at all files and reads those that changed since the last look.
    ///
    /// An error means that the root itself cannot be listed: nothing is known then.
    pub(super) fn scan(&mut self, believe_empty: bool) -> io::Result<Scan> {
        let mut walk = Walk::default();
        walk.enter(&self.root, fs::read_dir(&self.root)?);
        let mut scan = Scan {
            blocked: walk.blocked,
            ..Scan::default()
        };
        if walk.files.is_empty() && !self.files.is_empty() && !believe_empty {
            scan.emptied = true;
            return Ok(scan);
        }
        self.forget(&walk.files, &mut scan);
        for (name, (path, stamp)) in walk.files {
            self.look(name, &path, stamp, &mut scan);
        }
        Ok(scan)
    }

    fn forget(&mut self, found: &BTreeMap<Arc<str>, (PathBuf, Stamp)>, scan: &mut Scan) {
        let hidden = |name: &str| {
            let below = |dir: &str| name.strip_prefix(dir).is_some_and(|n| n.starts_with('/'));
            scan.blocked.iter().any(|(dir, _)| below(dir))
        };
        let gone = |name: &&Arc<str>| !found.contains_key(*name) && !hidden(name);
        scan.gone = self.files.keys().filter(gone).cloned().collect();
        for name in &scan.gone {
            self.files.remove(name);
        }
    }

    fn look(&mut self, name: Arc<str>, path: &Path, stamp: Stamp, scan: &mut Scan) {
        if let Some(seen) = self.files.get_mut(&name) {
            if seen.stamp == stamp && seen.certain {
                return;
            }
            let waiting = seen.waiting.get_or_insert_with(Instant::now).elapsed();
            if waiting < PATIENCE && !stamp.is_older_than(SETTLE) {
                scan.restless = true;
                return;
            }
        }
        // Gone since the walk: the next look will tell.
        let Some(reading) = read(path, stamp) else {
            return;
        };
        scan.restless |= reading.restless;
        let seen = Seen {
            stamp: reading.stamp,
            certain: reading.certain,
            waiting: None,
        };
        self.files.insert(name.clone(), seen);
        scan.read.push((name, reading.text));
    }
}

/// The content of a file, and how far it can be trusted.
struct Reading {
    text: Result<String, String>,
    stamp: Stamp,
    certain: bool,
    /// Somebody was writing all the while, so the text may be half of it.
    restless: bool,
}

/// Reads a file until it does not change meanwhile, a few times at most.
fn read(path: &Path, mut stamp: Stamp) -> Option<Reading> {
    for last in [false, false, false, true] {
        let certain = stamp.is_older_than(COARSE);
        let text = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => Err(error.to_string()),
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned()),
        };
        let after = Stamp::of(&fs::metadata(path).ok()?);
        let restless = after != stamp;
        if last || !restless {
            let certain = certain && !restless;
            return Some(Reading {
                text,
                stamp,
                certain,
                restless,
            });
        }
        stamp = after;
    }
    None
}

// === impl Walk ===

impl Walk {
    fn enter(&mut self, dir: &Path, entries: fs::ReadDir) {
        if !fs::metadata(dir).is_ok_and(|m| self.entered.insert((m.dev(), m.ino()))) {
            return;
        }
        let mut paths: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| !is_hidden(path)) {
            // Follows links; what vanished since the listing, or leads nowhere, is not there.
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => self.descend(&path),
                Ok(meta) if meta.is_file() && is_ours(&path) => {
                    let name = display(&path);
                    self.files.insert(name, (path, Stamp::of(&meta)));
                }
                _ => {}
            }
        }
    }

    fn descend(&mut self, dir: &Path) {
        match fs::read_dir(dir) {
            Ok(entries) => self.enter(dir, entries),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.blocked.push((display(dir), error.to_string())),
        }
    }
}

// === impl Stamp ===

impl Stamp {
    fn of(meta: &Metadata) -> Stamp {
        Stamp {
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            size: meta.len(),
            file: (meta.dev(), meta.ino()),
        }
    }

    /// A stamp of the future (a remote clock) counts as old, or it would be read forever.
    fn is_older_than(&self, age: Duration) -> bool {
        let (Ok(secs), Ok(nanos)) = (u64::try_from(self.changed.0), u32::try_from(self.changed.1))
        else {
            return true;
        };
        let changed = SystemTime::UNIX_EPOCH + Duration::new(secs, nanos);
        SystemTime::now()
            .duration_since(changed)
            .map_or(true, |past| past > age)
    }
}

/// Editors' lock and swap files, and the `..data` of a mounted Kubernetes ConfigMap, whose files
/// appear a second time under their proper names.
fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_ours(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json")
}

pub(super) fn display(path: &Path) -> Arc<str> {
    path.to_string_lossy().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(scan: &Scan, root: &Path) -> Vec<String> {
        let prefix = format!("{}/", display(root));
        scan.read
            .iter()
            .map(|(name, _)| name.strip_prefix(&prefix).unwrap().to_owned())
            .collect()
    }

    /// The first scan in which nothing is being written any more.
    fn settled(tree: &mut Tree) -> Scan {
        let begun = Instant::now();
        loop {
            let scan = tree.scan(false).unwrap();
            if !scan.restless {
                return scan;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{scan:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_file_that_was_just_written_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        fs::write(&file, "a: 1").unwrap();
        let mut tree = Tree::new(dir.path().into());
        assert_eq!(
            tree.scan(false).unwrap().read.len(),
            1,
            "a new file is read at once"
        );
        fs::write(&file, "").unwrap();
        let young = tree.scan(false).unwrap();
        assert!(young.restless && young.read.is_empty());
        fs::write(&file, "a: 2").unwrap();
        assert_eq!(settled(&mut tree).read[0].1.as_deref(), Ok("a: 2"));
    }

    #[test]
    fn configuration_is_found_recursively_in_order_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("b/c")).unwrap();
        fs::create_dir_all(root.join("..data")).unwrap();
        for file in [
            "z.yml",
            "a.yaml",
            "b/c/x.json",
            "b/n.txt",
            ".#a.yaml",
            "..data/a.yaml",
            "a.yaml~",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("b/loop")).unwrap();
        std::os::unix::fs::symlink("nowhere.yaml", root.join("dangling.yaml")).unwrap();
        let scan = Tree::new(root.into()).scan(false).unwrap();
        assert_eq!(names(&scan, root), ["a.yaml", "b/c/x.json", "z.yml"]);
    }

    #[test]
    fn a_file_of_the_same_size_and_time_that_was_renamed_over_another_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("a.yaml"), dir.path().join("a.new"));
        fs::write(&file, "a: 1").unwrap();
        fs::write(&other, "a: 2").unwrap();
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        let options = fs::OpenOptions::new().write(true).open(&other).unwrap();
        options.set_modified(time).unwrap();
        let mut tree = Tree::new(dir.path().into());
        tree.scan(false).unwrap();
        fs::rename(&other, &file).unwrap();
        let scan = settled(&mut tree);
        assert_eq!(scan.read[0].1.as_deref(), Ok("a: 2"));
    }

    #[test]
    fn an_emptied_directory_is_believed_only_on_demand() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.yaml"), "a: 1").unwrap();
        let mut tree = Tree::new(dir.path().into());
        tree.scan(false).unwrap();
        fs::remove_file(dir.path().join("a.yaml")).unwrap();
        let doubted = tree.scan(false).unwrap();
        assert!(doubted.emptied && doubted.gone.is_empty());
        let believed = tree.scan(true).unwrap();
        assert!(!believed.emptied && believed.gone.len() == 1);
    }

    #[test]
    fn text_that_is_not_utf8_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.yaml"), b"a: \xff").unwrap();
        let scan = Tree::new(dir.path().into()).scan(false).unwrap();
        assert_eq!(scan.read[0].1, Err("not UTF-8 text".into()));
    }

    #[test]
    fn a_missing_root_is_an_error_not_an_empty_directory() {
        let dir = tempfile::tempdir().unwrap();
        let error = Tree::new(dir.path().join("none")).scan(true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
