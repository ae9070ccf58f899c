//! A Marathon that holds still, until one instance moves on demand.
//!
//! The simulator plays deployments out; here a change must be one change, at a moment that is
//! known, and a list of 50,000 tasks must cost nothing, or the server's cold start would be timed
//! together with it. So every answer is rendered before it is asked for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use generate::Shape;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// As Marathon does; a silent stream counts as dead.
const HEARTBEAT: Duration = Duration::from_secs(10);

const BACKLOG: usize = 4096;

/// A running Marathon; it ends with the process.
#[derive(Clone)]
pub(crate) struct Marathon {
    shape: Shape,
    address: SocketAddr,
    pods: Arc<Mutex<Pods>>,
    events: broadcast::Sender<Bytes>,
}

struct Pods {
    statuses: Vec<Bytes>,
    /// All of them; rendered again when it is asked for after a change.
    list: Option<Bytes>,
}

// === impl Marathon ===

impl Marathon {
    pub(crate) fn start(shape: Shape) -> io::Result<Marathon> {
        let statuses = shape
            .pods()
            .map(|(service, version)| status(shape, service, version, 0))
            .collect();
        let mut pods = Pods {
            statuses,
            list: None,
        };
        pods.list();
        let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let events = broadcast::Sender::new(BACKLOG);
        let marathon = Marathon {
            shape,
            address,
            pods: Arc::new(Mutex::new(pods)),
            events,
        };
        let server = marathon.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::spawn(move || runtime.block_on(server.serve(listener)));
        Ok(marathon)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first instance of a service is elsewhere from now on.
    pub(crate) fn move_instance(&self, service: usize, round: usize) {
        let status = status(self.shape, service, 0, round);
        {
            let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
            pods.statuses[service * self.shape.subsets.max(1)] = status;
            pods.list = None;
        }
        let id = generate::pod_id(service, 0);
        let data = format!(
            r#"{{"eventType":"instance_changed_event","runSpecId":"{id}","condition":"Running"}}"#
        );
        // Before the server listens there is nobody to tell.
        let _ = self
            .events
            .send(format!("event: instance_changed_event\r\ndata: {data}\r\n\r\n").into());
    }

    async fn serve(self, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (socket, _) = listener.accept().await?;
            let marathon = self.clone();
            tokio::spawn(async move {
                // A client that hangs up is not an event here.
                let _ = marathon.connection(socket).await;
            });
        }
    }

    /// Requests without a body, one after the other.
    async fn connection(&self, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let mut read = BytesMut::new();
        loop {
            let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") else {
                if socket.read_buf(&mut read).await? == 0 {
                    return Ok(());
                }
                continue;
            };
            let request = String::from_utf8_lossy(&read.split_to(end + 4)).into_owned();
            let target = request.split(' ').nth(1).unwrap_or_default();
            let path = target.split('?').next().unwrap_or_default();
            if path == "/v2/events" {
                return self.stream(socket).await;
            }
            respond(&mut socket, self.answer(path)).await?;
        }
    }

    fn answer(&self, path: &str) -> Option<Bytes> {
        let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        match path {
            "/v2/apps" => Some(Bytes::from_static(br#"{"apps":[]}"#)),
            "/v2/pods/::status" => Some(pods.list()),
            path => {
                let id = path.strip_prefix("/v2/pods/s")?.strip_suffix("::status")?;
                let (service, version) = id.split_once("-v")?;
                let (service, version): (usize, usize) =
                    (service.parse().ok()?, version.parse().ok()?);
                pods.statuses
                    .get(service * self.shape.subsets.max(1) + version)
                    .cloned()
            }
        }
    }

    async fn stream(&self, mut socket: TcpStream) -> io::Result<()> {
        let mut events = self.events.subscribe();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nConnection: close\r\n\r\n";
        let attached = "event: event_stream_attached\r\ndata: {\"eventType\":\"event_stream_attached\"}\r\n\r\n";
        socket
            .write_all(format!("{head}{attached}").as_bytes())
            .await?;
        loop {
            match tokio::time::timeout(HEARTBEAT, events.recv()).await {
                Err(_) => socket.write_all(b"\r\n").await?,
                Ok(Ok(event)) => socket.write_all(&event).await?,
                Ok(Err(_)) => return Ok(()),
            }
        }
    }
}

// === impl Pods ===

impl Pods {
    fn list(&mut self) -> Bytes {
        if let Some(list) = &self.list {
            return list.clone();
        }
        let mut list = BytesMut::from(&b"["[..]);
        for (i, status) in self.statuses.iter().enumerate() {
            list.extend_from_slice(if i == 0 { b"" } else { b"," });
            list.extend_from_slice(status);
        }
        list.extend_from_slice(b"]");
        self.list.insert(list.freeze()).clone()
    }
}

fn status(shape: Shape, service: usize, version: usize, round: usize) -> Bytes {
    shape.pod_status(service, version, round).to_string().into()
}

async fn respond(socket: &mut TcpStream, body: Option<Bytes>) -> io::Result<()> {
    let (status, body) = match body {
        Some(body) => ("200 OK", body),
        None => (
            "404 Not Found",
            Bytes::from_static(br#"{"message":"not there"}"#),
        ),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(&body).await
}
