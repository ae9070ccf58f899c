//! The pages of the control plane, read as an operator reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The control plane is away, or does not speak HTTP.
    #[error("control plane page {url}: {source}")]
    Http {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// It answered, but not with the page.
    #[error("control plane page {url} answered {status}: {body}")]
    Status {
        /// What was asked for.
        url: String,
        /// For example 404.
        status: StatusCode,
        /// The answer.
        body: String,
    },
}

/// A finding of `/debug/diagnosticsz`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// `PH0101` and the like.
    pub code: String,
    /// error or warning.
    pub severity: String,
    /// Which object.
    pub object: Option<String>,
    /// Which field of it.
    #[serde(default)]
    pub field: String,
    /// File and line.
    pub location: Option<String>,
    /// What is wrong.
    pub why: String,
    /// What follows.
    pub effect: String,
    /// What to do.
    pub remedy: String,
}

/// A row of `/debug/syncz`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProxySync {
    /// The node id.
    pub proxy: String,
    /// The state that it is being brought to; `None` before the first.
    pub generation: Option<u64>,
    /// `cluster_sent`, `cluster_acked` and so on.
    #[serde(flatten)]
    pub nonces: BTreeMap<String, serde_json::Value>,
}

impl ProxySync {
    /// Everything that was sent is acknowledged.
    pub fn is_synced(&self) -> bool {
        ["cluster", "endpoint", "listener", "route"]
            .iter()
            .all(|kind| {
                let nonce = |what: &str| self.nonces.get(&format!("{kind}_{what}"));
                nonce("sent") == nonce("acked")
            })
    }
}

#[derive(Deserialize)]
struct Service {
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    id: String,
}

/// A reader of one control plane's pages; outlives its restarts.
#[derive(Debug, Clone)]
pub struct Pages {
    at: SocketAddr,
    client: Client,
}

impl Pages {
    pub(super) fn new(at: SocketAddr) -> Result<Self, PageError> {
        // No idle connections: one left from before a restart would fail the first request after.
        let client = Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(0)
            .build();
        let client = client.map_err(|source| PageError::Http {
            url: format!("http://{at}"),
            source,
        })?;
        Ok(Self { at, client })
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Status and body of any page.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, String), PageError> {
        let url = format!("{}{path}", self.url());
        let result = async {
            let answer = self.client.get(&url).send().await?;
            let status = answer.status();
            Ok((status, answer.text().await?))
        };
        result
            .await
            .map_err(|source| PageError::Http { url, source })
    }

    /// `/ready`: whether it is, and the text that says what is missing.
    pub async fn ready(&self) -> Result<(bool, String), PageError> {
        let (status, body) = self.get("/ready").await?;
        Ok((status.is_success(), body))
    }

    /// Everything that is wrong with objects.
    pub async fn diagnostics(&self) -> Result<Vec<Finding>, PageError> {
        self.json("/debug/diagnosticsz").await
    }

    /// The ids of all instances that receive traffic.
    pub async fn instances(&self) -> Result<BTreeSet<String>, PageError> {
        let services: Vec<Service> = self.json("/debug/registryz").await?;
        let instances = services.into_iter().flat_map(|service| service.instances);
        Ok(instances.map(|instance| instance.id).collect())
    }

    /// What every connected Envoy has been sent and has acknowledged, by node id.
    pub async fn sync(&self) -> Result<BTreeMap<String, ProxySync>, PageError> {
        let rows: Vec<ProxySync> = self.json("/debug/syncz").await?;
        let named = rows.into_iter().map(|row| (row.proxy.clone(), row));
        Ok(named.collect())
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, PageError> {
        let (status, body) = self.get(path).await?;
        let url = format!("{}{path}", self.url());
        serde_json::from_str(&body).map_err(|error| PageError::Status {
            url,
            status,
            body: format!("{error} in {body}"),
        })
    }
}
