//! How an apiserver is reached: a kubeconfig, the files of a service account, or plain URLs.

use std::path::PathBuf;

use ::kube::config::{AuthInfo, InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use ::kube::{Client, Config};

use super::servers::{Server, Servers};

/// Where the apiserver is, and who we are to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Its current context.
    Kubeconfig(PathBuf),
    /// The service account of the pod that we run in.
    InCluster,
    /// Base URLs of apiservers in front of one etcd; `http` works as well.
    Urls {
        urls: Vec<String>,
        /// Read again from time to time, so that a token can be renewed.
        token_file: Option<PathBuf>,
        ca_file: Option<PathBuf>,
    },
}

/// Why an apiserver cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("the kubeconfig {path:?} cannot be used: {error}")]
    Kubeconfig {
        path: PathBuf,
        error: Box<KubeconfigError>,
    },
    #[error("we do not seem to run in a cluster: {0}")]
    InCluster(Box<InClusterError>),
    #[error("{url:?} is no URL of an apiserver: {why}")]
    Url { url: String, why: String },
    #[error("the apiserver at {url} cannot be asked: {why}")]
    Client { url: String, why: String },
}

// === impl Access ===

impl Access {
    /// Prepares the clients; nothing is sent yet. Must be called within a runtime.
    ///
    /// # Errors
    /// A file cannot be used, or a URL is none.
    pub async fn connect(&self) -> Result<Servers, AccessError> {
        let mut servers = Vec::new();
        for config in self.configs().await? {
            servers.push(server(config)?);
        }
        Ok(Servers::new(servers))
    }

    async fn configs(&self) -> Result<Vec<Config>, AccessError> {
        match self {
            Access::Kubeconfig(path) => {
                let refuse = |error| AccessError::Kubeconfig {
                    path: path.clone(),
                    error: Box::new(error),
                };
                let file = Kubeconfig::read_from(path).map_err(refuse)?;
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(file, &options).await;
                Ok(vec![config.map_err(refuse)?])
            }
            Access::InCluster => {
                let config = Config::incluster();
                Ok(vec![config.map_err(|error| {
                    AccessError::InCluster(Box::new(error))
                })?])
            }
            Access::Urls {
                urls,
                token_file,
                ca_file,
            } => urls
                .iter()
                .map(|url| plain(url, token_file.as_ref(), ca_file.as_ref()))
                .collect(),
        }
    }
}

fn plain(
    url: &str,
    token_file: Option<&PathBuf>,
    ca_file: Option<&PathBuf>,
) -> Result<Config, AccessError> {
    let refuse = |why: String| AccessError::Url {
        url: url.to_owned(),
        why,
    };
    let uri: http::Uri = url
        .parse()
        .map_err(|error: http::uri::InvalidUri| refuse(error.to_string()))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.authority().is_some() => {}
        _ => return Err(refuse("it does not begin with http:// or https://".into())),
    }
    let mut config = Config::new(uri);
    config.root_cert_file = ca_file.cloned();
    config.auth_info = AuthInfo {
        token_file: token_file.map(|path| path.display().to_string()),
        ..AuthInfo::default()
    };
    Ok(config)
}

fn server(mut config: Config) -> Result<Server, AccessError> {
    let url = config.cluster_url.to_string();
    // We wait in our own way, and go to the next server meanwhile.
    config.default_retry = false;
    config.connect_timeout = Some(std::time::Duration::from_secs(5));
    let client = Client::try_from(config).map_err(|error| AccessError::Client {
        url: url.clone(),
        why: error.to_string(),
    })?;
    Ok(Server { url, client })
}
