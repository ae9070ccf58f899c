//! What a Marathon source is told at its start.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

/// Where Marathon is, who we are to it, and how patient we are.
#[derive(Debug, Clone)]
pub struct Options {
    /// Base URLs, tried in order; a path prefix (`/service/marathon`) is kept.
    ///
    /// User and password inside a URL count as `credentials` if none are given. If no URL is
    /// `https`, no certificate authorities are loaded, so a Marathon that redirects to `https`
    /// must be listed with `https`.
    pub urls: Vec<Url>,
    pub credentials: Option<Credentials>,
    pub tls: Tls,
    pub timing: Timing,
    /// How many requests for single workloads run at a time.
    pub parallel: usize,
    /// The domains of the mesh, one of which should be this Marathon's. Empty: nobody asks.
    pub domains: Vec<String>,
}

/// Who we are to Marathon. Files are read again whenever they are needed, so that a secret can be
/// replaced while we run.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// HTTP basic authentication (`--http_credentials` of Marathon).
    Basic { user: String, password: String },
    /// The same with the password in a file.
    PasswordFile { user: String, file: PathBuf },
    /// A token of DC/OS in a file, sent as `Authorization: token=…`.
    TokenFile(PathBuf),
    /// A file with the secret of a DC/OS service account: JSON with `uid`, `private_key` and
    /// perhaps `login_endpoint`. Tokens are asked for and renewed by it.
    ServiceAccount(PathBuf),
}

/// What TLS needs besides the system's certificate authorities; files in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The only authorities that are trusted, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// Our certificate with its chain, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The times of the synchronisation.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Read everything again so often, a tenth more or less, in case an event was lost.
    pub resync: Duration,
    /// A stream that is silent for so long is dead: Marathon sends a heartbeat every 10 s.
    pub idle: Duration,
    /// The first and the longest wait before another attempt.
    pub backoff: (Duration, Duration),
    /// After a first event, which is followed at once, read when none came for so long …
    pub quiet: Duration,
    /// … but at the latest so long after the first that waits.
    pub most: Duration,
    /// How much later a list that suddenly lost most of its entries is read a second time.
    pub confirm: Duration,
    /// Read once more so long after a change of groups, whose event may precede the change.
    pub aftermath: Duration,
    pub connect: Duration,
    /// The longest time for one request, the event stream excepted.
    pub read: Duration,
}

// === impl Options ===

impl Options {
    /// With default times and without credentials.
    pub fn new(urls: impl IntoIterator<Item = Url>) -> Options {
        Options {
            urls: urls.into_iter().collect(),
            credentials: None,
            tls: Tls::default(),
            timing: Timing::default(),
            parallel: 8,
            domains: Vec::new(),
        }
    }
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            resync: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            backoff: (Duration::from_millis(250), Duration::from_secs(10)),
            quiet: Duration::from_millis(100),
            most: Duration::from_secs(1),
            confirm: Duration::from_secs(1),
            aftermath: Duration::from_secs(2),
            connect: Duration::from_secs(5),
            read: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options are printed at start; a password never is.
        match self {
            Credentials::Basic { user, .. } => write!(f, "Basic({user}, …)"),
            Credentials::PasswordFile { user, file } => write!(f, "Basic({user}, {file:?})"),
            Credentials::TokenFile(file) => write!(f, "TokenFile({file:?})"),
            Credentials::ServiceAccount(file) => write!(f, "ServiceAccount({file:?})"),
        }
    }
}
