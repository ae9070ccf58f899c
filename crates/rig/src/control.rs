//! What runs beside the master: the control plane, as a process with the guide's own flags.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::layout::DOMAIN;
use crate::place::{Place, User};

const POLL: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the control plane takes Istio's objects from.
#[derive(Debug, Clone)]
pub enum Source {
    /// YAML files.
    Directory(PathBuf),
    /// A kube-apiserver.
    Kubeconfig(PathBuf),
}

/// The control plane. It can be killed and started again, as a test likes.
pub struct ControlPlane {
    master: Place,
    line: Vec<String>,
    child: Option<Child>,
}

impl ControlPlane {
    /// Nothing runs yet.
    pub(crate) fn new(master: Place, own: &Path, source: &Source, mesh: &Path) -> ControlPlane {
        let (flag, path) = match source {
            Source::Directory(path) => ("--configDir", path),
            Source::Kubeconfig(path) => ("--kubeconfig", path),
        };
        // The launch line of the guide's own pilot.json, and where configuration is.
        let line = [
            &own.display().to_string(),
            "discovery",
            "--httpAddr",
            ":15007",
            "--registries",
            "Mesos",
            "--domain",
            DOMAIN,
            "--mesosVIPDomain",
            DOMAIN,
            "--mesosMaster",
            "http://master.mesos:8080",
            "--meshConfig",
            &mesh.display().to_string(),
            flag,
            &path.display().to_string(),
        ];
        ControlPlane {
            master,
            line: line.map(str::to_owned).into(),
            child: None,
        }
    }

    /// Adds flags for the next start.
    pub fn with(&mut self, flags: &[&str]) {
        self.line
            .extend(flags.iter().map(|flag| (*flag).to_owned()));
    }

    /// Starts it, unless it runs. Does not wait until it is ready.
    pub async fn start(&mut self) -> io::Result<()> {
        if self.child.is_none() {
            let words: Vec<&str> = self.line.iter().map(String::as_str).collect();
            self.child = Some(self.master.start("pilothouse", User::Root, &words).await?);
        }
        Ok(())
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// SIGKILL, as a crash would.
    pub async fn kill(&mut self) -> io::Result<()> {
        match self.child.take() {
            Some(mut child) => child.kill().await,
            None => Ok(()),
        }
    }
}

/// Waits until something accepts connections at an address that the machine can reach.
pub(crate) async fn until_open(ip: Ipv4Addr, port: u16) -> io::Result<()> {
    let (at, deadline) = (SocketAddr::from((ip, port)), Instant::now() + PATIENCE);
    loop {
        match tokio::net::TcpStream::connect(at).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                let text = format!("nothing listens on {at} after {PATIENCE:?}: {error}");
                return Err(io::Error::other(text));
            }
            Err(_) => sleep(POLL).await,
        }
    }
}

/// Runs a program in a place and gives what it printed, and whether it succeeded.
pub(crate) async fn output(
    place: &Place,
    user: User,
    program: &[&str],
) -> io::Result<(bool, String)> {
    let mut line = place.command(user, program).into_iter();
    let mut command = Command::new(line.next().unwrap_or_default());
    let output = command.args(line).kill_on_drop(true).output().await?;
    let text = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}
