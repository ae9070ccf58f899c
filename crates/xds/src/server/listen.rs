//! Connections: accepted, kept alive, and ended in good time.
//!
//! Our own loop, because a connection has to be told apart from its streams: Envoy opens the next
//! stream on the connection it has, so only closing the connection spreads proxies over replicas
//! anew. Each lives for about the same time, no two for exactly the same, so that they never come
//! back all at once.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::seldom::seldom;
use super::service::Discovery;

/// HTTP/2 pings go out this often, and a peer that does not answer is dead.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a client may send on one stream before we have read it. Requests are small; larger ones
/// come in pieces.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Between two attempts to accept when the process cannot: out of files, mostly.
const RETRY: Duration = Duration::from_millis(100);
/// Ages differ by this part of the maximum, either way.
const JITTER: f64 = 0.2;

/// Accepts connections until shutdown.
///
/// # Errors
/// The listener itself failed, and no connection will ever come.
pub(super) async fn listen(
    listener: TcpListener,
    discovery: Discovery,
    shutdown: CancellationToken,
    tasks: TaskTracker,
) -> io::Result<()> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let ending = shutdown.child_token();
                tasks.spawn(serve(socket, peer, discovery.clone(), ending));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) if !is_shortage(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections: raise the limit of open files, or run more replicas");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// One connection, from accepting it to its end.
async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    discovery: Discovery,
    ending: CancellationToken,
) {
    // A push is one small write, and waits for nothing.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%peer, %error, "nodelay");
    }
    let (age, drain) = (lifetime(&discovery), discovery.limits.drain);
    let streams = ending.clone();
    let service =
        service_fn(move |request| std::future::ready(discovery.call(peer, &streams, request)));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let mut over = seldom(over(&ending, peer, age));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => Some(ended),
        Some(()) = over.next() => None,
    };
    // Streams on it end with status OK, after the GOAWAY that keeps the client from opening more.
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            ending.cancel();
            match tokio::time::timeout(drain, connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    tracing::debug!(%peer, "the client did not hang up in time");
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection lost");
    }
    ending.cancel();
}

fn lifetime(discovery: &Discovery) -> Option<Duration> {
    let age = discovery.limits.max_connection_age;
    (!age.is_zero()).then(|| jittered(age, rand::random()))
}

/// `at` is between 0 and 1.
fn jittered(age: Duration, at: f64) -> Duration {
    age.mul_f64(1.0 - JITTER + 2.0 * JITTER * at)
}

/// Waits until the connection must end.
async fn over(ending: &CancellationToken, peer: SocketAddr, age: Option<Duration>) {
    tokio::select! {
        () = ending.cancelled() => {}
        () = lived(age) => tracing::debug!(%peer, "the connection is old enough"),
    }
}

async fn lived(age: Option<Duration>) {
    match age {
        Some(age) => tokio::time::sleep(age).await,
        None => std::future::pending().await,
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// The process or the machine is short of something; it passes.
fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| shortages.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listener_that_is_gone_ends_the_server() {
        let error = |errno: rustix::io::Errno| io::Error::from(errno);
        use rustix::io::Errno;
        assert!(is_shortage(&error(Errno::MFILE)));
        assert!(is_of_one_connection(&error(Errno::CONNABORTED)));
        for errno in [Errno::BADF, Errno::INVAL] {
            assert!(!is_shortage(&error(errno)) && !is_of_one_connection(&error(errno)));
        }
    }

    #[test]
    fn f11_ages_are_spread_around_the_maximum() {
        let age = Duration::from_secs(100);
        let ages = [0.0, 0.5, 1.0].map(|at| jittered(age, at).as_secs_f64().round());
        assert_eq!(ages, [80.0, 100.0, 120.0]);
    }
}
