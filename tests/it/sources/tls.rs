//! Handshakes with a Marathon that speaks TLS: whose certificate is taken, and whether ours is shown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ::watch::State;
use ::watch::marathon::{Options, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use reqwest::Url;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::sources::ear::Ear;
use crate::sources::fake::Fake;
use crate::sources::source::{four, listen, options};

/// Who signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate and its key.
struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = named(name, vec![]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    fn sign(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = named(name, vec![name.to_owned()]);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair { certificate, key }
    }
}

fn named(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A Marathon behind TLS.
struct Secure {
    _fake: Fake,
    url: Url,
    _front: JoinSet<()>,
}

impl Secure {
    /// Shows `pair`; asks for certificates of `clients`, if there are any.
    async fn start(pair: Pair, clients: Option<&Authority>) -> Secure {
        let fake = Fake::start(four(), vec![]).await;
        let behind = fake.url.socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let mut front = JoinSet::new();
        front.spawn(serve(listener, acceptor(pair, clients), behind));
        Secure {
            _fake: fake,
            url: url.parse().unwrap(),
            _front: front,
        }
    }
}

fn acceptor(pair: Pair, clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain: Vec<CertificateDer<'static>> = vec![pair.certificate.der().clone()];
    let key = PrivateKeyDer::try_from(pair.key.serialize_der()).unwrap();
    let config = builder.with_single_cert(chain, key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            // Who is refused hangs up; that is what some of the tests are about.
            let Ok(mut inside) = acceptor.accept(socket).await else {
                return;
            };
            let mut marathon = TcpStream::connect(behind).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut inside, &mut marathon).await;
        });
    }
}

/// Files that live as long as the test.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        Files {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn identity(&self, pair: &Pair) -> (PathBuf, PathBuf) {
        let certificate = self.put("client.pem", &pair.certificate.pem());
        (
            certificate,
            self.put("client.key", &pair.key.serialize_pem()),
        )
    }
}

fn with(url: &Url, authorities: Option<PathBuf>, identity: Option<(PathBuf, PathBuf)>) -> Options {
    let mut options = options(&[url]);
    options.tls = Tls {
        authorities,
        identity,
    };
    options
}

async fn refused(options: Options) -> String {
    let mut ear = listen(options);
    ear.until_status("refused", |s| matches!(s.state, State::Retrying { .. }))
        .await;
    assert!(ear.workloads.now.is_empty());
    ear.status().last_error.unwrap()
}

async fn heard(options: Options) -> Ear {
    let mut ear = listen(options);
    ear.until_list(1).await;
    assert_eq!(ear.workloads.now.len(), 4);
    ear
}

#[tokio::test]
async fn a_bundle_of_authorities_decides_whom_we_talk_to() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let marathon = Secure::start(ours.sign("127.0.0.1"), None).await;
    let files = Files::new();
    let bundle = other.certificate.pem() + &ours.certificate.pem();
    let bundle = files.put("bundle.pem", &bundle);
    heard(with(&marathon.url, Some(bundle), None)).await;

    let wrong = files.put("wrong.pem", &other.certificate.pem());
    let told = refused(with(&marathon.url, Some(wrong), None)).await;
    assert!(
        told.contains("certificate") && told.contains("https://127.0.0.1"),
        "{told}"
    );
    // Nor do the system's authorities know it.
    let told = refused(with(&marathon.url, None, None)).await;
    assert!(told.contains("certificate"), "{told}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let ours = Authority::new("ours");
    let marathon = Secure::start(ours.sign("marathon.mesos"), None).await;
    let files = Files::new();
    let bundle = files.put("ca.pem", &ours.certificate.pem());
    let told = refused(with(&marathon.url, Some(bundle), None)).await;
    assert!(
        told.contains("certificate") || told.contains("name"),
        "{told}"
    );
}

#[tokio::test]
async fn a_marathon_that_asks_for_our_certificate_gets_it() {
    let (ours, people) = (Authority::new("ours"), Authority::new("people"));
    let marathon = Secure::start(ours.sign("127.0.0.1"), Some(&people)).await;
    let files = Files::new();
    let bundle = files.put("ca.pem", &ours.certificate.pem());
    let identity = files.identity(&people.sign("pilothouse"));
    heard(with(&marathon.url, Some(bundle.clone()), Some(identity))).await;

    refused(with(&marathon.url, Some(bundle.clone()), None)).await;
    let stranger = files.identity(&ours.sign("pilothouse"));
    refused(with(&marathon.url, Some(bundle), Some(stranger))).await;
}
