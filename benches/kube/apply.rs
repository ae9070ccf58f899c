//! From `kubectl apply` returning to the last of seven Envoys having acknowledged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use generate::stat::Samples;
use rig::Rig;
use serde_json::Value;

use crate::look::{Pages, shell, until};
use crate::report::{Report, Row};

/// Six sidecars and the gateway.
const PROXIES: usize = 7;

pub(crate) async fn run(rig: &Rig, edits: usize, report: &mut Report) -> Result<()> {
    bookinfo(rig).await?;
    let pages = Pages::of(rig)?;
    until("seven Envoys in sync", async || {
        let routes = routes(&pages).await?;
        (routes.len() == PROXIES).then_some(())
    })
    .await?;
    let (mut after, mut whole, mut kubectl) =
        (Samples::default(), Samples::default(), Samples::default());
    // The first one creates the object.
    edit(rig, &pages, 0).await?;
    for number in 1..=edits {
        let times = edit(rig, &pages, number).await?;
        after.add(milliseconds(
            times.acknowledged.saturating_duration_since(times.returned),
        ));
        whole.add(milliseconds(times.acknowledged - times.typed));
        kubectl.add(milliseconds(times.returned - times.typed));
    }
    report.row(&Row {
        case: "kube/apply".into(),
        settings: vec![("proxies", PROXIES.into()), ("edits", edits.into())],
        figure: "p99 ms",
        value: after.percentile(99.0),
        columns: vec![
            ("after kubectl returned", after.to_json()),
            ("after kubectl was started", whole.to_json()),
            ("kubectl itself", kubectl.to_json()),
        ],
    })
}

async fn bookinfo(rig: &Rig) -> Result<()> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/samples/bookinfo");
    let samples = samples.display();
    shell(
        rig,
        &format!("for pod in {samples}/*.json; do dcos marathon pod add $pod || exit; done"),
    )
    .await?;
    until("Bookinfo", async || {
        let tasks = rig.marathon().tasks();
        let all = !tasks.is_empty() && tasks.iter().all(|task| task.state == "TASK_RUNNING");
        all.then_some(())
    })
    .await?;
    let line = format!(
        "kubectl apply -f {samples}/networking/gateway.yaml -f {samples}/networking/destination-rules.yaml"
    );
    until("definitions", async || shell(rig, &line).await.ok()).await?;
    Ok(())
}

struct Times {
    typed: Instant,
    returned: Instant,
    /// By the last of the Envoys.
    acknowledged: Instant,
}

/// Changes weights that every proxy has in its routes, the gateway too.
async fn edit(rig: &Rig, pages: &Pages, number: usize) -> Result<Times> {
    let before = until("quiet", async || {
        let routes = routes(pages).await?;
        (routes.len() == PROXIES).then_some(routes)
    })
    .await?;
    let file = rig.layout().directory().join("edit.yaml");
    fs::write(&file, document(1 + number % 98))?;
    let typed = Instant::now();
    shell(rig, &format!("kubectl apply -f {}", file.display())).await?;
    let returned = Instant::now();
    let acknowledged = until("all acknowledged", async || {
        let now = routes(pages).await?;
        let renewed = |(proxy, ack): (&String, &Ack)| before[proxy].nonce != ack.nonce;
        let all = now.len() == PROXIES && now.iter().all(renewed);
        all.then(|| now.into_values().map(|ack| ack.at).max())
            .flatten()
    })
    .await?;
    Ok(Times {
        typed,
        returned,
        acknowledged,
    })
}

/// The last routes that a proxy has acknowledged.
struct Ack {
    nonce: String,
    at: Instant,
}

/// By proxy; without those that have been sent what they have not acknowledged.
async fn routes(pages: &Pages) -> Option<BTreeMap<String, Ack>> {
    let text = pages.get("/debug/syncz").await?;
    let seen = Instant::now();
    let rows: Vec<Value> = serde_json::from_str(&text).ok()?;
    let row = |row: &Value| {
        let routes = &row["resources"]["RDS"];
        let nonce = |of: &str| routes[of]["nonce"].as_str().map(str::to_owned);
        let age = Duration::from_secs_f64(routes["acked"]["age_seconds"].as_f64()?);
        let ack = Ack {
            nonce: nonce("acked").filter(|acked| Some(acked) == nonce("sent").as_ref())?,
            at: seen.checked_sub(age)?,
        };
        Some((row["proxy"].as_str()?.to_owned(), ack))
    };
    Some(rows.iter().filter_map(row).collect())
}

fn document(weight: usize) -> String {
    let rest = 100 - weight;
    format!(
        "apiVersion: networking.istio.io/v1alpha3\nkind: VirtualService\n\
         metadata: {{name: reviews, namespace: default}}\n\
         spec:\n  hosts: [reviews.marathon.slave.mesos]\n  gateways: [mesh, productpage-gateway]\n  http:\n  - route:\n    \
         - {{destination: {{host: reviews.marathon.slave.mesos, subset: v1}}, weight: {weight}}}\n    \
         - {{destination: {{host: reviews.marathon.slave.mesos, subset: v3}}, weight: {rest}}}\n"
    )
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
