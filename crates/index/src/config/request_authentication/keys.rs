//! The keys of an issuer: given, or where they are.

use std::time::Duration;

use api::istio::JwtRule;
use model::end_user::Keys;
use serde_json::Value;

use super::Place;
use crate::config::names;
use crate::config::object::Context;

pub(super) fn read(
    rule: &JwtRule,
    timeout: Duration,
    context: &Context<'_>,
    place: &mut Place<'_>,
) -> Option<Keys> {
    let given = rule.jwks.as_deref().filter(|text| !text.is_empty());
    let uri = rule.jwks_uri.as_deref().filter(|text| !text.is_empty());
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

/// Envoy refuses a whole listener for a set without a key that it can read.
fn check(text: &str) -> Result<(), String> {
    let set: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let keys = set["keys"].as_array().ok_or("there is no list of keys")?;
    if keys.is_empty() {
        return Err("the list of keys is empty".to_owned());
    }
    keys.iter().enumerate().try_for_each(|(at, key)| {
        let needed: &[&str] = match key["kty"].as_str() {
            Some("RSA") => &["n", "e"],
            Some("EC") => &["crv", "x", "y"],
            Some("OKP") => &["crv", "x"],
            Some("oct") => &["k"],
            _ => return Err(format!("key {at} has no kty that is known")),
        };
        let missing = needed.iter().find(|name| !is_base64(key[**name].as_str()));
        match missing {
            Some(name) => Err(format!("key {at} has no good {name:?}")),
            None => Ok(()),
        }
    })
}

/// Of the kind that addresses can hold, which names of curves are as well.
fn is_base64(text: Option<&str>) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'=';
    text.is_some_and(|text| !text.is_empty() && text.bytes().all(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_needs_keys_that_can_be_read() {
        assert_eq!(
            check(r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#),
            Ok(())
        );
        for wrong in [
            "",
            "{}",
            r#"{"keys": []}"#,
            r#"{"keys": [{"kty": "RSA", "n": "AQAB"}]}"#,
            r#"{"keys": [{"kty": "oct", "k": "?"}]}"#,
            r#"{"keys": [{"kty": "?"}]}"#,
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
