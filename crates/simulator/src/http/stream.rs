//! The event stream on the wire.
//!
//! Close-delimited, not chunked, `Connection: close`; a heartbeat is a bare
//! CRLF whose CR and LF are flushed separately, as Jetty's event source does.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval_at};

use super::request::Request;
use super::response::Response;
use crate::error::ApiError;
use crate::events::Stream;
use crate::render::event;
use crate::server::Shared;

/// Serves `/v2/events` until the client leaves or the stream is cut.
pub(crate) async fn serve(
    shared: Shared,
    mut socket: TcpStream,
    request: Request,
) -> io::Result<()> {
    // Jetty compares the whole value: a list or a parameter is refused.
    if request.header("accept") != Some("text/event-stream") {
        let answer = Response::from(ApiError::MethodNotAllowed);
        socket.write_all(&answer.encode(false, false)).await?;
        return socket.shutdown().await;
    }
    // Small writes must not wait for each other: CR and LF travel alone.
    socket.set_nodelay(true)?;
    let head = format!(
        "HTTP/1.1 200 OK\r\n\
         Content-Type: text/event-stream;charset=utf-8\r\n\
         Cache-Control: no-cache, no-store, must-revalidate\r\n\
         X-Marathon-Leader: {}\r\n\
         Connection: close\r\n\r\n",
        shared.url()
    );
    socket.write_all(head.as_bytes()).await?;
    let types: BTreeSet<String> = request.params("event_type").map(str::to_owned).collect();
    let remote = request.peer.ip().to_string();
    let (id, stream) = shared.mutate(|state| {
        let opened = state.hub.subscribe((!types.is_empty()).then_some(types));
        state.publish(event::stream(true, &remote));
        opened
    });
    let _guard = Attached {
        shared: shared.clone(),
        id,
        remote,
    };
    pump(&shared, &mut socket, &stream).await
}

async fn pump(shared: &Shared, socket: &mut TcpStream, stream: &Arc<Stream>) -> io::Result<()> {
    let (mut reader, mut writer) = socket.split();
    let mut frozen = shared.frozen();
    let period = shared.heartbeat();
    let mut heartbeat = interval_at(tokio::time::Instant::now() + period, period);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ignored = [0u8; 1024];
    loop {
        let silent = *frozen.borrow_and_update();
        tokio::select! {
            biased;
            () = stream.cut.cancelled() => return Ok(()),
            read = reader.read(&mut ignored) => if read? == 0 { return Ok(()) },
            // Before the frames: what is published after a freeze must wait.
            changed = frozen.changed() => if changed.is_err() { return Ok(()) },
            frame = stream.next(), if !silent => writer.write_all(&frame).await?,
            _ = heartbeat.tick(), if !silent => {
                writer.write_all(b"\r").await?;
                writer.flush().await?;
                // A reader on this thread shall see the CR alone.
                tokio::task::yield_now().await;
                writer.write_all(b"\n").await?;
            }
        }
    }
}

/// Tells the others when the stream ends, for whatever reason.
struct Attached {
    shared: Shared,
    id: u64,
    remote: String,
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.shared.mutate(|state| {
            state.hub.unsubscribe(self.id);
            state.publish(event::stream(false, &self.remote));
        });
    }
}
