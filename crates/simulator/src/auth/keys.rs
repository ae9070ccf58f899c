//! Public keys in PEM.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The public key of a service account cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the public key of '{uid}' is not an RSA key of 2048 bits or more in PEM: {reason}; \
     `openssl rsa -in private.pem -pubout` writes one"
)]
pub struct BadKey {
    uid: String,
    reason: String,
}

/// Reads the public key of an account.
pub(super) fn public(uid: &str, pem: &str) -> Result<ParsedPublicKey, BadKey> {
    let bad = |reason: String| BadKey {
        uid: uid.to_owned(),
        reason,
    };
    let lines = pem.lines().map(str::trim);
    let base64: String = lines.filter(|l| !l.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).map_err(|e| bad(e.to_string()))?;
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_told() {
        for pem in [
            "",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            "?",
        ] {
            let error = public("svc", pem).err().map(|e| e.to_string());
            assert!(error.is_some_and(|e| e.contains("'svc'")), "{pem}");
        }
    }
}
