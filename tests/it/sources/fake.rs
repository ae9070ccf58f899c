//! A server that answers like a Marathon, or in whatever wrong way a test wants.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use reqwest::Url;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// With the query.
    pub(crate) target: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// What the server does; a test changes it at any time.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) apps: Vec<Value>,
    pub(crate) pods: Vec<Value>,
    /// Answers to be used once each, by path, before all others.
    pub(crate) once: BTreeMap<&'static str, VecDeque<Answer>>,
    /// Answers by path that replace the regular ones.
    pub(crate) always: BTreeMap<String, Answer>,
    /// How many event streams are to be closed right after their head.
    pub(crate) stillborn: usize,
    pub(crate) requests: Vec<Request>,
}

pub(crate) struct Fake {
    pub(crate) url: Url,
    script: Arc<Mutex<Script>>,
    /// Parts of all open event streams; an empty one closes them.
    events: broadcast::Sender<Vec<u8>>,
    /// Answers to `/v2/apps` are held while this is true.
    hold: watch::Sender<bool>,
    /// How many requests came.
    count: watch::Sender<usize>,
    _server: JoinSet<()>,
}

#[derive(Clone)]
struct Server {
    script: Arc<Mutex<Script>>,
    events: broadcast::Sender<Vec<u8>>,
    hold: watch::Receiver<bool>,
    count: watch::Sender<usize>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn json(body: &Value) -> Answer {
        Answer::new(200, &body.to_string()).header("Content-Type", "application/json")
    }

    pub(crate) fn redirect(to: &str) -> Answer {
        Answer::new(302, "").header("Location", to)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Answer {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let headers = self.headers.iter().map(|(n, v)| format!("{n}: {v}\r\n"));
        format!(
            "HTTP/1.1 {} X\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{}",
            self.status,
            headers.collect::<String>(),
            self.body.len(),
            self.body
        )
        .into_bytes()
    }
}

impl Fake {
    pub(crate) async fn start(apps: Vec<Value>, pods: Vec<Value>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script {
            apps,
            pods,
            ..Script::default()
        }));
        let (events, _) = broadcast::channel(1024);
        let (hold, held) = watch::channel(false);
        let (count, _) = watch::channel(0);
        let server = Server {
            script: script.clone(),
            events: events.clone(),
            hold: held,
            count: count.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(server.clone().serve(socket));
            }
        });
        Fake {
            url: url.parse().unwrap(),
            script,
            events,
            hold,
            count,
            _server: tasks,
        }
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// Sends raw bytes on all open event streams; none closes them.
    pub(crate) fn send(&self, bytes: &[u8]) {
        // Nobody may be listening at the moment.
        let _ = self.events.send(bytes.to_vec());
    }

    /// Sends an event about one app.
    pub(crate) fn touch(&self, id: &str) {
        self.event("status_update_event", &json!({ "appId": id }));
    }

    pub(crate) fn event(&self, kind: &str, data: &Value) {
        self.send(format!("event: {kind}\r\ndata: {data}\r\n\r\n").as_bytes());
    }

    pub(crate) fn hold(&self, hold: bool) {
        self.hold.send_replace(hold);
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.url.port().unwrap())
    }

    /// The targets of all requests whose path begins so.
    pub(crate) fn asked(&self, prefix: &str) -> Vec<Request> {
        let script = self.script();
        let asked = script.requests.iter();
        asked
            .filter(|r| r.target.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Waits until so many requests came whose target begins so.
    pub(crate) async fn until_asked(&self, prefix: &str, times: usize) {
        let mut count = self.count.subscribe();
        let asked = count.wait_for(|_| self.asked(prefix).len() >= times);
        let asked = tokio::time::timeout(std::time::Duration::from_secs(20), asked).await;
        assert!(
            asked.is_ok(),
            "{times} times {prefix}: {:#?}",
            self.script().requests
        );
    }
}

impl Server {
    async fn serve(mut self, mut socket: TcpStream) {
        let Some(request) = read_head(&mut socket).await else {
            return;
        };
        let path = request
            .target
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        // Subscribed before anybody can know of the request, so that no event is missed.
        let events = self.events.subscribe();
        let answer = self.answer(&request, &path);
        self.count.send_modify(|count| *count += 1);
        if path == "/v2/apps" {
            let released = self.hold.wait_for(|hold| !hold).await.is_ok();
            assert!(released, "the test ended");
        }
        match answer {
            Some(answer) => {
                let _ = socket.write_all(&answer.bytes()).await;
            }
            None => self.stream(socket, events).await,
        }
    }

    /// `None` stands for the event stream.
    fn answer(&self, request: &Request, path: &str) -> Option<Answer> {
        let mut script = self.script.lock().unwrap();
        script.requests.push(request.clone());
        if let Some(answer) = script.once.get_mut(path).and_then(VecDeque::pop_front) {
            return Some(answer);
        }
        if let Some(answer) = script.always.get(path) {
            return Some(answer.clone());
        }
        let find = |list: &[Value], id: &str| {
            let id = format!("/{id}");
            list.iter().find(|w| w["id"] == id).cloned()
        };
        let found = match path {
            "/v2/events" => return None,
            "/v2/apps" => Some(json!({ "apps": script.apps })),
            "/v2/pods/::status" => Some(json!(script.pods)),
            path => match (
                path.strip_prefix("/v2/apps/"),
                path.strip_prefix("/v2/pods/"),
            ) {
                (Some(id), _) => find(&script.apps, id).map(|app| json!({ "app": app })),
                (_, Some(id)) => find(&script.pods, id.trim_end_matches("::status")),
                _ => None,
            },
        };
        Some(match found {
            Some(body) => Answer::json(&body),
            None => Answer::new(404, r#"{"message":"does not exist"}"#),
        })
    }

    async fn stream(self, mut socket: TcpStream, mut events: broadcast::Receiver<Vec<u8>>) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nConnection: close\r\n\r\n";
        if socket.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        {
            let mut script = self.script.lock().unwrap();
            if script.stillborn > 0 {
                script.stillborn -= 1;
                return;
            }
        }
        while let Ok(bytes) = events.recv().await {
            if bytes.is_empty() || socket.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}

async fn read_head(socket: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Some(Request {
        target,
        headers: headers.collect(),
    })
}
