//! The store of configuration falls silent, or has forgotten what happened: nothing is taken away,
//! and what was missed follows.

use std::collections::BTreeMap;
use std::time::Instant;

use demo::client::{Load, Votes};
use http::Method;
use reqwest::redirect::Policy;
use rig::Rig;
use serde_json::{Value, json};

use super::stage::*;

/// Within this a silent store is noticed.
const NOTICED: std::time::Duration = std::time::Duration::from_secs(15);

/// The state of the source of configuration.
async fn kube_is(rig: &Rig, state: &str) -> bool {
    let Some((_, body)) = page(rig, "/debug/sources").await else {
        return false;
    };
    let rows: Vec<Value> = serde_json::from_str(&body).unwrap_or_default();
    let mut kube = rows.iter().filter(|row| row["name"] == "kube");
    kube.any(|row| row["state"] == state)
}

/// A line that must succeed at once.
async fn run(rig: &Rig, line: &str) -> String {
    let (success, text) = rig.shell(line).await.unwrap();
    assert!(success, "{line}: {text}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_etcd_is_noticed_and_takes_nothing_away() {
    let (mut rig, client) = bookinfo().await;
    let etcd = rig.kube().unwrap().etcd().expect("etcd runs");
    let updates = "dcos task exec productpage \
                   curl -s localhost:15000/stats?filter=update_success";
    eventually(&rig, "kube streams", async || {
        kube_is(&rig, "streaming").await
    })
    .await;
    let before = run(&rig, updates).await;
    assert!(before.contains("cds.update_success"), "{before}");

    let load = Load::start(client.clone(), RATE);
    load.step("etcd is silent");
    run(&rig, &format!("kill -STOP {etcd}")).await;
    let since = Instant::now();
    eventually(&rig, "it is told", async || kube_is(&rig, "retrying").await).await;
    let after = since.elapsed();
    assert!(after < NOTICED, "noticed after {after:?}");
    // Half a minute in all.
    load.more(u64::from(RATE) * 30).await;
    assert_eq!(run(&rig, updates).await, before, "nothing was sent");

    load.step("etcd answers again");
    run(&rig, &format!("kill -CONT {etcd}")).await;
    eventually(&rig, "kube streams", async || {
        kube_is(&rig, "streaming").await
    })
    .await;
    assert_eq!(run(&rig, updates).await, before, "nothing was sent");
    let edit = "kubectl apply -f config/samples/bookinfo/networking/reviews-50-50.yaml";
    type_in(&rig, edit).await;
    eventually(&rig, "half of the requests go to v1", async || {
        Votes::cast(&client, None, 20).await.of("v1") > 0
    })
    .await;
    unharmed(load).await;
    rig.stop().await.unwrap();
}

/// Virtual services by number, and where each sends its callers: the truth.
type Truth = BTreeMap<u32, u32>;

const WRITES: u32 = 200;
const NAMES: u32 = 80;

/// The watch is cut, things happen, etcd compacts them away, and the apiserver is another one when
/// the watch is resumed: it hears 410 Gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_etcd_has_compacted_away_is_not_missed() {
    let (mut rig, client) = bookinfo().await;
    let mut truth = Truth::new();
    let writer = Writer::of(&rig);
    for name in 0..NAMES / 2 {
        writer.write(&mut truth, name, Some(1)).await;
    }
    let gateway = rig.outside("/istio-ingressgateway", 8080).unwrap().unwrap();
    eventually(&rig, "the first ones are served", async || {
        served(gateway).await == truth
    })
    .await;

    let load = Load::start(client, RATE);
    load.step("the watch is cut");
    let cut = "INPUT -i lo -d 127.0.0.1 -p tcp --dport 6443 -j REJECT --reject-with tcp-reset";
    run(&rig, &format!("iptables -w -I {cut}")).await;
    eventually(&rig, "it is told", async || kube_is(&rig, "retrying").await).await;
    let mut dice = Dice(20_18);
    for _ in 0..WRITES {
        let name = dice.roll(NAMES);
        let to = (dice.roll(3) > 0).then(|| dice.roll(1000));
        writer.write(&mut truth, name, to).await;
    }
    let log = run(&rig, COMPACT).await;
    assert!(log.contains("header"), "{log}");
    rig.kube().unwrap().kill_apiserver().await.unwrap();
    run(&rig, &format!("iptables -w -D {cut}")).await;
    load.step("the watch is resumed");
    rig.kube().unwrap().start().await.unwrap();
    let mut seen = Truth::new();
    eventually(&rig, "the truth is served", async || {
        seen = served(gateway).await;
        seen == truth
    })
    .await;
    let log = rig.layout().directory().join("master/pilothouse.log");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("the watch is too old"), "410 was heard");
    unharmed(load).await;
    rig.stop().await.unwrap();
}

/// Up to the newest revision, as the apiserver does every five minutes.
const COMPACT: &str = r#"
etcd() { curl -sf "localhost:2379/v3/kv/$1" -d "$2"; }
now=$(etcd range '{"key": "AA=="}' | grep -o '"revision":"[0-9]*"' | grep -o '[0-9]*')
etcd compaction "{\"revision\": \"$now\", \"physical\": true}"
"#;

/// Writes virtual services, past the address that is cut.
struct Writer {
    http: reqwest::Client,
    url: String,
}

impl Writer {
    fn of(rig: &Rig) -> Writer {
        let path = "apis/networking.istio.io/v1alpha3/namespaces/default/virtualservices";
        let http = reqwest::Client::builder()
            .no_proxy()
            .danger_accept_invalid_certs(true);
        Writer {
            http: http.build().unwrap(),
            url: format!("https://{}:6443/{path}", rig.layout().inside()),
        }
    }

    /// Creates, changes or deletes, whatever is needed, and notes it down.
    async fn write(&self, truth: &mut Truth, name: u32, to: Option<u32>) {
        let before = match to {
            Some(to) => truth.insert(name, to),
            None => truth.remove(&name),
        };
        let one = format!("{}/vs-{name}", self.url);
        const PATCH: &str = "application/merge-patch+json";
        let (method, url, form) = match (before, to) {
            (None, None) => return,
            (None, Some(_)) => (Method::POST, &self.url, "application/json"),
            (Some(_), Some(_)) => (Method::PATCH, &one, PATCH),
            (Some(_), None) => (Method::DELETE, &one, "application/json"),
        };
        let document = json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService",
            "metadata": {"name": format!("vs-{name}")},
            "spec": {"hosts": [format!("vs-{name}.example.com")], "gateways": ["productpage-gateway"],
                "http": [{"redirect": {"uri": format!("/{}", to.unwrap_or_default())}}]},
        });
        let mut request = self.http.request(method, url).bearer_auth("rig-operator");
        if to.is_some() {
            request = request.header("Content-Type", form);
            request = request.body(document.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{status}: {}",
            answer.text().await.unwrap()
        );
    }
}

/// What the gateway does with a request for each of the names.
async fn served(gateway: std::net::SocketAddr) -> Truth {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none());
    let http = http.build().unwrap();
    let mut served = Truth::new();
    for name in 0..NAMES {
        let request = http.get(format!("http://{gateway}/"));
        let request = request.header("Host", format!("vs-{name}.example.com"));
        let answer = request.send().await.unwrap();
        let location = answer.headers().get("Location");
        let path = location.and_then(|l| l.to_str().ok()?.rsplit('/').next()?.parse().ok());
        served.extend(path.map(|to| (name, to)));
    }
    served
}

/// The same numbers every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(sides)) as u32
    }
}
