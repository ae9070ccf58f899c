//! The event stream on the wire.
//!
//! Close-delimited, not chunked, `Connection: close`; a heartbeat is a bare
//! CRLF whose CR and LF are flushed separately, as Jetty's event source does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{MissedTickBehavior, interval_at};

use super::request::Request;
use super::response::Response;
use crate::error::ApiError;
use crate::events::{Stream, Wishes};
use crate::render::event;
use crate::server::Shared;
use crate::state::State;

/// Serves `/v2/events` until the client leaves or the stream is cut.
pub(crate) async fn serve(
    shared: Shared,
    mut socket: TcpStream,
    request: Request,
    via: Option<String>,
) -> io::Result<()> {
    // Jetty compares the whole value: a list or a parameter is refused.
    if request.header("accept") != Some("text/event-stream") {
        let answer = Response::from(ApiError::MethodNotAllowed);
        answer.send(&mut socket, None).await?;
        return socket.shutdown().await;
    }
    // Small writes must not wait for each other: CR and LF travel alone.
    socket.set_nodelay(true)?;
    socket.write_all(head(&shared, via).as_bytes()).await?;
    let remote = request.peer.ip().to_string();
    let Some((id, stream)) = shared.mutate(|state| subscribe(state, &request, &remote)) else {
        return socket.shutdown().await;
    };
    let _guard = Attached {
        shared: shared.clone(),
        id,
        remote,
    };
    let seed = shared.read(|s| s.options.seed);
    let shredder = StdRng::seed_from_u64(seed.wrapping_add(id));
    pump(&shared, &mut socket, &stream, shredder).await
}

fn head(shared: &Shared, via: Option<String>) -> String {
    let leader = shared.read(|s| s.leader_addr());
    let leader = leader.map(|l| format!("X-Marathon-Leader: http://{l}\r\n"));
    let via = via.map(|v| format!("X-Marathon-Via: {v}\r\n"));
    format!(
        "HTTP/1.1 200 OK\r\n\
         Content-Type: text/event-stream;charset=utf-8\r\n\
         Cache-Control: no-cache, no-store, must-revalidate\r\n\
         {}{}Connection: close\r\n\r\n",
        leader.unwrap_or_default(),
        via.unwrap_or_default()
    )
}

/// Opens a stream, unless the leader is so new that it closes it at once.
fn subscribe(state: &mut State, request: &Request, remote: &str) -> Option<(u64, Arc<Stream>)> {
    if state.unready > 0 {
        state.unready -= 1;
        return None;
    }
    let opened = state.hub.subscribe(Wishes {
        types: request.params("event_type").map(str::to_owned).collect(),
        plan_format: request.param("plan-format").map(str::to_owned),
    });
    state.publish(event::stream(true, remote));
    Some(opened)
}

async fn pump(
    shared: &Shared,
    socket: &mut TcpStream,
    stream: &Arc<Stream>,
    mut dice: StdRng,
) -> io::Result<()> {
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
            frame = stream.next(), if !silent => {
                if shared.read(|s| s.faults.events.shred) {
                    shred(&mut writer, &frame, &mut dice).await?;
                } else {
                    writer.write_all(&frame).await?;
                }
            }
            _ = heartbeat.tick(), if !silent => {
                stream.release();
                writer.write_all(b"\r").await?;
                writer.flush().await?;
                // A reader on this thread shall see the CR alone.
                tokio::task::yield_now().await;
                writer.write_all(b"\n").await?;
            }
        }
    }
}

/// Sends a frame in pieces that end anywhere.
async fn shred(writer: &mut WriteHalf<'_>, frame: &[u8], dice: &mut StdRng) -> io::Result<()> {
    let mut rest = frame;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(dice.random_range(1..=rest.len()));
        writer.write_all(piece).await?;
        writer.flush().await?;
        // Long enough for a reader to see the piece alone.
        tokio::time::sleep(Duration::from_millis(1)).await;
        rest = after;
    }
    Ok(())
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
