//! The store of configuration, of real parts: etcd and a kube-apiserver beside the master.
//!
//! The apiserver is 1.20, the last line that serves CRDs in both of their forms. It makes its own
//! serving certificate; who calls it is told by one static token.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep};

use crate::layout::{Layout, MASTER};
use crate::place::{Place, User};
use crate::tools;

const TOKEN: &str = "rig-operator";
const POLL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

/// etcd and kube-apiserver. Each can be killed and started again; etcd keeps its data.
pub struct Kube {
    master: Place,
    directory: PathBuf,
    apiserver_binary: PathBuf,
    etcd: Option<Child>,
    apiserver: Option<Child>,
}

impl Kube {
    /// Writes files; nothing runs yet.
    pub(crate) fn prepare(master: Place, layout: Layout) -> io::Result<Kube> {
        let directory = layout.directory().join("kube");
        fs::create_dir_all(&directory)?;
        let tokens = format!("{TOKEN},operator,1,system:masters\n");
        fs::write(directory.join("tokens.csv"), tokens)?;
        fs::write(layout.directory().join("kubeconfig"), kubeconfig())?;
        service_account_key(&directory)?;
        Ok(Kube {
            master,
            directory,
            apiserver_binary: tools::apiserver().map_err(io::Error::other)?,
            etcd: None,
            apiserver: None,
        })
    }

    /// Starts what does not run, and waits until it answers.
    pub async fn start(&mut self) -> io::Result<()> {
        if self.etcd.is_none() {
            let data = format!("--data-dir={}", self.directory.join("etcd").display());
            let program = [
                "etcd",
                &data,
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                // A test's data need not survive a power cut.
                "--unsafe-no-fsync",
            ];
            self.etcd = Some(self.master.start("etcd", User::Root, &program).await?);
        }
        if self.apiserver.is_none() {
            let words = self.apiserver_line();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let started = self.master.start("apiserver", User::Root, &words).await?;
            self.apiserver = Some(started);
        }
        self.until_ready().await
    }

    /// SIGKILL for the apiserver.
    pub async fn kill_apiserver(&mut self) -> io::Result<()> {
        end(&mut self.apiserver).await
    }

    /// SIGKILL for both.
    pub async fn kill(&mut self) -> io::Result<()> {
        end(&mut self.apiserver).await?;
        end(&mut self.etcd).await
    }

    /// The process of etcd, for SIGSTOP and SIGCONT.
    pub fn etcd(&self) -> Option<u32> {
        self.etcd.as_ref()?.id()
    }

    fn apiserver_line(&self) -> Vec<String> {
        let file = |name: &str| self.directory.join(name).display().to_string();
        vec![
            self.apiserver_binary.display().to_string(),
            "--etcd-servers=http://127.0.0.1:2379".into(),
            format!("--cert-dir={}", file("certs")),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", file("service-account.pub")),
            format!(
                "--service-account-signing-key-file={}",
                file("service-account.key")
            ),
            "--disable-admission-plugins=ServiceAccount".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            "--bind-address=0.0.0.0".into(),
            // It would look for a default route, and there is none.
            format!("--advertise-address={MASTER}"),
            "--secure-port=6443".into(),
        ]
    }

    async fn until_ready(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let header = format!("Authorization: Bearer {TOKEN}");
        let ask = [
            "curl",
            "-skf",
            "-H",
            &header,
            "https://127.0.0.1:6443/readyz",
        ];
        while Instant::now() < deadline {
            let mut line = self.master.command(User::Root, &ask).into_iter();
            let mut command = Command::new(line.next().unwrap_or_default());
            if command.args(line).output().await?.status.success() {
                return Ok(());
            }
            for (name, child) in [("etcd", &mut self.etcd), ("apiserver", &mut self.apiserver)] {
                if let Some(child) = child
                    && let Some(status) = child.try_wait()?
                {
                    let log = self.master.directory().join(format!("{name}.log"));
                    let text = format!("{name} ended ({status}); see {}", log.display());
                    return Err(io::Error::other(text));
                }
            }
            sleep(POLL).await;
        }
        Err(io::Error::other(format!(
            "the apiserver is not ready after {PATIENCE:?}"
        )))
    }
}

async fn end(child: &mut Option<Child>) -> io::Result<()> {
    match child.take() {
        Some(mut child) => child.kill().await,
        None => Ok(()),
    }
}

/// The apiserver will not start without a key to sign accounts' tokens with, though nobody asks for any.
fn service_account_key(directory: &Path) -> io::Result<()> {
    let key = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    fs::write(directory.join("service-account.pub"), key.public_key_pem())?;
    fs::write(directory.join("service-account.key"), key.serialize_pem())
}

fn kubeconfig() -> String {
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: rig\n  cluster:\n    server: https://127.0.0.1:6443\n    insecure-skip-tls-verify: true\n\
         users:\n\
         - name: operator\n  user:\n    token: {TOKEN}\n\
         contexts:\n\
         - name: rig\n  context:\n    cluster: rig\n    user: operator\n\
         current-context: rig\n"
    )
}
