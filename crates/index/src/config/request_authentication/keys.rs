//! The keys of an issuer: given, or where they are.

use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use model::end_user::Keys;
use serde_json::Value;

use super::Place;
use crate::config::names;
use crate::config::object::Context;

/// From `jwks` and `jwksUri`, of which there must be one.
pub(in crate::config) fn read(
    (given, uri): (Option<&str>, Option<&str>),
    timeout: Duration,
    context: &Context<'_>,
    place: &mut Place<'_>,
) -> Option<Keys> {
    let given = given.filter(|text| !text.is_empty());
    let uri = uri.filter(|text| !text.is_empty());
    match (given, uri) {
        (Some(_), Some(_)) => {
            let remedy = "remove one of the two";
            place.refuse("jwks", "there are jwks and jwksUri", remedy);
            None
        }
        (Some(text), None) => match check(text) {
            Ok(()) => Some(Keys::Given(text.into())),
            Err(why) => {
                let remedy = "write a JSON Web Key Set, as the issuer publishes it";
                place.refuse("jwks", why, remedy);
                None
            }
        },
        (None, Some(uri)) => match asked(uri, timeout, context) {
            Ok(keys) => Some(keys),
            Err(why) => {
                let remedy = "write it like https://issuer.example.com/keys";
                place.refuse("jwksUri", why, remedy);
                None
            }
        },
        (None, None) => {
            let why = "there are no keys, and they are not looked for at the issuer";
            place.refuse("jwksUri", why, "set jwksUri or jwks");
            None
        }
    }
}

fn asked(uri: &str, timeout: Duration, context: &Context<'_>) -> Result<Keys, String> {
    let (rest, default_port) = match (uri.strip_prefix("http://"), uri.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (_, Some(rest)) => (rest, 443),
        _ => {
            return Err(format!(
                "{uri:?} begins neither with http:// nor with https://"
            ));
        }
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => {
            let port = port.parse().ok().filter(|port| *port > 0);
            (
                host,
                port.ok_or_else(|| format!("{uri:?} has no good port"))?,
            )
        }
        None => (authority, default_port),
    };
    let host = names::parse_host(host, context)?;
    match host.is_wildcard() {
        true => Err(format!("{host} is not one host")),
        false => Ok(Keys::Asked {
            uri: uri.into(),
            host,
            port,
            timeout,
        }),
    }
}

/// Envoy leaves out keys that it cannot read, and refuses a whole listener for a set of nothing
/// else.
fn check(text: &str) -> Result<(), String> {
    let set: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let keys = set["keys"].as_array().ok_or("there is no list of keys")?;
    let mut wrong = "the list of keys is empty".to_owned();
    for (at, key) in keys.iter().enumerate() {
        match usable(key) {
            Ok(()) => return Ok(()),
            Err(why) => wrong = format!("no key can be used; of key {at}, {why}"),
        }
    }
    Err(wrong)
}

/// The shortest modulus of RSA that BoringSSL takes, in bytes.
const MIN_MODULUS: usize = 64;

/// Whether Envoy reads a key, but for the arithmetic of its curve.
fn usable(key: &Value) -> Result<(), String> {
    let algorithm = key["alg"].as_str().unwrap_or_default();
    let begins = |prefixes: &[&str]| {
        let known = prefixes.iter().any(|prefix| algorithm.starts_with(prefix));
        match algorithm.is_empty() || known {
            true => Ok(()),
            false => Err(format!("alg {algorithm:?} is not one of its kty")),
        }
    };
    match (key["kty"].as_str(), key["crv"].as_str()) {
        (Some("RSA"), _) => {
            begins(&["RS", "PS"])?;
            part(key, "e", 1..=8)?;
            part(key, "n", MIN_MODULUS..=2048)
        }
        (Some("EC"), Some(curve)) => {
            let (algorithm, size) = match curve {
                "P-256" => ("ES256", 32),
                "P-384" => ("ES384", 48),
                "P-521" => ("ES512", 66),
                other => return Err(format!("crv {other:?} is no curve that is known")),
            };
            begins(&[algorithm])?;
            part(key, "x", size..=size)?;
            part(key, "y", size..=size)
        }
        (Some("OKP"), Some("Ed25519")) => {
            begins(&["EdDSA"])?;
            part(key, "x", 32..=32)
        }
        (Some("oct"), _) => {
            begins(&["HS"])?;
            part(key, "k", 1..=usize::MAX)
        }
        _ => Err("kty and crv are none that are known".to_owned()),
    }
}

fn part(key: &Value, name: &str, bytes: RangeInclusive<usize>) -> Result<(), String> {
    let text = key[name].as_str().unwrap_or_default();
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    match decoded {
        Ok(value) if bytes.contains(&value.len()) => Ok(()),
        Ok(value) => Err(format!("{name} has {} bytes", value.len())),
        Err(error) => Err(format!("{name} is no base64: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_needs_a_key_that_can_be_used() {
        let set = |keys: &str| check(&format!(r#"{{"keys": [{keys}]}}"#));
        let good = r#"{"kty": "oct", "k": "c2VjcmV0"}"#;
        assert_eq!(set(good), Ok(()));
        assert_eq!(set(&format!(r#"{{"kty": "?"}}, {good}"#)), Ok(()));
        for wrong in [
            "",
            r#"{"kty": "?"}"#,
            r#"{"kty": "oct", "k": "?"}"#,
            r#"{"kty": "oct", "k": "c"}"#,
            r#"{"kty": "oct", "k": "c2VjcmV0", "alg": "RS256"}"#,
            r#"{"kty": "RSA", "n": "AQAB"}"#,
            r#"{"kty": "RSA", "n": "AQAB", "e": "AQAB"}"#,
            r#"{"kty": "EC", "crv": "P-999", "x": "AQAB", "y": "AQAB"}"#,
            r#"{"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"}"#,
            r#"{"kty": "OKP", "crv": "Ed25519", "x": "AQAB"}"#,
        ] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
        assert!(check("").is_err() && check("{}").is_err());
    }
}
