//! The texts in TLS settings, each checked once.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Why a text in TLS settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidTls {
    #[error("the path is empty")]
    NoPath,
    #[error("the path {0:?} has a character that paths of certificates cannot have here")]
    PathCharacter(String),
    #[error("Envoy reads no certificates below /dev, /proc and /sys, as {0:?} is")]
    PathForbidden(String),
    #[error("{0:?} is no server name: one has 1 to 255 visible characters")]
    ServerName(String),
    #[error("{0:?} is not the SHA-256 of a public key in base64: 44 characters")]
    KeyHash(String),
    #[error("{0:?} is not the SHA-256 of a certificate in hex: 64 digits, with or without colons")]
    Fingerprint(String),
}

/// The path of a file on the proxy's machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Arc<str>);

/// The name that a client asks a TLS server for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(Arc<str>);

/// The SHA-256 of a public key, in base64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(Arc<str>);

/// The SHA-256 of a certificate, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Arc<str>);

/// A cipher suite that Envoy knows. Those of TLS 1.3 cannot be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cipher(&'static str);

/// The suites of TLS 1.2 and older that BoringSSL has, as Envoy calls them.
const CIPHERS: &[&str] = &[
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "AES256-SHA",
    "AES128-SHA",
];

// === impl FilePath ===

impl FilePath {
    /// # Errors
    /// The path cannot be named to Envoy, or Envoy would not read it.
    pub fn parse(text: &str) -> Result<FilePath, InvalidTls> {
        // A tilde parts the paths in the name of a secret.
        let unusable = |c: char| c == '~' || c.is_control();
        if text.is_empty() {
            return Err(InvalidTls::NoPath);
        }
        if text.contains(unusable) {
            return Err(InvalidTls::PathCharacter(text.to_owned()));
        }
        let below = |folder: &str| {
            let rest = text.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match ["/dev", "/proc", "/sys"].into_iter().any(below) {
            true => Err(InvalidTls::PathForbidden(text.to_owned())),
            false => Ok(FilePath(text.into())),
        }
    }

    /// A path of our own.
    pub(super) fn literal(text: &str) -> FilePath {
        FilePath(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl ServerName ===

impl ServerName {
    /// # Errors
    /// Envoy would refuse it.
    pub fn parse(text: &str) -> Result<ServerName, InvalidTls> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        match visible && (1..=255).contains(&text.len()) {
            true => Ok(ServerName(text.into())),
            false => Err(InvalidTls::ServerName(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl KeyHash ===

impl KeyHash {
    /// # Errors
    /// It is not 32 bytes in base64.
    pub fn parse(text: &str) -> Result<KeyHash, InvalidTls> {
        let digit = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
        let digits = text.strip_suffix('=').unwrap_or_default();
        match digits.len() == 43 && digits.bytes().all(digit) {
            true => Ok(KeyHash(text.into())),
            false => Err(InvalidTls::KeyHash(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    /// # Errors
    /// It is not 32 bytes in hex.
    pub fn parse(text: &str) -> Result<Fingerprint, InvalidTls> {
        let pairs: Vec<&str> = text.split(':').collect();
        let (long, each) = match pairs.len() {
            1 => (text.len() == 64, true),
            n => (n == 32, pairs.iter().all(|pair| pair.len() == 2)),
        };
        let hex = |pair: &&str| pair.bytes().all(|b| b.is_ascii_hexdigit());
        match long && each && pairs.iter().all(hex) {
            true => Ok(Fingerprint(text.into())),
            false => Err(InvalidTls::Fingerprint(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl Cipher ===

impl Cipher {
    /// The suite of that name.
    pub fn parse(text: &str) -> Option<Cipher> {
        let known = CIPHERS.iter().find(|name| **name == text);
        known.map(|name| Cipher(name))
    }

    /// The suites that workloads of the mesh speak among themselves, as in Istio.
    pub fn of_mesh() -> [Cipher; 4] {
        [CIPHERS[0], CIPHERS[1], CIPHERS[2], CIPHERS[3]].map(Cipher)
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_envoy_would_not_read_is_none() {
        for path in ["", "/a~b", "/a\nb", "/dev", "/proc/1/mem", "/sys/x"] {
            assert!(FilePath::parse(path).is_err(), "{path:?}");
        }
        for path in ["/etc/certs/key.pem", "certs/a b.pem", "/devices/x.pem"] {
            assert_eq!(FilePath::parse(path).unwrap().as_str(), path);
        }
    }

    #[test]
    fn a_server_name_fits_into_a_client_hello() {
        let long = "x".repeat(256);
        for name in ["", "a b", "a\u{e4}", &long] {
            assert!(ServerName::parse(name).is_err(), "{name:?}");
        }
        assert!(ServerName::parse("outbound_.80_.v1_.a.b").is_ok());
    }

    #[test]
    fn hashes_have_the_length_that_envoy_demands() {
        let key = format!("{}=", "A".repeat(43));
        assert!(KeyHash::parse(&key).is_ok());
        assert!(KeyHash::parse(&"A".repeat(44)).is_err());
        let hex = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert!(Fingerprint::parse(&hex).is_ok());
        assert!(Fingerprint::parse(&colons).is_ok());
        for wrong in ["", &hex[1..], &colons[3..], &"zz".repeat(32)] {
            assert!(Fingerprint::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_cipher_is_one_of_a_list() {
        let name = "ECDHE-RSA-AES128-GCM-SHA256";
        assert_eq!(Cipher::parse(name).unwrap().to_string(), name);
        assert_eq!(Cipher::parse("TLS_AES_128_GCM_SHA256"), None);
        assert_eq!(Cipher::parse("NULL-MD5"), None);
    }
}
