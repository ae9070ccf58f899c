//! Versions of TLS and cipher suites of a server.

use super::*;

impl Reader<'_> {
    pub(super) fn versions(&mut self) -> Option<Versions> {
        let tls = self.tls;
        let min = self.version(&tls.min_protocol_version, ".minProtocolVersion")?;
        let max = self.version(&tls.max_protocol_version, ".maxProtocolVersion")?;
        let lowest = min.unwrap_or(TlsVersion::V1_2);
        if max.is_some_and(|max| max < lowest) {
            let why = "the newest version is older than the oldest";
            return self.unfit(
                ".maxProtocolVersion",
                why,
                "swap the two, or raise this one",
            );
        }
        if min.is_some_and(|min| min < TlsVersion::V1_2) {
            let text = "versions before 1.2 are broken, and Envoy has no cipher suites for them by \
                        default";
            let field = format!("{}.tls.minProtocolVersion", self.at);
            let remedy = "use TLSV1_2, or name cipherSuites that such clients know";
            let effect = "such clients are let in as far as cipher suites allow";
            self.report
                .warn(codes::TLS_FIELD_IGNORED, field, text, effect, remedy);
        }
        Some(Versions { min, max })
    }

    fn version(&mut self, text: &Option<String>, field: &str) -> Option<Option<TlsVersion>> {
        match given(text) {
            None | Some("TLS_AUTO") => Some(None),
            Some(text) => match TlsVersion::parse(text) {
                Some(version) => Some(Some(version)),
                None => {
                    let why = format!("{text:?} is not a version of TLS");
                    let remedy = "use TLS_AUTO, TLSV1_0, TLSV1_1, TLSV1_2 or TLSV1_3";
                    self.unfit(field, &why, remedy)
                }
            },
        }
    }

    /// As in Istio, suites that Envoy would refuse are dropped, and said so here.
    pub(super) fn ciphers(&mut self) -> Vec<Cipher> {
        let mut all: Vec<Cipher> = Vec::new();
        for (i, text) in self.tls.cipher_suites.iter().enumerate() {
            let field = format!(".cipherSuites[{i}]");
            match Cipher::parse(text) {
                Some(cipher) if all.contains(&cipher) => {
                    self.ignored(&field, "the suite is named twice", "remove it here");
                }
                Some(cipher) => all.push(cipher),
                None => {
                    let why = format!("Envoy knows no cipher suite {text:?}");
                    self.ignored(&field, &why, "use names like ECDHE-RSA-AES128-GCM-SHA256");
                }
            }
        }
        all
    }
}
