//! JSON Web Tokens: reading those of services, making our own.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::json::text;

/// The claims of a token, if it says RS256 and `key` says the same of it.
/// The algorithm is never taken from the token alone.
pub(super) fn verify(token: &str, key: &ParsedPublicKey) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if text(&decode(header)?, "alg") != Some("RS256") {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    key.verify_sig(signed.as_bytes(), &signature).ok()?;
    decode(claims)
}

fn decode(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Makes tokens as DC/OS does, which clients may look into for their `exp`.
pub(super) struct Signer {
    key: hmac::Key,
    serial: u64,
}

impl Signer {
    pub(super) fn new(seed: u64) -> Signer {
        Signer {
            key: hmac::Key::new(hmac::HMAC_SHA256, &seed.to_be_bytes()),
            serial: 0,
        }
    }

    /// A token with these claims; no two are the same.
    pub(super) fn sign(&mut self, claims: &Value) -> String {
        self.serial += 1;
        let mut claims = claims.clone();
        claims["jti"] = self.serial.to_string().into();
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        let parts = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = parts.join(".");
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};

    use super::*;

    fn token(pair: &KeyPair, header: &Value) -> String {
        let parts = [header, &json!({ "uid": "svc" })];
        let signed = parts
            .map(|p| URL_SAFE_NO_PAD.encode(p.to_string()))
            .join(".");
        let mut signature = vec![0; pair.public_modulus_len()];
        let rng = SystemRandom::new();
        pair.sign(&RSA_PKCS1_SHA256, &rng, signed.as_bytes(), &mut signature)
            .expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn only_the_right_key_and_algorithm_will_do() {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = pair.public_key().as_der().expect("DER");
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref()).expect("a key");
        let good = token(&pair, &json!({ "alg": "RS256" }));
        assert_eq!(verify(&good, &key), Some(json!({ "uid": "svc" })));
        assert_eq!(verify(&token(&pair, &json!({ "alg": "none" })), &key), None);
        assert_eq!(verify(&good[..good.len() - 4], &key), None);
        assert_eq!(verify("no token", &key), None);
        let other = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        assert_eq!(
            verify(&token(&other, &json!({ "alg": "RS256" })), &key),
            None
        );
    }

    #[test]
    fn our_own_tokens_differ_and_can_be_looked_into() {
        let mut signer = Signer::new(1);
        let token = signer.sign(&json!({ "exp": 7 }));
        let claims = token.split('.').nth(1).and_then(decode).expect("claims");
        assert_eq!(claims["exp"], 7);
        assert_ne!(signer.sign(&json!({ "exp": 7 })), token);
    }
}
