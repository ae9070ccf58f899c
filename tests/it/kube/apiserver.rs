//! etcd, a kube-apiserver with RBAC, and kubectl for its operator.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use ::watch::kube::{Access, Servers};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use http::Method;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::part::Part;

pub(super) const PATIENCE: Duration = Duration::from_secs(90);

pub(super) const RBAC: &str = include_str!("../../../config/kubernetes/rbac.yaml");
pub(super) const DEFINITIONS: &str = include_str!("../../../config/crds/istio.yaml");

pub(super) struct Apiserver {
    dir: PathBuf,
    ports: [u16; 3],
    etcd: Part,
    server: Option<Part>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Apiserver {
    /// The one for tests that harm nothing, with definitions and rules.
    pub(super) async fn shared() -> &'static Apiserver {
        static SHARED: OnceCell<Apiserver> = OnceCell::const_new();
        let start = async || {
            let server = Apiserver::start(None).await;
            server.apply(DEFINITIONS).await;
            server.apply(RBAC).await;
            server.serves("virtualservices.networking.istio.io").await;
            server
        };
        SHARED.get_or_init(start).await
    }

    /// One for a test of its own, without definitions; one at a time.
    pub(super) async fn own() -> Apiserver {
        static TURNS: OnceCell<std::sync::Arc<Semaphore>> = OnceCell::const_new();
        let turns = TURNS.get_or_init(async || Semaphore::new(1).into()).await;
        let turn = turns.clone().acquire_owned().await.unwrap();
        let server = Apiserver::start(Some(turn)).await;
        server.apply(RBAC).await;
        server
    }

    async fn start(turn: Option<OwnedSemaphorePermit>) -> Apiserver {
        let dir = tempfile::Builder::new()
            .prefix("kube")
            .tempdir()
            .unwrap()
            .keep();
        let ports = free_ports();
        write_keys(&dir);
        let tokens =
            "operator,operator,1,\"system:masters\"\npilothouse,pilothouse,2\nnobody,nobody,3\n";
        std::fs::write(dir.join("tokens.csv"), tokens).unwrap();
        let client = format!("http://127.0.0.1:{}", ports[0]);
        let words = [
            "etcd".to_owned(),
            format!("--data-dir={}", dir.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls=http://127.0.0.1:{}", ports[1]),
        ];
        let etcd = Part::start(&dir.join("etcd.log"), Some(&dir), &words);
        let mut server = Apiserver {
            dir,
            ports,
            etcd,
            server: None,
            _turn: turn,
        };
        server.restart().await;
        server
    }

    /// Starts the apiserver, again if it runs, and waits until it is ready.
    pub(super) async fn restart(&mut self) {
        self.kill();
        let file = |name: &str| self.dir.join(name).display().to_string();
        let words = [
            binary().display().to_string(),
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports[0]),
            format!("--secure-port={}", self.ports[2]),
            "--bind-address=127.0.0.1".into(),
            format!("--cert-dir={}", file("certs")),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC".into(),
            "--disable-admission-plugins=ServiceAccount".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", file("account.pub")),
            format!("--service-account-signing-key-file={}", file("account.key")),
        ];
        let log = self.dir.join("apiserver.log");
        self.server = Some(Part::start(&log, None, &words));
        self.until_ready().await;
    }

    pub(super) fn kill(&mut self) {
        drop(self.server.take());
    }

    pub(super) fn etcd(&self) -> &Part {
        &self.etcd
    }

    pub(super) fn port(&self) -> u16 {
        self.ports[2]
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.dir.join("certs/apiserver.crt")
    }

    /// A file with the token of a user: `operator`, `pilothouse` or `nobody`.
    pub(super) fn token(&self, user: &str) -> PathBuf {
        let path = self.dir.join(format!("{user}.token"));
        std::fs::write(&path, user).unwrap();
        path
    }

    /// A kubeconfig of a user.
    pub(super) fn kubeconfig(&self, user: &str) -> PathBuf {
        let path = self.dir.join(format!("{user}.kubeconfig"));
        let (port, ca) = (self.port(), self.certificate());
        let text = format!(
            "apiVersion: v1\nkind: Config\n\
             clusters:\n- name: test\n  cluster:\n    server: https://127.0.0.1:{port}\n    certificate-authority: {}\n\
             users:\n- name: user\n  user:\n    token: {user}\n\
             contexts:\n- name: test\n  context:\n    cluster: test\n    user: user\n\
             current-context: test\n",
            ca.display()
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn access(&self, user: &str) -> Access {
        Access::Kubeconfig(self.kubeconfig(user))
    }

    pub(super) async fn servers(&self, user: &str) -> Servers {
        self.access(user).connect().await.unwrap()
    }

    pub(super) async fn apply(&self, text: &str) {
        self.kubectl(&["apply", "-f", "-"], text).await;
    }

    /// What kubectl prints; it must succeed.
    pub(super) async fn kubectl(&self, words: &[&str], input: &str) -> String {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.kubeconfig("operator"))
            .arg("--cache-dir")
            .arg(self.dir.join("cache"))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let (out, err) = (
            output.stdout,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(output.status.success(), "kubectl {words:?}: {err}");
        String::from_utf8(out).unwrap()
    }

    /// One request by the operator.
    pub(super) async fn send(&self, method: Method, path: &str, document: Option<&Value>) -> Value {
        let servers = self.servers("operator").await;
        let answer = servers.send(method, path, document, PATIENCE).await;
        answer.unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Waits until the objects of a definition can be read.
    pub(super) async fn serves(&self, definition: &str) {
        self.kubectl(
            &[
                "wait",
                "--for=condition=Established",
                "--timeout=60s",
                &format!("crd/{definition}"),
            ],
            "",
        )
        .await;
    }

    async fn until_ready(&self) {
        let servers = async || match self.certificate().exists() {
            true => self.access("operator").connect().await.ok(),
            false => None,
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(servers) = servers().await {
                let path = "/api/v1/namespaces/default";
                let asked = servers
                    .send(Method::GET, path, None, Duration::from_secs(5))
                    .await;
                if asked.is_ok() {
                    return;
                }
            }
            assert!(
                Instant::now() < deadline,
                "not ready: see {}",
                self.dir.display()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn binary() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/kube-apiserver.sh");
    let found = std::process::Command::new(script)
        .arg("--find")
        .output()
        .unwrap();
    assert!(
        found.status.success(),
        "there is no kube-apiserver: run `make kube`"
    );
    String::from_utf8(found.stdout).unwrap().trim().into()
}

fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// The apiserver does not start without a key for accounts, though nobody asks for a token.
fn write_keys(dir: &Path) {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let private = key.to_pkcs8v1().unwrap();
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let pem = |label: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    std::fs::write(
        dir.join("account.key"),
        pem("PRIVATE KEY", private.as_ref()),
    )
    .unwrap();
    std::fs::write(dir.join("account.pub"), pem("PUBLIC KEY", public.as_ref())).unwrap();
}
