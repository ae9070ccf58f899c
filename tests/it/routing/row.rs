//! One request of the table, and what is expected of its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use super::backend::{Backends, ROW};

/// A request, sent once or several times.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// `METHOD host/path`.
    ask: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// How often; more than once for shares.
    #[serde(default = "one")]
    times: usize,
    /// Whether all are under way at the same time.
    #[serde(default)]
    at_once: bool,
    #[serde(default)]
    expect: Expect,
    #[serde(skip)]
    place: String,
    #[serde(skip)]
    id: usize,
}

/// What must hold; what is not named may be anything. `~` for a header means that it is absent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    /// 200, if nothing else is said.
    status: Option<u16>,
    /// The version that answered.
    version: Option<String>,
    /// The path, method and headers that the backend saw.
    path: Option<String>,
    method: Option<String>,
    upstream: BTreeMap<String, Option<String>>,
    /// Headers of the answer.
    answer: BTreeMap<String, Option<String>>,
    /// The whole body.
    body: Option<String>,
    /// Milliseconds that the answer takes at least, and at most.
    after: Option<u64>,
    before: Option<u64>,
    /// How often the request arrives at backends of the service `echo`.
    attempts: Option<usize>,
    /// How often copies arrive at the backend `shadow`; a range, for shares.
    mirrored: Option<[usize; 2]>,
    /// How many of `times` each version answers: a range.
    shares: BTreeMap<String, [usize; 2]>,
    /// How many of `times` have each status: a range.
    statuses: BTreeMap<String, [usize; 2]>,
    /// Whether one version answers them all.
    sticks: bool,
}

fn one() -> usize {
    1
}

/// Sends rows to the gateway.
pub(super) struct Caller {
    http: reqwest::Client,
    gateway: SocketAddr,
    backends: Backends,
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    took: Duration,
}

type Checked = Result<(), String>;

impl Row {
    pub(super) fn placed(self, file: &str, id: usize) -> Row {
        Row {
            place: file.to_owned(),
            id,
            ..self
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.place, self.ask, self.headers)
    }
}

impl Caller {
    pub(super) fn new(gateway: SocketAddr, backends: Backends) -> Caller {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(15))
            .build();
        Caller {
            http: http.unwrap(),
            gateway,
            backends,
        }
    }

    /// Waits until the routes and the endpoints behind them have reached the gateway.
    pub(super) async fn until_routed(&self, host: &str, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            let answer = self.send("GET", host, "/", &BTreeMap::new(), "ready").await;
            match answer {
                Ok(answer) if answer.status == 200 => return,
                _ => assert!(Instant::now() < deadline, "{host} is not routed"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn check(&self, row: &Row) -> Checked {
        let (method, url) = row.ask.split_once(' ').ok_or("write METHOD host/path")?;
        let (host, path) = match url.find('/') {
            Some(at) => url.split_at(at),
            None => (url, "/"),
        };
        let id = row.id.to_string();
        let sent = (0..row.times).map(|_| self.send(method, host, path, &row.headers, &id));
        let under_way = if row.at_once { row.times } else { 1 };
        let answers: Vec<Answer> = stream::iter(sent).buffered(under_way).try_collect().await?;
        let expect = &row.expect;
        if row.times == 1 {
            expect.check(&answers[0])?;
        }
        let versions = answers.iter().map(|a| a.headers.get("x-version").cloned());
        let different: BTreeSet<_> = versions.clone().collect();
        if expect.sticks {
            same("versions", &different.len(), &1)?;
        }
        ranges(
            "version",
            &expect.shares,
            versions.map(Option::unwrap_or_default),
        )?;
        ranges(
            "status",
            &expect.statuses,
            answers.iter().map(|a| a.status.to_string()),
        )?;
        if let Some(attempts) = expect.attempts {
            same("attempts", &self.backends.attempts(&id, "echo"), &attempts)?;
        }
        match expect.mirrored {
            Some(range) => self.mirrored(&id, range).await,
            None => Ok(()),
        }
    }

    /// Copies may arrive after the answer.
    async fn mirrored(&self, id: &str, [least, most]: [usize; 2]) -> Checked {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let copies = self.backends.of(id, "shadow-v1").len();
            if (least..=most).contains(&copies) {
                return Ok(());
            }
            if copies > most || Instant::now() > deadline {
                return Err(format!("{copies} copies, not {least} to {most}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn send(
        &self,
        method: &str,
        host: &str,
        path: &str,
        headers: &BTreeMap<String, String>,
        id: &str,
    ) -> Result<Answer, String> {
        let method = method
            .parse()
            .map_err(|_| format!("{method} is no method"))?;
        let url = format!("http://{}{path}", self.gateway);
        let mut request = self
            .http
            .request(method, url)
            .header("host", host)
            .header(ROW, id);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let began = Instant::now();
        let response = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = response.status().as_u16();
        let pairs = response.headers().iter();
        let pairs = pairs.map(|(n, v)| {
            (
                n.to_string(),
                String::from_utf8_lossy(v.as_bytes()).into_owned(),
            )
        });
        let headers = pairs.collect();
        let body = response
            .text()
            .await
            .map_err(|error| format!("{error:?}"))?;
        Ok(Answer {
            status,
            headers,
            body,
            took: began.elapsed(),
        })
    }
}

impl Expect {
    fn check(&self, answer: &Answer) -> Checked {
        same("status", &answer.status, &self.status.unwrap_or(200))?;
        let seen: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let text = |key: &str| seen[key].as_str().unwrap_or_default().to_owned();
        for (what, wanted) in [
            ("version", &self.version),
            ("path", &self.path),
            ("method", &self.method),
        ] {
            if let Some(wanted) = wanted {
                same(what, &text(what), wanted)?;
            }
        }
        for (name, wanted) in &self.upstream {
            let got = seen["headers"][name].as_str().map(str::to_owned);
            same(&format!("the request's {name}"), &got, wanted)?;
        }
        for (name, wanted) in &self.answer {
            let got = answer.headers.get(name).cloned();
            same(&format!("the answer's {name}"), &got, wanted)?;
        }
        if let Some(body) = &self.body {
            same("body", &answer.body, body)?;
        }
        self.check_time(answer.took.as_millis() as u64)
    }

    fn check_time(&self, took: u64) -> Checked {
        if self.after.is_some_and(|least| took < least) {
            return Err(format!("answered after {took} ms already"));
        }
        match self.before {
            Some(most) if took > most => Err(format!("answered after {took} ms only")),
            _ => Ok(()),
        }
    }
}

fn same<T: PartialEq + fmt::Debug>(what: &str, got: &T, wanted: &T) -> Checked {
    match got == wanted {
        true => Ok(()),
        false => Err(format!("{what} is {got:?}, not {wanted:?}")),
    }
}

/// Each value is there as often as its range says.
fn ranges(
    what: &str,
    wanted: &BTreeMap<String, [usize; 2]>,
    got: impl Iterator<Item = String>,
) -> Checked {
    let got: Vec<String> = got.collect();
    for (value, [least, most]) in wanted {
        let count = got.iter().filter(|one| *one == value).count();
        if !(*least..=*most).contains(&count) {
            return Err(format!(
                "{what} {value} {count} times, not {least} to {most}"
            ));
        }
    }
    Ok(())
}
