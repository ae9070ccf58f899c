//! Follows the configuration directory while a person edits it, and tells how fast each edit was.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use tokio::time::sleep;

use super::say;
use crate::mesh::Mesh;

/// How often the directory is looked at.
const POLL: Duration = Duration::from_millis(20);
/// So many looks at the directory go by between two at the state: endpoints change it as well.
const REFRESH: u32 = 25;
/// An edit that changes nothing for any Envoy is told so after this time.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was there when somebody began to follow.
pub(super) struct Edits<'a> {
    mesh: &'a Mesh,
    seen: SystemTime,
    generation: u64,
}

impl<'a> Edits<'a> {
    /// From now on, every edit counts.
    pub(super) async fn since_now(mesh: &'a Mesh) -> anyhow::Result<Self> {
        Ok(Self {
            mesh,
            seen: newest(&mesh.files().config())?,
            generation: mesh.generation().await?,
        })
    }

    /// Tells of every edit, for years.
    pub(super) async fn follow(mut self) -> anyhow::Result<()> {
        for look in 1_u32.. {
            sleep(POLL).await;
            let now = newest(&self.mesh.files().config())?;
            if now > self.seen {
                self.seen = now;
                self.tell(now).await;
            } else if !look.is_multiple_of(REFRESH) {
                continue;
            }
            self.generation = self.mesh.generation().await.unwrap_or(self.generation);
        }
        Ok(())
    }

    async fn tell(&self, edited: SystemTime) {
        // The edit is as old as its time stamp says; we only noticed now.
        let age = edited.elapsed().unwrap_or_default();
        let began = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        match self
            .mesh
            .acknowledged(self.generation, began, PATIENCE)
            .await
        {
            Ok(took) => say(&format!(
                "edit acknowledged by every Envoy after {} ms",
                took.as_millis()
            )),
            Err(_) => say(&format!(
                "edit without effect on any Envoy; {}/debug/diagnosticsz?format=text tells why",
                self.mesh.pages().url()
            )),
        }
    }
}

/// The last time at which a file was written, made or removed.
fn newest(dir: &Path) -> io::Result<SystemTime> {
    let mut newest = fs::metadata(dir)?.modified()?;
    for entry in fs::read_dir(dir)? {
        // A file that goes while we look has changed the directory's own time.
        if let Ok(modified) = entry.and_then(|entry| entry.metadata()?.modified()) {
            newest = newest.max(modified);
        }
    }
    Ok(newest)
}
