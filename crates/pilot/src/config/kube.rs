//! From flags to the apiserver: how it is reached, and what is written there.

use watch::kube::Access;

use super::ConfigError;
use crate::args::KubeArgs;

/// The name of the source, which no Marathon may have.
pub(super) const SOURCE: &str = "kube";

/// The word that stands for the service account of the pod.
const IN_CLUSTER: &str = "in-cluster";

/// An apiserver that is read, and whether it is also written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeOptions {
    pub access: Access,
    /// Whether missing definitions are installed.
    pub install: bool,
    /// Whether Events and conditions are written.
    pub events: bool,
    /// Where the Lease lives.
    pub namespace: String,
    pub reading: watch::kube::Timing,
    pub answers: apiserver::Timing,
}

// === impl KubeOptions ===

impl KubeOptions {
    /// An apiserver with all defaults.
    pub fn new(access: Access) -> KubeOptions {
        KubeOptions {
            access,
            install: true,
            events: true,
            namespace: "default".into(),
            reading: watch::kube::Timing::default(),
            answers: apiserver::Timing::default(),
        }
    }
}

pub(super) fn read(flags: &KubeArgs) -> Result<Option<KubeOptions>, ConfigError> {
    let Some(access) = access(flags)? else {
        return Ok(None);
    };
    Ok(Some(KubeOptions {
        install: flags.install_crds && !flags.disable_install_crds,
        events: flags.kube_events,
        namespace: flags.lease_namespace.clone(),
        ..KubeOptions::new(access)
    }))
}

fn access(flags: &KubeArgs) -> Result<Option<Access>, ConfigError> {
    if let Some(path) = &flags.kubeconfig {
        return Ok(Some(Access::Kubeconfig(path.clone())));
    }
    match flags.kube_api.as_slice() {
        [] => Ok(None),
        [word] if word == IN_CLUSTER => Ok(Some(Access::InCluster)),
        words if words.iter().any(|word| word == IN_CLUSTER) => Err(ConfigError::KubeApi(
            "in-cluster stands alone, without URLs".into(),
        )),
        urls => Ok(Some(Access::Urls {
            urls: urls.to_vec(),
            token_file: flags.kube_token_file.clone(),
            ca_file: flags.kube_ca_file.clone(),
        })),
    }
}
