//! Who may use the API: basic authentication, and DC/OS tokens.
//!
//! A DC/OS service account logs in with a short-lived JWT that its private key
//! has signed (RS256) and gets a token for `Authorization: token=…`; a user
//! logs in with a password. RSA and HMAC come from `aws-lc-rs`, which rustls
//! brings into the binary anyway; a JWT library would add a second notion of
//! claims to what are three base64 parts.

mod jwt;
mod keys;

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::json::text;
use jwt::Signer;
pub use keys::BadKey;

/// Where DC/OS hands out tokens.
pub(crate) const LOGIN: &str = "/acs/api/v1/auth/login";

/// DC/OS tokens live five days unless the login asks for less.
const LIFETIME: i64 = 5 * 24 * 3600;

/// Who may use the API. Without any entry, everybody.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// Names and passwords for `Authorization: Basic`.
    pub basic: Vec<(String, String)>,
    /// DC/OS accounts for `Authorization: token=`.
    pub accounts: Vec<Account>,
}

/// A DC/OS account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name.
    pub uid: String,
    /// What it proves itself with.
    pub proof: Proof,
}

/// What an account proves itself with.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A service: logins are signed with the private key to this public key,
    /// in PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`).
    PublicKey(String),
    /// A person.
    Password(String),
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// 401: nobody we know.
    Unknown,
    /// 403: known, and not allowed.
    Forbidden,
}

/// Checks requests and logins.
pub(crate) struct Guard {
    basic: BTreeMap<String, String>,
    services: BTreeMap<String, ParsedPublicKey>,
    passwords: BTreeMap<String, String>,
    forbidden: BTreeSet<String>,
    /// Issued tokens with their account and end of life.
    tokens: BTreeMap<String, (String, i64)>,
    signer: Signer,
}

impl Guard {
    pub(crate) fn new(auth: &Auth, seed: u64) -> Result<Guard, BadKey> {
        let mut guard = Guard {
            basic: auth.basic.iter().cloned().collect(),
            services: BTreeMap::new(),
            passwords: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            tokens: BTreeMap::new(),
            signer: Signer::new(seed),
        };
        for account in &auth.accounts {
            let uid = account.uid.clone();
            match &account.proof {
                Proof::PublicKey(pem) => {
                    guard.services.insert(uid, keys::public(&account.uid, pem)?);
                }
                Proof::Password(password) => {
                    guard.passwords.insert(uid, password.clone());
                }
            }
        }
        Ok(guard)
    }

    /// Checks the `Authorization` header of a request.
    pub(crate) fn check(&self, authorization: Option<&str>) -> Result<(), Denial> {
        let open = [self.services.len(), self.passwords.len(), self.basic.len()];
        if open == [0; 3] {
            return Ok(());
        }
        let who = authorization.and_then(|value| self.identify(value));
        match who {
            None => Err(Denial::Unknown),
            Some(who) if self.forbidden.contains(&who) => Err(Denial::Forbidden),
            Some(_) => Ok(()),
        }
    }

    fn identify(&self, authorization: &str) -> Option<String> {
        if let Some(token) = authorization.strip_prefix("token=") {
            let (uid, expires) = self.tokens.get(token)?;
            return (*expires > now()).then(|| uid.clone());
        }
        let encoded = authorization.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        (self.basic.get(user)? == password).then(|| user.to_owned())
    }

    /// Whether clients are to be asked for a password rather than a token.
    pub(crate) fn is_basic(&self) -> bool {
        !self.basic.is_empty()
    }

    /// A login: `{"uid", "token"}` of a service or `{"uid", "password"}`, with
    /// the wanted end of life in `exp`. Answers the new token.
    pub(crate) fn log_in(&mut self, body: &Value) -> Option<String> {
        let uid = text(body, "uid")?;
        let proven = match (text(body, "token"), text(body, "password")) {
            (Some(login), _) => self.is_signed(uid, login),
            (None, Some(password)) => self.passwords.get(uid).is_some_and(|p| p == password),
            (None, None) => false,
        };
        if !proven {
            return None;
        }
        let expires = body["exp"].as_i64().unwrap_or_else(|| now() + LIFETIME);
        let token = self.signer.sign(&json!({ "uid": uid, "exp": expires }));
        self.tokens.insert(token.clone(), (uid.to_owned(), expires));
        Some(token)
    }

    /// A login JWT: of this account, signed with its key, and not too old.
    fn is_signed(&self, uid: &str, login: &str) -> bool {
        let key = self.services.get(uid);
        let claims = key.and_then(|key| jwt::verify(login, key));
        claims.is_some_and(|claims| {
            let alive = claims["exp"].as_i64().is_none_or(|exp| exp > now());
            text(&claims, "uid") == Some(uid) && alive
        })
    }

    /// Ends the life of all issued tokens.
    pub(crate) fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    /// From now on, whether the account or user is allowed anything.
    pub(crate) fn forbid(&mut self, who: &str, forbidden: bool) {
        match forbidden {
            true => self.forbidden.insert(who.to_owned()),
            false => self.forbidden.remove(who),
        };
    }
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let auth = Auth {
            basic: vec![("ada".into(), "secret".into())],
            accounts: vec![Account {
                uid: "bob".into(),
                proof: Proof::Password("pw".into()),
            }],
        };
        Guard::new(&auth, 1).expect("no keys")
    }

    #[test]
    fn passwords_are_compared() {
        let guard = guard();
        let header = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert_eq!(guard.check(Some(&header("ada:secret"))), Ok(()));
        for wrong in [Some(header("ada:")), Some("Basic ?".into()), None] {
            assert_eq!(guard.check(wrong.as_deref()), Err(Denial::Unknown));
        }
    }

    #[test]
    fn tokens_live_until_they_expire() {
        let mut guard = guard();
        let body = json!({ "uid": "bob", "password": "pw" });
        let header = |token: &str| format!("token={token}");
        let token = header(&guard.log_in(&body).expect("the right password"));
        assert_eq!(guard.check(Some(&token)), Ok(()));
        guard.forbid("bob", true);
        assert_eq!(guard.check(Some(&token)), Err(Denial::Forbidden));
        guard.forbid("bob", false);
        guard.expire_tokens();
        assert_eq!(guard.check(Some(&token)), Err(Denial::Unknown));
        let past = json!({ "uid": "bob", "password": "pw", "exp": 1 });
        let token = header(&guard.log_in(&past).expect("the right password"));
        assert_eq!(guard.check(Some(&token)), Err(Denial::Unknown));
        assert_eq!(
            guard.log_in(&json!({ "uid": "bob", "password": "x" })),
            None
        );
        assert_eq!(
            guard.log_in(&json!({ "uid": "eve", "token": "a.b.c" })),
            None
        );
    }
}
