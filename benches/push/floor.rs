//! The floor: a server that sends what another one sent, from shared buffers, and decides nothing.
//!
//! It is what HTTP/2, the sockets and the kernel cost; no control plane can be cheaper on the same
//! wire. It runs as a process of its own, so that its processor time can be read, and is told on
//! its standard input which change to send.

use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::Response;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::broadcast;

use crate::recording::{Message, Recording};
use crate::request::framed;
use crate::resource::{Kind, Mode};
use crate::sieve::{Part, Sieve};
use crate::wire::{Value, put_bytes};

/// Up to this size, one small copy is cheaper than another frame.
const COPIED: usize = 16 << 10;

/// Changes that may wait for a stream that does not keep up.
const BACKLOG: usize = 1024;

/// What all streams share.
struct Floor {
    recording: Recording,
    /// Numbers of changes.
    changes: broadcast::Sender<usize>,
}

/// A stream's own state.
struct Session {
    floor: Arc<Floor>,
    send: SendStream<Bytes>,
    nonce: u64,
}

/// What a request says, as far as it matters here.
#[derive(Default)]
struct Asked {
    kind: Option<Kind>,
    is_ack: bool,
}

/// Serves until standard input ends. Prints its port when it listens.
pub(crate) fn main(recording: &Path) -> anyhow::Result<()> {
    let recording = Recording::load(recording)?;
    let floor = Arc::new(Floor {
        recording,
        changes: broadcast::Sender::new(BACKLOG),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let listener = runtime.block_on(async { listen() })?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    runtime.spawn(serve(listener, floor.clone()));
    for line in std::io::stdin().lock().lines() {
        // Without streams there is nobody to tell.
        let _ = floor.changes.send(line?.parse()?);
    }
    Ok(())
}

/// With room for a storm: the library's own backlog of 128 makes clients wait for retransmissions.
fn listen() -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(4096)
}

async fn serve(listener: TcpListener, floor: Arc<Floor>) {
    while let Ok((socket, _)) = listener.accept().await {
        let floor = floor.clone();
        tokio::spawn(async move {
            // A client that hangs up is not an event here.
            let _ = connection(socket, floor).await;
        });
    }
}

async fn connection(socket: TcpStream, floor: Arc<Floor>) -> anyhow::Result<()> {
    socket.set_nodelay(true)?;
    let mut connection = h2::server::handshake(socket).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(stream(request.into_body(), respond, floor.clone()));
    }
    Ok(())
}

async fn stream(body: RecvStream, respond: SendResponse<Bytes>, floor: Arc<Floor>) {
    let _ = converse(body, respond, floor).await;
}

async fn converse(
    mut body: RecvStream,
    mut respond: SendResponse<Bytes>,
    floor: Arc<Floor>,
) -> anyhow::Result<()> {
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .body(())?;
    let send = respond.send_response(response, false)?;
    let mut changes = floor.changes.subscribe();
    let mut session = Session {
        floor,
        send,
        nonce: 0,
    };
    let (mut sieve, mut asked) = (Sieve::default(), Asked::default());
    loop {
        tokio::select! {
            chunk = body.data() => {
                let Some(chunk) = chunk.transpose()? else { return Ok(()) };
                body.flow_control().release_capacity(chunk.len())?;
                let mut wanted = Vec::new();
                let mode = session.floor.recording.mode;
                sieve.feed(&chunk, |part| wanted.extend(asked.take(mode, part)))?;
                for kind in wanted {
                    session.answer(kind)?;
                }
            }
            change = changes.recv() => session.change(change?)?,
        }
    }
}

// === impl Asked ===

impl Asked {
    /// The type whose resources are asked for, at the end of a request that is no ACK. Type and
    /// nonce are fields 2 and 6 in delta, 4 and 5 else.
    fn take(&mut self, mode: Mode, part: Part<'_>) -> Option<Kind> {
        let (type_url, nonce) = if mode == Mode::Delta { (2, 6) } else { (4, 5) };
        match part {
            Part::Field(number, Value::Bytes(bytes)) if number == type_url => {
                self.kind = Kind::from_type_url(bytes)
            }
            Part::Field(number, _) if number == nonce => self.is_ack = true,
            Part::Field(..) => {}
            Part::End(_) => return std::mem::take(self).wanted(),
        }
        None
    }

    fn wanted(self) -> Option<Kind> {
        self.kind.filter(|_| !self.is_ack)
    }
}

// === impl Session ===

impl Session {
    fn answer(&mut self, kind: Kind) -> Result<(), h2::Error> {
        let floor = self.floor.clone();
        let messages = floor.recording.full.iter().filter(|(k, _)| *k == kind);
        messages
            .into_iter()
            .try_for_each(|message| self.push(message))
    }

    fn change(&mut self, number: usize) -> Result<(), h2::Error> {
        let floor = self.floor.clone();
        let messages = floor.recording.changes.get(number).into_iter().flatten();
        messages
            .into_iter()
            .try_for_each(|message| self.push(message))
    }

    fn push(&mut self, (_, body): &Message) -> Result<(), h2::Error> {
        self.nonce += 1;
        let mut own = Vec::with_capacity(32 + if body.len() <= COPIED { body.len() } else { 0 });
        put_bytes(&mut own, 5, self.nonce.to_string().as_bytes());
        if body.len() <= COPIED {
            own.extend_from_slice(body);
            return self.send.send_data(framed(&own, 0), false);
        }
        self.send.send_data(framed(&own, body.len()), false)?;
        self.send.send_data(body.clone(), false)
    }
}
