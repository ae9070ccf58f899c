//! Service accounts of DC/OS: a login with a statement that is signed by the account's key.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::json;

use super::MARGIN;
use crate::marathon::failure::{Failure, causes};

/// How long the signed statement holds: enough for one request and clocks that differ a little.
const STATEMENT: SignedDuration = SignedDuration::from_secs(60);
const LOGIN: &str = "/acs/api/v1/auth/login";

/// The secret of an account, as DC/OS hands it out.
#[derive(Deserialize)]
struct Secret {
    uid: String,
    private_key: String,
    scheme: Option<String>,
    login_endpoint: Option<String>,
}

pub(super) struct Account {
    uid: String,
    key: KeyPair,
    endpoint: Option<Url>,
}

/// A token that Marathon accepts.
pub(super) struct Token {
    text: String,
    issued: Timestamp,
    /// Unknown for a token that is not a JWT: it holds until it is refused.
    expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
}

// === impl Account ===

impl Account {
    /// Reads the secret. No message repeats a part of it.
    pub(super) fn parse(text: &str) -> Result<Account, String> {
        let secret: Secret = serde_json::from_str(text).map_err(|error| {
            let at = (error.line(), error.column());
            format!(
                "not a service account in JSON (line {}, column {})",
                at.0, at.1
            )
        })?;
        match secret.scheme.as_deref() {
            None | Some("RS256") => {}
            Some(other) => return Err(format!("the scheme is {other:?}; only RS256 is known")),
        }
        let endpoint = secret.login_endpoint.as_deref().map(str::parse);
        Ok(Account {
            uid: secret.uid,
            key: key(&secret.private_key)?,
            endpoint: endpoint
                .transpose()
                .map_err(|_| "its login_endpoint is not a URL".to_owned())?,
        })
    }

    /// Gets a token. Without an endpoint in the secret it is asked for at the host of `base`.
    pub(super) async fn login(&self, http: &reqwest::Client, base: &Url) -> Result<Token, Failure> {
        let url = match &self.endpoint {
            Some(url) => url.clone(),
            None => base.join(LOGIN).unwrap_or_else(|_| base.clone()),
        };
        let now = Timestamp::now();
        let statement = self.statement(now).map_err(Failure::Credentials)?;
        let body = json!({"uid": self.uid, "token": statement});
        let unreachable = |why| Failure::Unreachable {
            url: url.clone(),
            why,
        };
        let answer = http.post(url.clone()).json(&body).send().await;
        let answer = answer.map_err(|error| unreachable(causes(error)))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let status = answer.status();
                let why = format!("the login of {} at {url} was answered {status}", self.uid);
                return Err(Failure::Credentials(why));
            }
            status => return Err(Failure::Refused { url, status }),
        }
        let answer: Answer = answer.json().await.map_err(|error| Failure::Undecodable {
            url: url.clone(),
            why: causes(error),
        })?;
        tracing::debug!(account = self.uid, %url, "logged in");
        Ok(Token::new(answer.token, now))
    }

    fn statement(&self, now: Timestamp) -> Result<String, String> {
        let exp = now
            .saturating_add(STATEMENT)
            .map_or(now, |at| at)
            .as_second();
        let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({"alg": "RS256", "typ": "JWT"}));
        let claims = part(json!({"uid": self.uid, "exp": exp}));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| "the private key cannot sign".to_owned())?;
        Ok(format!(
            "{signed}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(signature)
        ))
    }
}

/// An RSA key in PEM: PKCS #8 (`PRIVATE KEY`) or PKCS #1 (`RSA PRIVATE KEY`).
fn key(pem: &str) -> Result<KeyPair, String> {
    let lines = pem.lines().map(str::trim).filter(|line| !line.is_empty());
    let body: String = lines.filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64_STANDARD
        .decode(body)
        .map_err(|_| "the private key is not in PEM".to_owned())?;
    let parsed = match pem.contains("BEGIN RSA PRIVATE KEY") {
        true => KeyPair::from_der(&der),
        false => KeyPair::from_pkcs8(&der),
    };
    parsed.map_err(|_| "the private key is not an RSA key of at least 2048 bits".to_owned())
}

// === impl Token ===

impl Token {
    fn new(text: String, issued: Timestamp) -> Token {
        let claims = text.split('.').nth(1);
        let claims = claims.and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Option<Claims> = claims.and_then(|json| serde_json::from_slice(&json).ok());
        Token {
            expires: claims.and_then(|claims| Timestamp::from_second(claims.exp).ok()),
            issued,
            text,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Not in the last tenth of its life, nor in its last seconds.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh_at(Timestamp::now())
    }

    fn is_fresh_at(&self, now: Timestamp) -> bool {
        let Some(expires) = self.expires else {
            return true;
        };
        let life = expires.duration_since(self.issued);
        let margin = SignedDuration::try_from(MARGIN)
            .unwrap_or_default()
            .max(life / 10);
        now.duration_since(expires) < -margin
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    pub(crate) fn secret(endpoint: Option<&str>) -> (KeyPair, String) {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let body = BASE64_STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let secret = json!({"scheme": "RS256", "uid": "pilot", "private_key": pem, "login_endpoint": endpoint});
        (key, secret.to_string())
    }

    #[test]
    fn a_statement_is_signed_by_the_key_and_holds_for_a_minute() {
        let (key, secret) = secret(None);
        let account = Account::parse(&secret).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let statement = account.statement(now).unwrap();
        let (signed, signature) = statement.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
        public.verify(signed.as_bytes(), &signature).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let part = |text| -> serde_json::Value {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
        };
        assert_eq!(part(header), json!({"alg": "RS256", "typ": "JWT"}));
        assert_eq!(part(claims), json!({"uid": "pilot", "exp": 1_700_000_060}));
    }

    #[test]
    fn what_is_no_account_is_told_without_a_part_of_it() {
        for (text, words) in [
            ("{\"uid\": \"s3cret\"", "not a service account"),
            (r#"{"uid":"u","private_key":"s3cret"}"#, "not in PEM"),
            (r#"{"uid":"u","private_key":"czNjcmV0"}"#, "not an RSA key"),
            (
                r#"{"uid":"u","private_key":"","scheme":"HS256"}"#,
                "only RS256",
            ),
        ] {
            let Err(why) = Account::parse(text) else {
                panic!("{text}");
            };
            assert!(why.contains(words) && !why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn a_token_is_renewed_before_it_expires() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let jwt = |exp: i64| {
            let claims = BASE64_URL_SAFE_NO_PAD.encode(json!({"exp": exp}).to_string());
            Token::new(format!("x.{claims}.y"), at(1000))
        };
        for (token, now, fresh) in [
            (jwt(1000 + 3600), 1000 + 3200, true),
            (jwt(1000 + 3600), 1000 + 3241, false),
            (jwt(1000 + 30), 1000 + 19, true),
            (jwt(1000 + 30), 1000 + 20, false),
            (Token::new("opaque".into(), at(1000)), 1_000_000, true),
        ] {
            assert_eq!(token.is_fresh_at(at(now)), fresh, "{now}");
        }
    }
}
