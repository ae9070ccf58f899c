//! Why a request to an apiserver failed, in words that say what to do.

use std::error::Error as _;

use ::kube::Error;

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody answered, or not in time, or the server says that it cannot.
    #[error("{url} is away: {why}")]
    Away { url: String, why: String },
    /// The server answered no.
    #[error("{url} answered {code}: {why}")]
    Refused { url: String, code: u16, why: String },
    /// The server answered what we cannot read.
    #[error("the answer of {url} cannot be read: {why}")]
    Undecodable { url: String, why: String },
}

// === impl Failure ===

impl Failure {
    pub(super) fn away(url: &str, why: impl Into<String>) -> Failure {
        Failure::Away {
            url: url.to_owned(),
            why: why.into(),
        }
    }

    pub(super) fn undecodable(url: &str, error: &serde_json::Error) -> Failure {
        Failure::Undecodable {
            url: url.to_owned(),
            why: error.to_string(),
        }
    }

    pub(super) fn refused(url: &str, code: u16, why: impl Into<String>) -> Failure {
        match code {
            // Overloaded, shutting down, or without its etcd: another may do better.
            429 | 500.. => Failure::away(url, format!("{code} {}", shortened(&why.into()))),
            _ => Failure::Refused {
                url: url.to_owned(),
                code,
                why: why.into(),
            },
        }
    }

    pub(super) fn from_error(url: &str, error: &Error) -> Failure {
        match error {
            Error::Api(status) => Failure::refused(url, status.code, status.message.trim()),
            Error::Auth(error) => {
                Failure::refused(url, 401, format!("who we are cannot be told: {error}"))
            }
            other => Failure::away(url, causes(other)),
        }
    }

    /// The HTTP status with which the server said no.
    pub fn code(&self) -> Option<u16> {
        match self {
            Failure::Refused { code, .. } => Some(*code),
            Failure::Away { .. } | Failure::Undecodable { .. } => None,
        }
    }

    /// The version that we asked for is too old: everything must be listed again.
    pub(super) fn is_expired(&self) -> bool {
        self.code() == Some(410)
    }

    /// No such path, or no such object.
    pub fn is_missing(&self) -> bool {
        self.code() == Some(404)
    }

    /// We may not.
    pub fn is_forbidden(&self) -> bool {
        matches!(self.code(), Some(401 | 403))
    }

    /// Somebody else was first.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Waiting may help.
    pub fn is_away(&self) -> bool {
        matches!(self, Failure::Away { .. })
    }

    /// What an operator can do; empty if waiting is right.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Failure::Away { .. } => {
                "check that the apiserver and its etcd run, and the address in --kubeconfig or --kubeAPI"
            }
            Failure::Refused { code: 401, .. } => {
                "correct the credentials in the kubeconfig, or the file of --kubeTokenFile"
            }
            Failure::Refused { code: 403, .. } => {
                "grant our user the rules of config/kubernetes/rbac.yaml"
            }
            Failure::Refused { .. } => "see the log of the apiserver if this lasts",
            Failure::Undecodable { .. } => {
                "check that the URL leads to an apiserver and not to a login page or another server"
            }
        }
    }
}

/// Of a page of checks, those that failed.
fn shortened(why: &str) -> String {
    let failed: Vec<&str> = why.lines().filter(|line| line.starts_with("[-]")).collect();
    match failed.as_slice() {
        [] => why.lines().next().unwrap_or_default().to_owned(),
        failed => failed.join(", "),
    }
}

/// An error with its causes, each told once.
fn causes(error: &Error) -> String {
    let mut source = error.source();
    // Its own words name only the layer of the client; the causes tell what happened.
    let mut text = source.map_or_else(|| error.to_string(), ToString::to_string);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_checks_only_those_that_failed_are_told() {
        let page = "[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\nreadyz check failed";
        let failure = Failure::refused("u", 500, page);
        assert_eq!(
            failure.to_string(),
            "u is away: 500 [-]etcd failed: reason withheld"
        );
    }

    #[test]
    fn a_server_that_cannot_is_away_and_one_that_will_not_has_refused() {
        for code in [429, 500, 503, 504] {
            assert!(Failure::refused("u", code, "").is_away(), "{code}");
        }
        let refused = |code| Failure::refused("u", code, "x");
        assert!(refused(410).is_expired() && refused(404).is_missing());
        assert!(refused(403).is_forbidden() && refused(401).is_forbidden());
        assert!(refused(409).is_conflict() && !refused(409).is_away());
    }
}
