//! A backend behind TLS of its own, which the mesh passes through by the server name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};

use super::PATIENCE;

/// Answers every request with the server name that was asked for.
pub(super) async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let acceptor = acceptor();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(socket, acceptor.clone()));
        }
    });
    at
}

fn acceptor() -> TlsAcceptor {
    let own = rcgen::generate_simple_self_signed(vec!["backend".to_owned()]).unwrap();
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let chain = vec![own.cert.der().clone()];
    let config = builder.with_no_client_auth().with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

async fn answer(socket: TcpStream, acceptor: TlsAcceptor) -> Option<()> {
    let mut inside = acceptor.accept(socket).await.ok()?;
    let name = inside.get_ref().1.server_name().unwrap_or_default();
    let text = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{name}",
        name.len()
    );
    // Whatever is asked, if anything is.
    let read = inside.read(&mut [0; 4096]).await.ok()?;
    (read > 0).then_some(())?;
    inside.write_all(text.as_bytes()).await.ok()?;
    inside.shutdown().await.ok()
}

/// Waits until a request through the listener at `via` is answered by the backend.
pub(super) async fn answers(host: &str, via: SocketAddr) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .resolve(host, via)
        .danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    let url = format!("https://{host}:{}/", via.port());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match http.get(&url).send().await {
            Ok(answer) => answer.text().await,
            Err(error) => Err(error),
        };
        if last.as_deref().is_ok_and(|text| text == host) {
            return;
        }
        assert!(Instant::now() < deadline, "{host} via {via}: {last:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
