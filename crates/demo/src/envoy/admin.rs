//! The admin interface of one Envoy: is it ready, what does it count, what does it run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::Value;

/// Local and cheap; what takes longer than this is stuck.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why the admin interface gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Not there (yet, or any more), or not HTTP, or not the expected JSON.
    #[error("Envoy admin at {at}: {source}")]
    Http {
        /// The admin address.
        at: SocketAddr,
        /// What went wrong.
        source: reqwest::Error,
    },
}

/// Configuration updates that this Envoy refused, by discovery service. All zero in a sound mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rejected {
    /// Cluster updates.
    pub cds: u64,
    /// Endpoint updates, over all clusters.
    pub eds: u64,
    /// Listener updates.
    pub lds: u64,
    /// Route updates, over all route configurations.
    pub rds: u64,
}

impl Rejected {
    /// All services together.
    pub fn total(&self) -> u64 {
        self.cds + self.eds + self.lds + self.rds
    }

    fn count(&mut self, stat: &str, value: u64) {
        let counter = if stat.starts_with("cluster_manager.cds.") {
            &mut self.cds
        } else if stat.starts_with("listener_manager.lds.") {
            &mut self.lds
        } else if stat.starts_with("cluster.") {
            &mut self.eds
        } else if stat.contains(".rds.") {
            &mut self.rds
        } else {
            return;
        };
        counter.add_assign(value);
    }
}

impl AddAssign for Rejected {
    fn add_assign(&mut self, other: Self) {
        self.cds += other.cds;
        self.eds += other.eds;
        self.lds += other.lds;
        self.rds += other.rds;
    }
}

/// Cheap to clone; outlives restarts of its Envoy.
#[derive(Debug, Clone)]
pub struct Admin {
    at: SocketAddr,
    client: Client,
}

impl Admin {
    /// The admin interface at this address.
    pub fn new(at: SocketAddr) -> Result<Self, AdminError> {
        // No proxy: a proxy of the environment must not see loopback traffic. No idle
        // connections: one left from before a restart would fail the first request after it.
        let client = Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(0);
        let client = client
            .build()
            .map_err(|source| AdminError::Http { at, source })?;
        Ok(Self { at, client })
    }

    /// Its address, to open in a browser.
    pub fn addr(&self) -> SocketAddr {
        self.at
    }

    /// True once Envoy has its first configuration and its listeners accept.
    pub async fn ready(&self) -> Result<bool, AdminError> {
        let url = format!("http://{}/ready", self.at);
        let answer = self.client.get(url).send().await;
        Ok(answer
            .map_err(|source| self.error(source))?
            .status()
            .is_success())
    }

    /// Counters and gauges whose name contains a match of this RE2 expression.
    pub async fn stats(&self, regex: &str) -> Result<BTreeMap<String, u64>, AdminError> {
        let query = [("format", "json"), ("filter", regex)];
        let body = self.json("/stats", &query).await?;
        // Text readouts have strings and histograms no value at all: both are left out.
        let stats = body["stats"].as_array().into_iter().flatten();
        let named =
            stats.filter_map(|stat| Some((stat["name"].as_str()?, stat["value"].as_u64()?)));
        Ok(named
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }

    /// One counter or gauge by its full name; `None` if Envoy does not have it.
    pub async fn stat(&self, name: &str) -> Result<Option<u64>, AdminError> {
        let all = self.stats(&format!("^{}$", quote(name))).await?;
        Ok(all.get(name).copied())
    }

    /// What this Envoy refused so far.
    pub async fn rejected(&self) -> Result<Rejected, AdminError> {
        let mut rejected = Rejected::default();
        for (name, value) in self.stats(r"\.update_rejected$").await? {
            rejected.count(&name, value);
        }
        Ok(rejected)
    }

    /// Everything that it runs, endpoints included.
    pub async fn config_dump(&self) -> Result<Value, AdminError> {
        self.json("/config_dump", &[("include_eds", "")]).await
    }

    async fn json(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, AdminError> {
        let request = self
            .client
            .get(format!("http://{}{path}", self.at))
            .query(query);
        let sent = request.send().await.and_then(Response::error_for_status);
        let answer = sent.map_err(|source| self.error(source))?;
        answer.json().await.map_err(|source| self.error(source))
    }

    fn error(&self, source: reqwest::Error) -> AdminError {
        let at = self.at;
        AdminError::Http { at, source }
    }
}

/// Stat names are full of dots and pipes, which mean something to RE2.
fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() * 2);
    for c in name.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_their_service() {
        let mut rejected = Rejected::default();
        for (stat, value) in [
            ("cluster_manager.cds.update_rejected", 1),
            (
                "cluster.outbound|9080||reviews.marathon.slave.mesos.update_rejected",
                2,
            ),
            (
                "cluster.outbound|9080|v1|reviews.marathon.slave.mesos.update_rejected",
                3,
            ),
            ("listener_manager.lds.update_rejected", 10),
            ("http.outbound_0.0.0.0_9080;.rds.9080.update_rejected", 20),
            ("sds.default.update_rejected", 99),
        ] {
            rejected.count(stat, value);
        }
        let expected = Rejected {
            cds: 1,
            eds: 5,
            lds: 10,
            rds: 20,
        };
        assert_eq!(rejected, expected);
        assert_eq!(rejected.total(), 36);
    }

    #[test]
    fn names_match_themselves_only() {
        let name = "cluster.outbound|9080|v1|a-b.c_d";
        assert_eq!(quote(name), r"cluster\.outbound\|9080\|v1\|a\-b\.c_d");
    }
}
