//! One Envoy process with its files: bootstrap and log in the run directory.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::nursery::{self, Order};
use super::{Admin, AdminError, Binary};

/// How often readiness is asked for.
const POLL: Duration = Duration::from_millis(20);
/// Envoy ends within milliseconds on TERM unless it is stuck.
const TERM_GRACE: Duration = Duration::from_secs(3);
/// Lines of the log that an error message shows.
const TAIL: usize = 15;

/// Why an Envoy did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum EnvoyError {
    /// A file of the run directory, or the binary, could not be used.
    #[error("Envoy {name}: {what}: {source}")]
    Io {
        /// Which Envoy.
        name: String,
        /// Which step, with its path.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended by itself: the log says why, mostly a bad bootstrap or an address in use.
    #[error("Envoy {name} ended ({status}); end of {log}:\n{tail}")]
    Ended {
        /// Which Envoy.
        name: String,
        /// How.
        status: ExitStatus,
        /// Its log file.
        log: String,
        /// The last lines of it.
        tail: String,
    },
    /// It runs but has no configuration: the control plane does not answer or warms clusters.
    #[error(
        "Envoy {name} is not ready after {within:?} (admin http://{admin}); \
         is the control plane up? End of {log}:\n{tail}"
    )]
    NotReady {
        /// Which Envoy.
        name: String,
        /// The time it was given.
        within: Duration,
        /// Its admin address.
        admin: SocketAddr,
        /// Its log file.
        log: String,
        /// The last lines of it.
        tail: String,
    },
    /// Its admin interface failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// File name stem and name in messages, for example `reviews-v2`.
    pub name: String,
    /// The executable.
    pub binary: Binary,
    /// The bootstrap document.
    pub bootstrap: Value,
    /// Where that document puts the admin interface.
    pub admin: SocketAddr,
    /// Gets `<name>.bootstrap.json` and `<name>.log`; created if missing.
    pub dir: PathBuf,
    /// `warning`, `info`, `debug`, or per component as Envoy takes it.
    pub log_level: String,
}

/// A running Envoy. Dropping it kills the process.
#[derive(Debug)]
pub struct EnvoyProcess {
    launch: Launch,
    admin: Admin,
    child: Child,
}

impl EnvoyProcess {
    /// Writes the files and starts the process; does not wait until it is ready.
    pub async fn spawn(launch: Launch) -> Result<Self, EnvoyError> {
        let admin = Admin::new(launch.admin)?;
        let child = launch.start().await?;
        Ok(Self {
            launch,
            admin,
            child,
        })
    }

    /// Its name in messages and files.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// Its admin interface.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Its log, appended to over restarts.
    pub fn log(&self) -> PathBuf {
        self.launch.log()
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the process ends by itself or by somebody else's hand.
    pub async fn ended(&mut self) -> EnvoyError {
        match self.child.wait().await {
            Ok(status) => self.launch.ended(status),
            Err(error) => self.launch.io("wait", error),
        }
    }

    /// Waits until Envoy accepts traffic; an Envoy that ended meanwhile is an error at once.
    pub async fn ready(&mut self, within: Duration) -> Result<(), EnvoyError> {
        let deadline = Instant::now() + within;
        loop {
            // No connection yet is the normal case during the first milliseconds.
            if self.admin.ready().await.unwrap_or(false) {
                return Ok(());
            }
            self.still_runs()?;
            if Instant::now() >= deadline {
                return Err(self.not_ready(within));
            }
            sleep(POLL).await;
        }
    }

    /// Ends it in order: TERM, and KILL if that does not help. Ended already is fine.
    pub async fn stop(&mut self) -> Result<(), EnvoyError> {
        if let Some(pid) = self
            .child
            .id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
        {
            // Not reaped, so the id cannot belong to another process.
            let sent = kill_process(pid, Signal::TERM);
            sent.map_err(|error| self.launch.io("send TERM", error.into()))?;
        }
        match timeout(TERM_GRACE, self.child.wait()).await {
            Ok(waited) => waited
                .map(drop)
                .map_err(|error| self.launch.io("wait", error)),
            Err(_late) => self.kill().await,
        }
    }

    /// Ends it at once, as a crash or the OOM killer would.
    pub async fn kill(&mut self) -> Result<(), EnvoyError> {
        self.child
            .kill()
            .await
            .map_err(|error| self.launch.io("kill", error))
    }

    /// Starts it again with the same files; ends the old process first if it still runs.
    pub async fn respawn(&mut self) -> Result<(), EnvoyError> {
        self.stop().await?;
        self.child = self.launch.start().await?;
        Ok(())
    }

    fn still_runs(&mut self) -> Result<(), EnvoyError> {
        let waited = self.child.try_wait();
        match waited.map_err(|error| self.launch.io("wait", error))? {
            None => Ok(()),
            Some(status) => Err(self.launch.ended(status)),
        }
    }

    fn not_ready(&self, within: Duration) -> EnvoyError {
        EnvoyError::NotReady {
            name: self.launch.name.clone(),
            within,
            admin: self.launch.admin,
            log: self.launch.log().display().to_string(),
            tail: tail(&self.launch.log()),
        }
    }
}

impl Launch {
    async fn start(&self) -> Result<Child, EnvoyError> {
        let (bootstrap, log) = self.files()?;
        let program = self.binary.path().to_path_buf();
        let what = format!("start {}", program.display());
        let args = self.args(&bootstrap);
        let order = Order { program, args, log };
        nursery::spawn(order)
            .await
            .map_err(|error| self.io(&what, error))
    }

    fn files(&self) -> Result<(PathBuf, File), EnvoyError> {
        let bootstrap = self.dir.join(format!("{}.bootstrap.json", self.name));
        let about = |what: &str, path: &Path| format!("{what} {}", path.display());
        fs::create_dir_all(&self.dir)
            .map_err(|error| self.io(&about("create", &self.dir), error))?;
        fs::write(&bootstrap, format!("{:#}\n", self.bootstrap))
            .map_err(|error| self.io(&about("write", &bootstrap), error))?;
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.map_err(|error| self.io(&about("open", &self.log()), error))?;
        Ok((bootstrap, log))
    }

    fn args(&self, bootstrap: &Path) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["-c".into(), bootstrap.into()];
        // No hot restart: it needs a base id per Envoy in shared memory, and nobody uses it here.
        args.extend(["--disable-hot-restart", "--concurrency", "1"].map(OsString::from));
        args.extend(["--log-level", &self.log_level].map(OsString::from));
        args
    }

    fn log(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.name))
    }

    fn ended(&self, status: ExitStatus) -> EnvoyError {
        EnvoyError::Ended {
            name: self.name.clone(),
            status,
            log: self.log().display().to_string(),
            tail: tail(&self.log()),
        }
    }

    fn io(&self, what: &str, source: io::Error) -> EnvoyError {
        let (name, what) = (self.name.clone(), what.to_owned());
        EnvoyError::Io { name, what, source }
    }
}

/// The last lines of a log, for an error message; empty if there is none.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
