//! Who we are to Marathon: the value of the header `Authorization`, kept valid.
//!
//! Secrets live in files and may be replaced there at any time, so files are read when they are
//! needed. A service account of DC/OS signs a short-lived statement with its key and gets a token
//! for it, which is renewed before it expires and whenever it is refused.

mod account;

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use self::account::{Account, Token};
use super::failure::Failure;
use super::options::Credentials;

pub(super) struct Access {
    credentials: Option<Credentials>,
    token: Mutex<Option<Token>>,
}

// === impl Access ===

impl Access {
    pub(super) fn new(credentials: Option<Credentials>) -> Access {
        Access {
            credentials,
            token: Mutex::new(None),
        }
    }

    /// Whether there is anything to keep from strangers.
    pub(super) fn is_secret(&self) -> bool {
        self.credentials.is_some()
    }

    /// The header for a request to a Marathon below `base`.
    pub(super) async fn header(
        &self,
        http: &reqwest::Client,
        base: &Url,
    ) -> Result<Option<HeaderValue>, Failure> {
        let value = match &self.credentials {
            None => return Ok(None),
            Some(Credentials::Basic { user, password }) => basic(user, password),
            Some(Credentials::PasswordFile { user, file }) => basic(user, &read(file).await?),
            Some(Credentials::TokenFile(file)) => token(&read(file).await?),
            Some(Credentials::ServiceAccount(file)) => {
                token(&self.valid_token(http, base, file).await?)
            }
        };
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| Failure::Credentials("a line break or control character in it".into()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// After an answer 401: whether another header than the one that was refused can be had.
    pub(super) async fn renews(&self, refused: &HeaderValue) -> bool {
        match &self.credentials {
            None | Some(Credentials::Basic { .. }) => false,
            Some(Credentials::PasswordFile { .. } | Credentials::TokenFile(_)) => true,
            Some(Credentials::ServiceAccount(_)) => {
                // Of several requests that were refused at once, the first drops the token.
                let mut kept = self.token.lock().await;
                kept.take_if(|kept| token(kept.text()) == *refused);
                true
            }
        }
    }

    /// One login at a time: whoever comes meanwhile waits for its token.
    async fn valid_token(
        &self,
        http: &reqwest::Client,
        base: &Url,
        file: &Path,
    ) -> Result<String, Failure> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.is_fresh()) {
            return Ok(token.text().to_owned());
        }
        let account = Account::parse(&read(file).await?)
            .map_err(|why| Failure::Credentials(format!("{}: {why}", file.display())))?;
        let token = account.login(http, base).await?;
        let text = token.text().to_owned();
        *kept = Some(token);
        Ok(text)
    }
}

/// How long before its end a token is renewed at the latest.
const MARGIN: Duration = Duration::from_secs(10);

fn basic(user: &str, password: &str) -> String {
    let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {pair}")
}

/// What DC/OS expects in place of `Bearer`; a file may hold the whole of it.
fn token(text: &str) -> String {
    format!("token={}", text.strip_prefix("token=").unwrap_or(text))
}

/// The content of a secret's file, without the line break that editors put at its end.
async fn read(file: &Path) -> Result<String, Failure> {
    let why = |why: String| Failure::Credentials(format!("{}: {why}", file.display()));
    let text = tokio::fs::read_to_string(file)
        .await
        .map_err(|error| why(error.to_string()))?;
    match text.trim() {
        "" => Err(why("the file is empty".into())),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests;
