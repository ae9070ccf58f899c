//! Random mesh configs.

use super::*;

pub(super) fn mesh() -> impl Strategy<Value = Mesh> {
    let switches = (any::<bool>(), any::<bool>(), 0..2u64);
    let of_clusters = (any::<bool>(), any::<bool>(), select(policies::localities()));
    (switches, of_clusters).prop_map(|((open, log, seconds), (auto, upgrade, locality))| Mesh {
        auto_mtls: auto,
        upgrade_h2: upgrade,
        locality,
        outbound: if open {
            OutboundPolicy::AllowAny
        } else {
            OutboundPolicy::RegistryOnly
        },
        reporting: if log {
            reporting("/dev/null")
        } else {
            Reporting::default()
        },
        connect_timeout: Duration::from_secs(seconds),
        auth_policy: match seconds {
            0 => AuthPolicy::None,
            _ => AuthPolicy::MutualTls,
        },
        providers: [
            extensions::log_provider("json"),
            extensions::log_provider("envoy"),
        ]
        .into(),
        ..Mesh::default()
    })
}
