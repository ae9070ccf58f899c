//! What the bench asks the control plane and the shell.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rig::Rig;

/// What has not happened then never will.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// The control plane's HTTP server.
pub(crate) struct Pages {
    http: reqwest::Client,
    base: String,
}

impl Pages {
    pub(crate) fn of(rig: &Rig) -> Result<Pages> {
        Ok(Pages {
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(5))
                .build()?,
            base: format!("http://{}:15007", rig.layout().inside()),
        })
    }

    /// A page, if it is there.
    pub(crate) async fn get(&self, path: &str) -> Option<String> {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await;
        let answer = answer.ok()?.error_for_status().ok()?;
        answer.text().await.ok()
    }
}

/// Looks until there is something to see.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(seen) = look().await {
            return Ok(seen);
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("not within {LIMIT:?}: {what}")
}

/// A line of shell beside the master, which must succeed.
pub(crate) async fn shell(rig: &Rig, line: &str) -> Result<String> {
    let (success, shown) = rig.shell(line).await?;
    ensure!(success, "{line}: {shown}");
    Ok(shown)
}
