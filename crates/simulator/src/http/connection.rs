//! One connection: requests in, answers out, until an event stream takes over.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::request::{Framing, Malformed, Request, chunked};
use super::{response::Response, stream};
use crate::faults::Effect;
use crate::front::{self, Admission};
use crate::remote::{self, After};
use crate::rest;
use crate::server::Shared;

/// Heads and bodies larger than this are no spec.
const LIMIT: usize = 16 << 20;

/// Serves a connection to its end.
pub(crate) async fn serve(
    shared: Shared,
    member: usize,
    socket: TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    let mut connection = Connection {
        socket,
        peer,
        buffer: Vec::new(),
    };
    loop {
        let request = match connection.request().await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let answer = Response::text(400, error.to_string());
                return answer.send(&mut connection.socket, None).await.map(|_| ());
            }
            Err(error) => return Err(error),
        };
        let (answer, after) = match answer(&shared, member, &request).await {
            Next::Answer(answer, after) => (answer, after),
            Next::Stream(via) => {
                return stream::serve(shared, connection.socket, request, via).await;
            }
        };
        let open = answer.send(&mut connection.socket, Some(&request)).await?;
        if let Some(after) = after {
            after.begin(&shared);
        }
        if !open {
            return connection.socket.shutdown().await;
        }
    }
}

/// What becomes of a request.
enum Next {
    /// An answer, and what begins once it is sent.
    Answer(Response, Option<After>),
    /// The connection becomes an event stream, through that standby.
    Stream(Option<String>),
}

async fn answer(shared: &Shared, member: usize, request: &Request) -> Next {
    if let Some((answer, after)) = remote::handle(shared, request) {
        return Next::Answer(answer, after);
    }
    let via = match front::admit(shared, member, request).await {
        Admission::Pass(via) => via,
        Admission::Answer(answer) => return Next::Answer(answer, None),
    };
    let stream = request.path == "/v2/events" && request.method == "GET";
    let effect = shared.mutate(|state| state.faults.take(&request.path, stream));
    if let Some(Effect::Status(status)) = effect {
        return Next::Answer(Response::text(status, "A fault was asked for."), None);
    }
    if stream {
        return Next::Stream(via);
    }
    let mut answer = shared.mutate(|state| rest::handle(state, request));
    if let Some(via) = via {
        answer = answer.header("X-Marathon-Via", via);
    }
    if let Some(effect) = &effect {
        answer.spoil(effect);
    }
    if shared.read(|s| s.options.gzip) && request.accepts_gzip() {
        answer = answer.compressed();
    }
    let resigned = rest::is_resignation(request, &answer);
    Next::Answer(answer, resigned.then_some(After::Resign))
}

struct Connection {
    socket: TcpStream,
    peer: SocketAddr,
    buffer: Vec<u8>,
}

impl Connection {
    /// The next request, or nothing when the client is done.
    async fn request(&mut self) -> io::Result<Option<Request>> {
        let (mut request, length) = loop {
            match Request::parse(&self.buffer, self.peer).map_err(invalid)? {
                Some(parsed) => break parsed,
                None if !self.fill().await? => return Ok(None),
                None => {}
            }
        };
        self.buffer.drain(..length);
        let expects = request.header("expect").unwrap_or_default();
        if expects.eq_ignore_ascii_case("100-continue") {
            let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
            self.socket.write_all(go_on).await?;
        }
        request.body = self.body(request.framing().map_err(invalid)?).await?;
        Ok(Some(request))
    }

    async fn body(&mut self, framing: Framing) -> io::Result<Vec<u8>> {
        loop {
            let complete = match framing {
                Framing::Length(length) => {
                    let body = self.buffer.get(..length);
                    body.map(|body| (body.to_vec(), length))
                }
                Framing::Chunked => chunked(&self.buffer).map_err(invalid)?,
            };
            if let Some((body, length)) = complete {
                self.buffer.drain(..length);
                return Ok(body);
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads more; false at the end of the stream.
    async fn fill(&mut self) -> io::Result<bool> {
        if self.buffer.len() > LIMIT {
            return Err(invalid(Malformed("too large".into())));
        }
        Ok(self.socket.read_buf(&mut self.buffer).await? > 0)
    }
}

fn invalid(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
