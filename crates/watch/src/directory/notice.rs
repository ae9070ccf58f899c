//! The kernel's notices that something below a directory changed.
//!
//! Notices only say "look again"; which file changed is found by looking. So a notice that is
//! lost costs one interval of the slow scan and nothing else.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Timing;

pub(super) struct Notices {
    sender: mpsc::Sender<()>,
    receiver: mpsc::Receiver<()>,
    /// The watcher, and the device and inode of the directory that it watches.
    watcher: Option<(RecommendedWatcher, (u64, u64))>,
    complained: bool,
}

// === impl Notices ===

impl Notices {
    pub(super) fn new() -> Notices {
        // One place is enough: a second notice would say nothing that the first does not.
        let (sender, receiver) = mpsc::channel(1);
        Notices {
            sender,
            receiver,
            watcher: None,
            complained: false,
        }
    }

    /// Makes sure that the directory at `root` is watched, also after it was replaced by another.
    pub(super) fn watch(&mut self, root: &Path) {
        let identity = fs::metadata(root).map(|meta| (meta.dev(), meta.ino())).ok();
        if identity == self.watcher.as_ref().map(|(_, watched)| *watched) {
            return;
        }
        self.watcher = None;
        let Some(identity) = identity else { return };
        match start(root, self.sender.clone()) {
            Ok(watcher) => self.watcher = Some((watcher, identity)),
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(
                    directory = %root.display(),
                    %error,
                    remedy = "raise fs.inotify.max_user_watches and max_user_instances",
                    "no notices of changed files; changes are found by a slower scan"
                );
            }
            Err(_) => {}
        }
    }

    /// Waits for a notice, and then until no further one comes for a moment.
    pub(super) async fn settled(&mut self, timing: &Timing) {
        self.receiver.recv().await;
        let last = Instant::now() + timing.most;
        loop {
            let quiet = (Instant::now() + timing.quiet).min(last);
            match timeout_at(quiet, self.receiver.recv()).await {
                Ok(_) if Instant::now() < last => {}
                _ => return,
            }
        }
    }
}

fn start(root: &Path, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !is_news(event.kind)) {
            return;
        }
        // Full means that a notice is waiting already.
        let _ = sender.try_send(());
    })?;
    watcher.watch(root, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Our own reading opens and closes files, and must not make us read again.
fn is_news(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}
