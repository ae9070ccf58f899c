//! Flags about a kube-apiserver: where it is, who we are to it, and what we write there.

use std::path::PathBuf;

use clap::{ArgAction, Args};

#[derive(Debug, Clone, Args)]
#[command(rename_all = "camelCase")]
pub struct KubeArgs {
    /// Read Istio objects from the apiserver of this kubeconfig's current context.
    #[arg(long, value_name = "FILE", conflicts_with = "kube_api")]
    pub kubeconfig: Option<PathBuf>,

    /// Read Istio objects from the apiservers at these URLs, which share one etcd; plain http works
    /// as well. The word `in-cluster` stands for the service account of the pod.
    #[arg(
        long = "kubeAPI",
        aliases = ["kubeApi", "kube-api"],
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub kube_api: Vec<String>,

    /// A file with the bearer token for --kubeAPI; read again now and then.
    #[arg(
        long = "kubeTokenFile",
        alias = "kube-token-file",
        requires = "kube_api",
        value_name = "FILE"
    )]
    pub kube_token_file: Option<PathBuf>,

    /// A file with the certificate authority of --kubeAPI; the system's if not given.
    #[arg(
        long = "kubeCAFile",
        aliases = ["kubeCaFile", "kube-ca-file"],
        requires = "kube_api",
        value_name = "FILE"
    )]
    pub kube_ca_file: Option<PathBuf>,

    /// Install definitions of Istio's kinds that are missing. Those that exist are never changed.
    #[arg(
        long = "installCRDs",
        aliases = ["installCrds", "install-crds"],
        default_value_t = true,
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub install_crds: bool,

    /// The old Pilot's form of --installCRDs=false.
    #[arg(long = "disable-install-crds", hide = true)]
    pub disable_install_crds: bool,

    /// Answer with Events and conditions on the objects that are refused, ignored or in conflict.
    #[arg(
        long,
        alias = "kube-events",
        default_value_t = true,
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub kube_events: bool,

    /// The namespace of the Lease that elects the replica which writes Events and conditions.
    #[arg(
        long,
        alias = "lease-namespace",
        default_value = "default",
        value_name = "NAMESPACE"
    )]
    pub lease_namespace: String,
}
