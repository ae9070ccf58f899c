//! The headers of tracing, over two real Envoys: a client's and a server's.
//!
//! Both run from files: what they would discover is in their bootstraps.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use model::{Instance, Proxy, Reach, World};

use super::validate::{bootstrap, envoy};
use crate::fixtures::*;

const CLIENT: &str = "127.0.2.9";
const SERVER: &str = "127.0.3.9";
const DEADLINE: Duration = Duration::from_secs(60);

/// An Envoy that ends with the test.
struct Running {
    envoy: Child,
    /// Kept until the Envoy ends.
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.envoy.kill().ok();
        self.envoy.wait().ok();
    }
}

fn start(world: &World, proxy: &Proxy) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootstrap.json");
    let bootstrap = bootstrap(&render(world, proxy).resources);
    std::fs::write(&file, serde_json::to_vec(&bootstrap).unwrap()).unwrap();
    let child = Command::new(envoy())
        .args([
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "-l",
            "error",
            "-c",
        ])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Running {
        envoy: child,
        _folder: folder,
    }
}

/// Answers every request with its own head.
fn echo(listener: TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let head = head(&stream);
        let length = head.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{head}"
        );
        stream.write_all(answer.as_bytes()).ok();
    }
}

fn head(stream: &TcpStream) -> String {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    head.to_ascii_lowercase()
}

/// What the application saw of a request through both proxies, once they answer.
fn call(port: u16) -> String {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = attempt(port).filter(|answer| answer.starts_with("HTTP/1.1 200")) {
            return answer;
        }
        assert!(Instant::now() < until, "no answer came through the proxies");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn attempt(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((CLIENT, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!(
        "GET /headers HTTP/1.1\r\nhost: httpbin.{DOMAIN}:{port}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = answer
        .rsplit("\r\n\r\n")
        .find(|part| part.contains("get /"))?
        .lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn world(port: u16) -> World {
    let server = Reach::everywhere(at(&format!("{SERVER}:{port}")));
    let mut draft = Draft::default()
        .service("httpbin", &[(port, "http")])
        .endpoint("httpbin", port, version("v1"), server);
    draft.mesh.reporting = reporting("/dev/null");
    draft.world()
}

fn server(port: u16) -> Proxy {
    let proxy = explicit(sidecar("httpbin", &[(port, port, "http")]), "127.0.4.9");
    let known = proxy.instance.as_deref().cloned().unwrap();
    let instance = Instance {
        address: Some(ip(SERVER)),
        ..known
    };
    Proxy {
        instance: Some(instance.into()),
        ..proxy
    }
}

#[test]
fn one_span_is_shared_by_both_proxies_of_a_request() {
    let application = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = application.local_addr().unwrap().port();
    std::thread::spawn(|| echo(application));
    let world = world(port);
    let _server = start(&world, &server(port));
    let _client = start(&world, &explicit(sidecar("sleep", &[]), CLIENT));
    let answer = call(port);
    let trace = header(&answer, "x-b3-traceid");
    assert!(trace.is_some_and(|id| id.len() == 16), "{answer}");
    assert_eq!(header(&answer, "x-b3-spanid"), trace, "{answer}");
    assert_eq!(header(&answer, "x-b3-parentspanid"), None, "{answer}");
    assert_eq!(header(&answer, "x-b3-sampled"), Some("1"), "{answer}");
    assert!(header(&answer, "x-request-id").is_some(), "{answer}");
    let host = format!("httpbin.{DOMAIN}:{port}");
    assert_eq!(header(&answer, "host"), Some(host.as_str()), "{answer}");
}
