//! The port mapper of an agent: agentIP:hostPort to containerIP:containerPort.
//!
//! On a real agent the CNI port mapper is a DNAT rule. Without root it is a forwarder in user
//! space, with one visible difference: while a container is there but its port is closed, DNAT
//! lets the client see "refused", the forwarder accepts and then resets. Drop the map before the
//! container goes, as the agent does, and clients see "refused" here as well.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Without it, a lack of descriptors would make the accept loop spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// One mapped host port. Dropping it closes the port and cuts its connections.
#[derive(Debug)]
pub struct PortMap {
    listen: SocketAddr,
    target: SocketAddr,
    task: JoinHandle<()>,
}

impl PortMap {
    /// Listens on `listen` (port 0: any) and forwards every connection to `target`.
    pub async fn start(listen: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let listen = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, target));
        Ok(Self {
            listen,
            target,
            task,
        })
    }

    /// Where clients connect.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where connections go.
    pub fn target(&self) -> SocketAddr {
        self.target
    }

    /// Closes the port and all connections, and waits until it is done.
    pub async fn stop(mut self) {
        self.task.abort();
        // Cancelled is what we asked for; nothing else can come out of the endless loop.
        let _ = (&mut self.task).await;
    }
}

impl Drop for PortMap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr) {
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(forward(client, target));
                }
                // Out of descriptors or a client that left already: neither ends the map.
                Err(error) => {
                    tracing::debug!(%target, %error, "host port: accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Both directions until both have ended; an end of stream in one direction is passed on and
/// leaves the other open, as packets through DNAT would.
async fn forward(mut client: TcpStream, target: SocketAddr) {
    let result = async {
        let mut container = TcpStream::connect(target).await?;
        client.set_nodelay(true)?;
        container.set_nodelay(true)?;
        tokio::io::copy_bidirectional(&mut client, &mut container).await
    };
    if let Err(error) = result.await {
        tracing::debug!(%target, %error, "host port: connection ended");
        // A reset, not an orderly end: the client must not take half an answer for a whole one.
        let _ = client.set_zero_linger();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Block;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    const DEADLINE: Duration = Duration::from_secs(5);

    /// Addresses of our own: nobody else takes a port that we close and open again.
    fn ends(block: &Block) -> (SocketAddr, SocketAddr) {
        let (agent, container) = (block.agent(1), block.container(1, 0));
        ((agent, 31_000).into(), (container, 9080).into())
    }

    #[tokio::test]
    async fn a_half_closed_client_still_reads_the_answer() {
        let block = Block::claim().unwrap();
        let (host, target) = ends(&block);
        let server = TcpListener::bind(target).await.unwrap();
        let _map = PortMap::start(host, target).await.unwrap();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut request = String::new();
            // Returns only when the client's end of stream came through.
            stream.read_to_string(&mut request).await.unwrap();
            let answer = request.to_uppercase();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let mut client = TcpStream::connect(host).await.unwrap();
        client.write_all(b"both ways").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        let read = client.read_to_string(&mut answer);
        timeout(DEADLINE, read).await.unwrap().unwrap();
        assert_eq!(answer, "BOTH WAYS");
        answering.await.unwrap();
    }

    #[tokio::test]
    async fn a_closed_target_resets_and_the_map_lives_on() {
        let block = Block::claim().unwrap();
        let (host, target) = ends(&block);
        let _map = PortMap::start(host, target).await.unwrap();
        let mut client = TcpStream::connect(host).await.unwrap();
        let read = timeout(DEADLINE, client.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

        let server = TcpListener::bind(target).await.unwrap();
        let _client = TcpStream::connect(host).await.unwrap();
        timeout(DEADLINE, server.accept()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn stop_cuts_connections_and_closes_the_port() {
        let block = Block::claim().unwrap();
        let (host, target) = ends(&block);
        let server = TcpListener::bind(target).await.unwrap();
        let map = PortMap::start(host, target).await.unwrap();
        let mut client = TcpStream::connect(host).await.unwrap();
        let (_kept_open, _) = server.accept().await.unwrap();
        map.stop().await;
        let ended = timeout(DEADLINE, client.read_u8()).await.unwrap();
        assert!(
            ended.is_err(),
            "the connection must not survive its host port"
        );
        let refused = TcpStream::connect(host).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
