//! HTTP to Marathon: one redirect, and credentials only for hosts that are known.
//!
//! A standby answers the request for events with a redirect to the leader. General clients drop
//! the credentials when the host changes, or send them anywhere; here they go along only if the
//! target is in the list of URLs or is what Marathon itself names as its leader.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode, Url, redirect};
use serde::Deserialize;

use super::endpoint;
use super::failure::{Failure, causes};
use super::options::{Credentials, Options};

/// Why a Marathon source cannot be made from its options.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Give at least one base URL.
    #[error("no URL of a Marathon is given")]
    NoUrl,
    /// Correct the URL.
    #[error("{0} is not a Marathon URL: write it like http://marathon.mesos:8080")]
    NotHttp(Url),
    /// The system lacks what TLS needs, most likely certificate authorities.
    #[error("the HTTP client cannot be made: {0}; is the package `ca-certificates` installed?")]
    Http(String),
}

pub(super) struct Client {
    rest: reqwest::Client,
    events: reqwest::Client,
    bases: Vec<Url>,
    credentials: Option<Credentials>,
    patience: Duration,
}

#[derive(Deserialize)]
struct Leader {
    leader: String,
}

// === impl Client ===

impl Client {
    pub(super) fn new(options: &Options) -> Result<Client, BuildError> {
        let mut credentials = options.credentials.clone();
        let bases = options.urls.iter().cloned();
        let bases: Vec<Url> = bases
            .map(|url| without_user(url, &mut credentials))
            .collect::<Result<_, _>>()?;
        let secure = bases.iter().any(|url| url.scheme() == "https");
        if bases.is_empty() {
            return Err(BuildError::NoUrl);
        }
        let http = || builder(options.timing.connect, secure);
        let made = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|e| BuildError::Http(causes(e)))
        };
        Ok(Client {
            rest: made(http().timeout(options.timing.read))?,
            // Marathon never compresses events, and a proxy that did would hold them back.
            events: made(http().no_gzip())?,
            bases,
            credentials,
            patience: options.timing.read,
        })
    }

    pub(super) fn bases(&self) -> &[Url] {
        &self.bases
    }

    /// Reads a document; `None` if Marathon does not know it.
    pub(super) async fn read(&self, base: &Url, url: Url) -> Result<Option<Bytes>, Failure> {
        let response = self
            .send(&self.rest, base, &url, "application/json")
            .await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => {
                let body = response.bytes().await;
                let why = |error| Failure::Unreachable {
                    url,
                    why: causes(error),
                };
                body.map(Some).map_err(why)
            }
            status => Err(Failure::Refused { url, status }),
        }
    }

    /// Opens the event stream.
    pub(super) async fn events(&self, base: &Url) -> Result<Response, Failure> {
        let url = endpoint::events(base);
        let send = self.send(&self.events, base, &url, "text/event-stream");
        let short = short(url.clone());
        let response = tokio::time::timeout(self.patience, send)
            .await
            .map_err(|_| {
                let why = format!("no answer within {:?}", self.patience);
                Failure::Unreachable {
                    url: short.clone(),
                    why,
                }
            })??;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(Failure::NoEvents { url: short, status });
        }
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        if !content_type.starts_with("text/event-stream") {
            let content_type = content_type.to_owned();
            return Err(Failure::NotAStream {
                url: short,
                content_type,
            });
        }
        Ok(response)
    }

    /// Sends a request and follows one redirect.
    async fn send(
        &self,
        http: &reqwest::Client,
        base: &Url,
        url: &Url,
        accept: &str,
    ) -> Result<Response, Failure> {
        let response = self.get(http, url, accept, true).await?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let target = target(url, &response)?;
        let trusted = self.trusts(base, &target).await;
        if self.credentials.is_some() && !trusted {
            tracing::warn!(
                from = %short(url.clone()),
                to = %short(target.clone()),
                remedy = "list the address of every Marathon",
                "redirected to an unknown host: credentials are not sent there"
            );
        }
        let response = self.get(http, &target, accept, trusted).await?;
        if response.status().is_redirection() {
            let why = format!("{} redirects once more", short(target));
            return Err(Failure::Redirect {
                url: short(url.clone()),
                why,
            });
        }
        Ok(response)
    }

    async fn get(
        &self,
        http: &reqwest::Client,
        url: &Url,
        accept: &str,
        trusted: bool,
    ) -> Result<Response, Failure> {
        // Jetty compares the whole value of `Accept`: exactly this one, and no list.
        let mut request = http.get(url.clone()).header(ACCEPT, accept);
        if let Some(Credentials { user, password }) = self.credentials.as_ref().filter(|_| trusted)
        {
            request = request.basic_auth(user, Some(password));
        }
        let why = |error| Failure::Unreachable {
            url: short(url.clone()),
            why: causes(error),
        };
        request.send().await.map_err(why)
    }

    /// Whether a redirect's target may see our credentials.
    async fn trusts(&self, base: &Url, target: &Url) -> bool {
        if self.credentials.is_none() {
            return true;
        }
        if base.scheme() == "https" && target.scheme() != "https" {
            return false;
        }
        if self
            .bases
            .iter()
            .any(|known| authority(known) == authority(target))
        {
            return true;
        }
        let url = endpoint::leader(base);
        let Ok(answer) = self.get(&self.rest, &url, "application/json", true).await else {
            return false;
        };
        let leader = answer.json::<Leader>().await;
        leader.is_ok_and(|leader| leader.leader == authority(target))
    }
}

fn builder(connect: Duration, secure: bool) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("pilothouse/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(connect)
        .tcp_keepalive(Duration::from_secs(15))
        // Marathon is inside the cluster; HTTP_PROXY is about the world outside.
        .no_proxy();
    if secure {
        builder
    } else {
        // Or the client could not be made on a system without certificate authorities.
        builder.tls_certs_only([])
    }
}

/// Takes user and password out of a URL, so that it can be shown.
fn without_user(mut url: Url, credentials: &mut Option<Credentials>) -> Result<Url, BuildError> {
    let user = url.username().to_owned();
    let password = url.password().unwrap_or_default().to_owned();
    let cut = url.set_username("").is_ok() && url.set_password(None).is_ok();
    if !cut || !matches!(url.scheme(), "http" | "https") {
        return Err(BuildError::NotHttp(url));
    }
    if !user.is_empty() {
        credentials.get_or_insert(Credentials { user, password });
    }
    Ok(url)
}

fn target(url: &Url, response: &Response) -> Result<Url, Failure> {
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| url.join(location).ok());
    let known = |target: &Url| matches!(target.scheme(), "http" | "https");
    target.filter(known).ok_or_else(|| Failure::Redirect {
        url: short(url.clone()),
        why: format!("to {location:?}, which is not an address"),
    })
}

/// `host:port`, as Marathon names its leader.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

/// For messages: the long query says nothing.
fn short(mut url: Url) -> Url {
    url.set_query(None);
    // A redirect may carry them, too.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(urls: &[&str]) -> Result<Client, BuildError> {
        Client::new(&Options::new(urls.iter().map(|url| url.parse().unwrap())))
    }

    #[test]
    fn credentials_in_a_url_are_used_and_never_shown() {
        let client = client(&["http://me:secret@m:8080/x", "http://n:8080"]).unwrap();
        assert_eq!(client.bases()[0].as_str(), "http://m:8080/x");
        let credentials = client.credentials.unwrap();
        assert_eq!(
            (credentials.user.as_str(), credentials.password.as_str()),
            ("me", "secret")
        );
        assert!(!format!("{credentials:?}").contains("secret"));
    }

    #[test]
    fn only_http_urls_are_taken() {
        assert!(matches!(client(&[]), Err(BuildError::NoUrl)));
        for url in ["mailto:marathon", "ftp://m/", "data:x"] {
            assert!(
                matches!(client(&[url]), Err(BuildError::NotHttp(_))),
                "{url}"
            );
        }
    }
}
