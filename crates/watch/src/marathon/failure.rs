//! Why a session with a Marathon ended, in words that say what to do.

use std::time::Duration;

use reqwest::{StatusCode, Url};

use crate::report::Deaf;

/// The end of a session. All but the last are answered by another attempt.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{url} cannot be reached: {why}")]
    Unreachable { url: Url, why: String },
    #[error("{url} answered {status}")]
    Refused { url: Url, status: StatusCode },
    #[error("{url} answered {status} to the request for events")]
    NoEvents { url: Url, status: StatusCode },
    #[error("{url} answered with {content_type:?} and not with an event stream")]
    NotAStream { url: Url, content_type: String },
    #[error("{url} redirects, but {why}")]
    Redirect { url: Url, why: String },
    #[error("who we are cannot be told: {0}")]
    Credentials(String),
    #[error("the answer of {url} cannot be read: {why}")]
    Undecodable { url: Url, why: String },
    #[error("the event stream was silent for {0:?}")]
    Silent(Duration),
    #[error("the event stream was closed{0}")]
    Closed(String),
    #[error("an event was larger than {0} bytes")]
    TooLarge(usize),
    /// Nobody listens to us any more: end.
    #[error(transparent)]
    Deaf(#[from] Deaf),
}

// === impl Failure ===

impl Failure {
    /// What an operator can do; empty if waiting is right.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Failure::Unreachable { .. } => "check the URL, and that Marathon runs",
            Failure::Refused { status, .. } | Failure::NoEvents { status, .. } => match *status {
                StatusCode::UNAUTHORIZED => {
                    "set --marathonUser and --marathonPassword, --marathonTokenFile or \
                     --marathonCredential, or correct what they name"
                }
                StatusCode::FORBIDDEN => {
                    "let this user view apps, pods and events, or name another one"
                }
                StatusCode::METHOD_NOT_ALLOWED => {
                    "a proxy in between changes the header `Accept: text/event-stream`, which must \
                     arrive unchanged: use Marathon's own address"
                }
                StatusCode::NOT_FOUND => {
                    "check that the URL is the base of a Marathon, with its path prefix if it has one"
                }
                _ => "see Marathon's log if this lasts",
            },
            Failure::Credentials(_) => {
                "check the files of --marathonPasswordFile, --marathonTokenFile or \
                 --marathonCredential, and that the service account exists with this key"
            }
            Failure::NotAStream { .. } | Failure::Undecodable { .. } => {
                "check that the URL leads to Marathon and not to a login page or another server"
            }
            Failure::Redirect { .. } => {
                "list the address of every Marathon with its scheme and port"
            }
            Failure::Silent(_) | Failure::Closed(_) | Failure::TooLarge(_) | Failure::Deaf(_) => "",
        }
    }

    /// The whole message for status and log.
    pub(super) fn text(&self) -> String {
        match self.remedy() {
            "" => self.to_string(),
            remedy => format!("{self}: {remedy}"),
        }
    }
}

/// An error of the HTTP client with its causes; without the URL, which stands elsewhere.
pub(super) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
