//! HTTP to Marathon: one redirect, and credentials only for hosts that are known.
//!
//! A standby answers the request for events with a redirect to the leader. General clients drop
//! the credentials when the host changes, or send them anywhere; here they go along only if the
//! target is in the list of URLs or is what Marathon itself names as its leader.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Response, StatusCode, Url, redirect};
use serde::Deserialize;

use super::access::Access;
use super::endpoint;
use super::failure::{Failure, causes};
use super::options::{Credentials, Options};
use super::tls;

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
    /// Correct the file or the flag that names it.
    #[error("the file {path:?} cannot be used for TLS: {why}")]
    Tls { path: PathBuf, why: String },
}

pub(super) struct Client {
    rest: reqwest::Client,
    events: reqwest::Client,
    bases: Vec<Url>,
    access: Access,
    patience: Duration,
    /// Who led when Marathon last answered.
    leader: Mutex<Option<String>>,
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
        let secure = bases.iter().any(|url| url.scheme() == "https")
            || matches!(credentials, Some(Credentials::ServiceAccount(_)));
        if bases.is_empty() {
            return Err(BuildError::NoUrl);
        }
        let tls = tls::Files::read(&options.tls)?;
        let http = || tls.apply(builder(options.timing.connect), secure);
        let made = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|e| BuildError::Http(causes(e)))
        };
        Ok(Client {
            rest: made(http().timeout(options.timing.read))?,
            // Marathon never compresses events, and a proxy that did would hold them back.
            events: made(http().no_gzip())?,
            bases,
            access: Access::new(credentials),
            patience: options.timing.read,
            leader: Mutex::default(),
        })
    }

    /// Who leads, `host:port`, as the last answer told.
    pub(super) fn leader(&self) -> Option<String> {
        self.leader.lock().clone()
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
        let response = self.get(http, base, url, accept, true).await?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let target = target(url, &response)?;
        let trusted = self.trusts(base, &target).await;
        if self.access.is_secret() && !trusted {
            tracing::warn!(
                from = %short(url.clone()),
                to = %short(target.clone()),
                remedy = "list the address of every Marathon",
                "redirected to an unknown host: credentials are not sent there"
            );
        }
        let response = self.get(http, base, &target, accept, trusted).await?;
        if response.status().is_redirection() {
            let why = format!("{} redirects once more", short(target));
            return Err(Failure::Redirect {
                url: short(url.clone()),
                why,
            });
        }
        Ok(response)
    }

    /// Asks, and once more if what told who we are was refused and can be renewed.
    async fn get(
        &self,
        http: &reqwest::Client,
        base: &Url,
        url: &Url,
        accept: &str,
        trusted: bool,
    ) -> Result<Response, Failure> {
        let header = match trusted {
            true => self.access.header(&self.rest, base).await?,
            false => None,
        };
        let response = ask(http, url, accept, header.clone()).await?;
        self.note_leader(&response);
        let refused = response.status() == StatusCode::UNAUTHORIZED;
        match header {
            Some(header) if refused && self.access.renews(&header).await => {
                let header = self.access.header(&self.rest, base).await?;
                ask(http, url, accept, header).await
            }
            _ => Ok(response),
        }
    }

    /// The leader puts its address on every answer, also where a standby has passed it on.
    fn note_leader(&self, response: &Response) {
        let told = response.headers().get("x-marathon-leader");
        let told = told.and_then(|value| Url::parse(value.to_str().ok()?).ok());
        if let Some(leader) = told {
            *self.leader.lock() = Some(authority(&leader));
        }
    }

    /// Whether a redirect's target may see our credentials.
    async fn trusts(&self, base: &Url, target: &Url) -> bool {
        if !self.access.is_secret() {
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
        let Ok(answer) = self
            .get(&self.rest, base, &url, "application/json", true)
            .await
        else {
            return false;
        };
        let leader = answer.json::<Leader>().await;
        leader.is_ok_and(|leader| leader.leader == authority(target))
    }
}

async fn ask(
    http: &reqwest::Client,
    url: &Url,
    accept: &str,
    header: Option<HeaderValue>,
) -> Result<Response, Failure> {
    // Jetty compares the whole value of `Accept`: exactly this one, and no list.
    let mut request = http.get(url.clone()).header(ACCEPT, accept);
    if let Some(header) = header {
        request = request.header(AUTHORIZATION, header);
    }
    let why = |error| Failure::Unreachable {
        url: short(url.clone()),
        why: causes(error),
    };
    request.send().await.map_err(why)
}

fn builder(connect: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("pilothouse/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(connect)
        .tcp_keepalive(Duration::from_secs(15))
        // Marathon is inside the cluster; HTTP_PROXY is about the world outside.
        .no_proxy()
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
        credentials.get_or_insert(Credentials::Basic { user, password });
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

    #[tokio::test]
    async fn credentials_in_a_url_are_used_and_never_shown() {
        let client = client(&["http://me:secret@m:8080/x", "http://n:8080"]).unwrap();
        assert_eq!(client.bases()[0].as_str(), "http://m:8080/x");
        let base = client.bases()[0].clone();
        let header = client.access.header(&client.rest, &base).await;
        let header = header.unwrap().unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic bWU6c2VjcmV0");
        assert!(!format!("{header:?}").contains("bWU6"));
    }

    #[test]
    fn options_are_printed_without_secrets() {
        let mut options = Options::new([]);
        options.credentials = Some(Credentials::Basic {
            user: "me".into(),
            password: "secret".into(),
        });
        let printed = format!("{options:?}");
        assert!(
            printed.contains("me") && !printed.contains("secret"),
            "{printed}"
        );
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
