//! Bookinfo on a block of its own, any service replaceable by a probe that records requests.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Block;
use crate::bookinfo::wire::Page;
use crate::bookinfo::{App, PORT, ReviewsVersion, Running, Service, Timeouts, Upstream};

pub(super) const DOMAIN: &str = "marathon.slave.mesos";

/// Far more than anything here takes, so that only what a test shrinks can time out.
pub(super) const PATIENT: Timeouts = Timeouts {
    details: Duration::from_secs(20),
    reviews: Duration::from_secs(20),
    reviews_attempts: 2,
    ratings: Duration::from_secs(20),
};

pub(super) struct Bookinfo {
    block: Block,
    timeouts: Timeouts,
    client: Client,
    running: Vec<Running>,
}

impl Bookinfo {
    /// Nothing runs yet.
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .build()
            .unwrap();
        let (block, running) = (Block::claim().unwrap(), Vec::new());
        Self {
            block,
            timeouts,
            client,
            running,
        }
    }

    /// All four, with this version of reviews.
    pub(super) async fn complete(version: ReviewsVersion) -> Self {
        let mut all = Self::new(PATIENT);
        let reviews = Service::Reviews(version);
        for service in [
            Service::Productpage,
            Service::Details,
            reviews,
            Service::Ratings,
        ] {
            all.start(service).await;
        }
        all
    }

    pub(super) async fn start(&mut self, service: Service) {
        let names = ["details", "ratings", "reviews"];
        let services = names.map(|name| (name, self.ip(name))).into();
        let app = App {
            service,
            instance: format!("{}-{}", service.name(), service.version()),
            upstream: Upstream::direct(DOMAIN, services).unwrap(),
            timeouts: self.timeouts,
        };
        let running = app.start(self.at(service.name())).await.unwrap();
        self.running.push(running);
    }

    pub(super) async fn probe(&self, name: &str, answer: Answer) -> Probe {
        Probe::start(self.at(name), answer).await
    }

    pub(super) async fn stop(&mut self) {
        for running in self.running.drain(..) {
            running.stop().await;
        }
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.client
            .get(format!("http://{}{path}", self.at("productpage")))
    }

    pub(super) async fn page(&self) -> Page {
        let request = self.get("/productpage?format=json");
        request.send().await.unwrap().json().await.unwrap()
    }

    pub(super) fn at(&self, name: &str) -> SocketAddr {
        (self.ip(name), PORT).into()
    }

    fn ip(&self, name: &str) -> IpAddr {
        let order = ["productpage", "details", "ratings", "reviews"];
        let n = order.iter().position(|known| *known == name).unwrap();
        self.block.container(1, n.try_into().unwrap()).into()
    }
}

/// What a probe does with a request.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// Nothing, for ever.
    Never,
    /// This status line, without a body.
    Status(&'static str),
}

/// Stands in for a service and keeps the heads of the requests it gets.
pub(super) struct Probe {
    heads: mpsc::UnboundedReceiver<String>,
    _connections: JoinSet<()>,
}

impl Probe {
    async fn start(at: SocketAddr, answer: Answer) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let (seen, heads) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, answer, seen.clone()));
            }
        });
        Self {
            heads,
            _connections: tasks,
        }
    }

    /// The head of the next request, in lower case.
    pub(super) async fn head(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(10), self.heads.recv());
        next.await.expect("a request in time").unwrap()
    }

    /// How many requests came that `head` did not take.
    pub(super) fn waiting(&self) -> usize {
        self.heads.len()
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, seen: mpsc::UnboundedSender<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    seen.send(String::from_utf8(head).unwrap().to_lowercase())
        .unwrap();
    match answer {
        Answer::Never => std::future::pending().await,
        Answer::Status(line) => {
            let text = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    }
}
