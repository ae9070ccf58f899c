//! One gRPC stream on one TCP connection, as a proxy opens it.
//!
//! Windows are those that Envoy 1.40 announces, the same for every server; frames are as small as
//! Envoy's, too (16 KB).

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::{Method, Request as HttpRequest, StatusCode};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use crate::request::Request;
use crate::resource::Mode;

const STREAM_WINDOW: u32 = 16 << 20;
const CONNECTION_WINDOW: u32 = 24 << 20;

/// Why a stream did not come about, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("connect: {0}")]
    Connect(#[from] io::Error),
    #[error("HTTP/2: {0}")]
    Http(#[from] h2::Error),
    #[error("refused with HTTP {0}, gRPC status {1}: {2}")]
    Refused(StatusCode, String, String),
    #[error("the response cannot be read: {0}")]
    Malformed(#[from] crate::sieve::Malformed),
    #[error("the server ended the stream")]
    Ended,
}

/// An open stream. Dropping it closes the connection.
pub(crate) struct Stream {
    send: SendStream<Bytes>,
    pub(crate) receive: RecvStream,
    driver: JoinHandle<()>,
}

/// A proxy that is told to stop reads nothing any more, not even from its socket.
#[derive(Clone, Default)]
pub(crate) struct Stalled(Rc<Cell<bool>>);

// === impl Stream ===

impl Stream {
    /// Connects from an address of its own, sends the first requests and waits for the headers.
    pub(crate) async fn open(
        server: SocketAddr,
        from: Ipv4Addr,
        mode: Mode,
        first: Vec<Request>,
        stalled: Stalled,
    ) -> Result<Stream, Lost> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let connection = socket.connect(server).await?;
        connection.set_nodelay(true)?;
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let (sender, mut connection) = builder.handshake(connection).await?;
        let driver = tokio::task::spawn_local(async move {
            // An error shows at the stream, too.
            let _ = poll_fn(|cx| {
                if stalled.0.get() {
                    Poll::Pending
                } else {
                    Pin::new(&mut connection).poll(cx)
                }
            })
            .await;
        });
        let driver = Driver(Some(driver));
        let mut sender = sender.ready().await?;
        let (response, mut send) = sender.send_request(head(server, mode), false)?;
        for request in first {
            put(&mut send, request)?;
        }
        let response = response.await?;
        let text = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
        };
        if response.status() != StatusCode::OK || text("grpc-status").is_some() {
            let (code, message) = (
                text("grpc-status").unwrap_or_default(),
                text("grpc-message").unwrap_or_default(),
            );
            return Err(Lost::Refused(response.status(), code, message));
        }
        Ok(Stream {
            send,
            receive: response.into_body(),
            driver: driver.keep(),
        })
    }

    pub(crate) fn send(&mut self, request: Request) -> Result<(), Lost> {
        Ok(put(&mut self.send, request)?)
    }

    /// The next bytes. May be dropped while waiting.
    pub(crate) async fn next(&mut self) -> Result<Bytes, Lost> {
        match self.receive.data().await {
            Some(chunk) => {
                let chunk = chunk?;
                self.receive.flow_control().release_capacity(chunk.len())?;
                Ok(chunk)
            }
            None => Err(Lost::Ended),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn head(server: SocketAddr, mode: Mode) -> HttpRequest<()> {
    let request = HttpRequest::builder()
        .method(Method::POST)
        .uri(format!("http://{server}{}", mode.path()));
    let request = request
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    request.body(()).expect("constant parts make a request")
}

fn put(send: &mut SendStream<Bytes>, request: Request) -> Result<(), h2::Error> {
    let whole = request.tail.is_empty();
    send.send_data(request.head, false)?;
    if whole {
        Ok(())
    } else {
        send.send_data(request.tail, false)
    }
}

/// Ends the connection's task if the stream does not come about.
struct Driver(Option<JoinHandle<()>>);

impl Driver {
    fn keep(mut self) -> JoinHandle<()> {
        self.0.take().expect("it is taken once, here")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

// === impl Stalled ===

impl Stalled {
    pub(crate) fn set(&self) {
        self.0.set(true);
    }
}
