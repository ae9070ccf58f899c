//! The outsider: asks for the product page, once or steadily, and judges the answers.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::StatusCode;

use crate::bookinfo::wire::Page;

mod load;
mod votes;

pub use load::{Load, Lost, Tally};
pub use votes::Votes;

/// Longer than the page ever takes: 6 s for the reviews that do not come.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why a request counts as failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection, no answer, or not a page.
    #[error("{0:?}")]
    Http(#[from] reqwest::Error),
    /// An answer that is not 200.
    #[error("answered {status}: {body}")]
    Status {
        /// For example 503.
        status: StatusCode,
        /// The start of the answer.
        body: String,
    },
    /// A page on which a section apologises.
    #[error("{section} is missing: {cause}")]
    Section {
        /// details, reviews or stars.
        section: &'static str,
        /// What happened.
        cause: String,
    },
}

/// A browser of sorts. Cheap to clone; keeps connections alive, as browsers do.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    at: SocketAddr,
}

impl Client {
    /// Asks at this address, whose IP and port are also what the `Host` header says.
    pub fn new(at: SocketAddr) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { http, at })
    }

    /// What to open in a browser.
    pub fn url(&self) -> String {
        format!("http://{}/productpage", self.at)
    }

    /// The page as data, whatever is on it.
    pub async fn page(&self, user: Option<&str>) -> Result<Page, Failure> {
        let answer = self.get("?format=json", user).await?;
        Ok(answer.json().await?)
    }

    /// The page as people see it.
    pub async fn html(&self, user: Option<&str>) -> Result<String, Failure> {
        let answer = self.get("", user).await?;
        Ok(answer.text().await?)
    }

    /// The page, if nothing is missing on it.
    pub async fn whole_page(&self, user: Option<&str>) -> Result<Page, Failure> {
        whole(self.page(user).await?)
    }

    async fn get(&self, query: &str, user: Option<&str>) -> Result<reqwest::Response, Failure> {
        let mut request = self.http.get(format!("{}{query}", self.url()));
        if let Some(user) = user {
            request = request.header("end-user", user);
        }
        let answer = request.send().await?;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let body = answer.text().await?.chars().take(200).collect();
        Err(Failure::Status { status, body })
    }
}

fn whole(page: Page) -> Result<Page, Failure> {
    use crate::bookinfo::wire::{Rating, Section};
    let missing = |section, cause: &str| {
        let cause = cause.to_owned();
        Err(Failure::Section { section, cause })
    };
    if let Section::Failed { cause, .. } = &page.details {
        return missing("details", cause);
    }
    let reviews = match &page.reviews {
        Section::Failed { cause, .. } => return missing("reviews", cause),
        Section::Shown(reviews) => &reviews.reviews,
    };
    for review in reviews {
        if let Some(Rating::Unavailable { error }) = &review.rating {
            return missing("stars", error);
        }
    }
    Ok(page)
}
