//! Looks at pages and tells whether they are as expected. `Ok` and `Err` both hold what was seen.

use std::time::{Duration, Instant};

use super::Expect;
use crate::client::{Client, Votes};
use crate::mesh::Mesh;

/// The ways in.
pub(super) struct Clients {
    /// Through the ingress gateway.
    pub(super) gateway: Client,
    /// At the host port of productpage.
    pub(super) page: Client,
}

type Seen = Result<String, String>;

const JASON: Option<&str> = Some("jason");
const APOLOGY: &str = "Sorry, product reviews are currently unavailable for this book.";
/// Each of three versions is missed by 40 requests with a probability of 3 * (2/3)^40: one in four
/// million.
const MANY: usize = 40;
/// Of 100 fair coins, fewer than 30 or more than 70 are heads once in thirty thousand runs.
const COINS: usize = 100;
const FAIR: std::ops::RangeInclusive<u64> = 30..=70;
/// Twice 3 s, and some time for a busy machine.
const SIX_SECONDS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(5500)..=Duration::from_millis(7500);
/// Nobody else may wait for jason's delay.
const FAST: Duration = Duration::from_secs(3);

pub(super) async fn look(mesh: &Mesh, clients: &Clients, expect: &Expect) -> Seen {
    match expect {
        Expect::Closed => closed(&clients.gateway).await,
        Expect::Open => open(&clients.gateway).await,
        Expect::AllVersions => all_versions(&clients.page).await,
        Expect::Subsets => subsets(mesh, &clients.page).await,
        Expect::OnlyV3 => only_v3(&clients.gateway).await,
        Expect::JasonV2 => jason_v2(&clients.gateway).await,
        Expect::JasonDelayed => jason_delayed(&clients.gateway).await,
        Expect::HalfV1HalfV3 => half(&clients.gateway).await,
    }
}

fn verdict(good: bool, seen: String) -> Seen {
    if good { Ok(seen) } else { Err(seen) }
}

async fn closed(client: &Client) -> Seen {
    match client.html(None).await {
        Ok(_) => Err("200".into()),
        Err(crate::client::Failure::Status { status, .. }) => {
            verdict(status == reqwest::StatusCode::NOT_FOUND, status.to_string())
        }
        Err(_) => Ok("connection refused or reset".into()),
    }
}

async fn open(client: &Client) -> Seen {
    match client.whole_page(None).await {
        Ok(_) => Ok(format!("200 at {}", client.url())),
        Err(failure) => Err(failure.to_string()),
    }
}

async fn all_versions(client: &Client) -> Seen {
    let votes = Votes::cast(client, None, MANY).await;
    let all = ["v1", "v2", "v3"]
        .iter()
        .all(|version| votes.of(version) > 0);
    verdict(all && votes.failures.is_empty(), votes.to_string())
}

async fn subsets(mesh: &Mesh, client: &Client) -> Seen {
    let envoy = mesh.workloads_of("/productpage");
    let Some(envoy) = envoy.first() else {
        return Err("productpage is not there".into());
    };
    let regex = r"^cluster\.outbound\|9080\|v[0-9]+\|reviews\..*\.membership_healthy$";
    let stats = envoy
        .admin
        .stats(regex)
        .await
        .map_err(|error| error.to_string())?;
    let seen: Vec<String> = stats
        .iter()
        .filter_map(|(stat, members)| Some(format!("{}: {members}", stat.split('|').nth(2)?)))
        .collect();
    if seen != ["v1: 1", "v2: 1", "v3: 1"] {
        return Err(format!("endpoints by subset: {}", seen.join(", ")));
    }
    all_versions(client).await
}

async fn only_v3(client: &Client) -> Seen {
    let votes = Votes::cast(client, None, MANY).await;
    verdict(votes.only("v3", "red"), votes.to_string())
}

async fn jason_v2(client: &Client) -> Seen {
    let (jason, others) = tokio::join!(
        Votes::cast(client, JASON, MANY / 2),
        Votes::cast(client, None, MANY / 2)
    );
    let good = jason.only("v2", "black") && others.only("v3", "red");
    verdict(good, format!("jason {jason}; others {others}"))
}

async fn jason_delayed(client: &Client) -> Seen {
    let asked = Instant::now();
    let (html, page, others) = tokio::join!(
        client.html(JASON),
        client.page(JASON),
        Votes::cast(client, None, MANY / 2)
    );
    let took = asked.elapsed();
    let html = html.map_err(|failure| failure.to_string())?;
    let page = page.map_err(|failure| failure.to_string())?;
    let apology = page.reviews.error();
    let reviews = if apology == Some(APOLOGY) {
        "no reviews"
    } else {
        "reviews"
    };
    let seen = format!(
        "jason {reviews} after {:.1} s; others {others}",
        took.as_secs_f64()
    );
    let good = html.contains(APOLOGY)
        && apology == Some(APOLOGY)
        && page.details.shown().is_some()
        && SIX_SECONDS.contains(&took)
        && others.only("v3", "red")
        && others.slowest < FAST;
    verdict(good, seen)
}

async fn half(client: &Client) -> Seen {
    let votes = Votes::cast(client, None, COINS).await;
    let (v1, v3) = (votes.of("v1"), votes.of("v3"));
    let good = FAIR.contains(&v1) && v1 + v3 == COINS as u64 && votes.failures.is_empty();
    verdict(good, votes.to_string())
}
