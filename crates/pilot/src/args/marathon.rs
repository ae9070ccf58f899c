//! Flags about Marathon: where it is, and who we are to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use model::{Inclusion, Selector};

use super::naming::is_namespace;

#[derive(Debug, Clone, Default, Args)]
#[command(rename_all = "camelCase")]
pub struct MarathonArgs {
    /// Base URLs of Marathon, tried in turn (the old name of the flag says Mesos master).
    #[arg(
        long,
        alias = "mesos-master",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub mesos_master: Vec<String>,

    /// A Marathon by name, with its base URLs: mom=http://mom.mesos:8080. Give it once for each of
    /// several Marathons; one that is away does not concern the others. With namespace=NAME among
    /// the URLs its workloads are there if neither a label nor --namespaceMapping tells.
    #[arg(long = "marathon", value_name = "NAME=URL,…")]
    pub named: Vec<NamedMarathon>,

    /// Something that holds for one Marathon alone: mom.tokenFile=/run/secrets/mom. The keys are
    /// user, passwordFile, tokenFile, credential, caFile, certFile and keyFile, and mean what the
    /// flags mean that begin with --marathon. Who has credentials of its own is not shown the others.
    #[arg(long, alias = "marathon-option", value_name = "NAME.KEY=VALUE")]
    pub marathon_option: Vec<MarathonOption>,

    /// Which apps and pods are part of the mesh: those with the label istio, or all, of which those
    /// without it are called after their ids.
    #[arg(
        long,
        alias = "marathon-include",
        default_value = "labelled",
        value_name = "WHICH"
    )]
    pub marathon_include: Include,

    /// Of the apps and pods without the label istio, those that --marathonInclude all takes:
    /// team==shop,stage in (test, prod). All, if it is not given.
    #[arg(long, alias = "marathon-selector", value_name = "LABELS")]
    pub marathon_selector: Option<Selector>,

    /// User for Marathon's basic authentication.
    #[arg(
        long,
        alias = "marathon-user",
        env = "MARATHON_USER",
        value_name = "NAME"
    )]
    pub marathon_user: Option<String>,

    /// Password for Marathon's basic authentication; better given in a file than here.
    #[arg(
        long,
        alias = "marathon-password",
        env = "MARATHON_PASSWORD",
        hide_env_values = true,
        value_name = "TEXT"
    )]
    pub marathon_password: Option<Secret>,

    /// A file with that password, read whenever it is needed.
    #[arg(long, alias = "marathon-password-file", value_name = "FILE")]
    pub marathon_password_file: Option<PathBuf>,

    /// A file with a token of DC/OS, read whenever it is needed.
    #[arg(long, alias = "marathon-token-file", value_name = "FILE")]
    pub marathon_token_file: Option<PathBuf>,

    /// A file with the secret of a DC/OS service account: JSON with uid and private_key.
    #[arg(long, alias = "marathon-credential", value_name = "FILE")]
    pub marathon_credential: Option<PathBuf>,

    /// The certificate authorities that Marathon's certificate must come from, in PEM.
    #[arg(long, alias = "marathon-ca-file", value_name = "FILE")]
    pub marathon_ca_file: Option<PathBuf>,

    /// A certificate to show to Marathon, with its chain, in PEM.
    #[arg(
        long,
        alias = "marathon-cert-file",
        value_name = "FILE",
        requires = "marathon_key_file"
    )]
    pub marathon_cert_file: Option<PathBuf>,

    /// The key of that certificate, in PEM.
    #[arg(
        long,
        alias = "marathon-key-file",
        value_name = "FILE",
        requires = "marathon_cert_file"
    )]
    pub marathon_key_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Include {
    #[default]
    Labelled,
    All,
}

/// `name=url,url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedMarathon {
    pub name: String,
    pub urls: Vec<String>,
    /// Of its workloads, if nothing nearer to them tells.
    pub namespace: Option<String>,
}

/// `name.key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarathonOption {
    pub name: String,
    pub key: OptionKey,
    pub value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub enum OptionKey {
    User,
    PasswordFile,
    TokenFile,
    Credential,
    CaFile,
    CertFile,
    KeyFile,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

// === impl MarathonArgs ===

impl MarathonArgs {
    /// Which workloads are part of the mesh.
    pub(crate) fn inclusion(&self) -> Inclusion {
        match self.marathon_include {
            Include::Labelled => Inclusion::Labelled,
            Include::All => Inclusion::All(self.marathon_selector.clone().unwrap_or_default()),
        }
    }
}

// === impl NamedMarathon ===

impl FromStr for NamedMarathon {
    type Err = String;

    fn from_str(text: &str) -> Result<NamedMarathon, String> {
        // User and password may stand in a URL, so the text itself is not repeated.
        let form = || "write it like mom=http://mom.mesos:8080".to_owned();
        let (name, urls) = text.split_once('=').ok_or_else(form)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(form());
        }
        let mut marathon = NamedMarathon {
            name: name.to_owned(),
            urls: Vec::new(),
            namespace: None,
        };
        for part in urls.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            match part.strip_prefix("namespace=") {
                None => marathon.urls.push(part.to_owned()),
                Some(namespace) if is_namespace(namespace) => {
                    marathon.namespace = Some(namespace.to_owned());
                }
                Some(namespace) => return Err(format!("{namespace:?} is no namespace")),
            }
        }
        match marathon.urls.is_empty() {
            true => Err(form()),
            false => Ok(marathon),
        }
    }
}

// === impl MarathonOption ===

impl FromStr for MarathonOption {
    type Err = String;

    fn from_str(text: &str) -> Result<MarathonOption, String> {
        let form = || "write it like mom.tokenFile=/run/secrets/mom".to_owned();
        let (place, value) = text.split_once('=').ok_or_else(form)?;
        // Names of Marathons may have dots, keys have none.
        let (name, key) = place.rsplit_once('.').ok_or_else(form)?;
        let key = OptionKey::from_str(key, false).map_err(|_| {
            let keys = OptionKey::value_variants().iter();
            let keys = keys.filter_map(|key| Some(key.to_possible_value()?.get_name().to_owned()));
            format!("{key} is none of {}", keys.collect::<Vec<_>>().join(", "))
        })?;
        match name.is_empty() || value.is_empty() {
            true => Err(form()),
            false => Ok(MarathonOption {
                name: name.to_owned(),
                key,
                value: value.to_owned(),
            }),
        }
    }
}

// === impl Secret ===

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Secret, Self::Err> {
        Ok(Secret(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
